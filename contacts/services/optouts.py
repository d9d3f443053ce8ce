"""Opt-out lists: numbers that must not be texted, put on record at once, whoever they belong to.

Nobody becomes a contact by it, and an opt-out that stands already, whatever its source, stays as it
is. Opting out one person is contacts.services.leaving.
"""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.services.leaving import wording_elsewhere

_FORECAST = """
    SELECT count(*) FROM ({source}) s
    WHERE NOT EXISTS (
        SELECT FROM contacts_optout o WHERE o.account_id = %(account)s AND o.phone = s.phone
    )
"""
# Every opt-out has a contact, a deleted one if need be: its row is the lock under which consent of
# one phone takes turns. The conflict locks it also where the condition changes nothing.
_CONTACTS = """
    INSERT INTO contacts_contact AS c (
        account_id, phone, first_name, last_name, email, timezone, custom, line_type, region,
        consent, consent_at, created_at, updated_at, deleted_at
    )
    SELECT %(account)s, s.phone, '', '', '', '', '{{}}', s.line_type, s.region,
        'opted_out', coalesce(o.at, %(moment)s), %(moment)s, %(moment)s, %(moment)s
    FROM ({source}) s
    LEFT JOIN contacts_optout o ON o.account_id = %(account)s AND o.phone = s.phone
    ORDER BY s.phone
    ON CONFLICT (account_id, phone) DO UPDATE
        SET consent = 'opted_out', consent_at = EXCLUDED.consent_at
        WHERE c.consent <> 'opted_out'
"""
# OFFSET 0 here and below: looked up by phone, not joined; the planner may think of no such event.
# Where own words may still turn out to be misread, here or under another number, the list's word is
# kept beside them, once: it stands if they are taken back.
_OPT_OUTS = """
    WITH added AS (
        INSERT INTO contacts_optout (account_id, phone, source, at)
        SELECT %(account)s, s.phone, %(consent_source)s, %(moment)s
        FROM ({source}) s ORDER BY s.phone
        ON CONFLICT (account_id, phone) DO NOTHING
        RETURNING phone
    ),
    said AS (
        INSERT INTO contacts_consentevent (
            account_id, phone, kind, source, wording, import_id, at
        )
        SELECT %(account)s, phone, 'out', %(consent_source)s, %(wording)s, %(import)s, %(moment)s
        FROM (
            SELECT phone FROM added
            UNION
            SELECT o.phone FROM contacts_optout o JOIN ({source}) s ON s.phone = o.phone
            WHERE o.account_id = (SELECT %(account)s)
                AND (o.source = 'free_text' AND o.reviewed_at IS NULL OR o.source = 'person')
                AND NOT EXISTS (
                    SELECT FROM contacts_consentevent e
                    WHERE e.account_id = (SELECT %(account)s) AND e.phone = o.phone
                        AND e.kind = 'out' AND e.source = %(consent_source)s AND e.at >= o.at
                    OFFSET 0
                )
        ) told
    )
    SELECT count(*) FROM added
"""
# List and others together, in the order of phones, as whoever leaves locks all numbers of theirs.
# Contacts that are missing are made by the same statement: made later, they would be locked out of
# order.
_LOCK = """
    INSERT INTO contacts_contact AS c (
        account_id, phone, first_name, last_name, email, timezone, custom, line_type, region,
        consent, created_at, updated_at, deleted_at
    )
    SELECT %(account)s, s.phone, '', '', '', '', '{{}}', s.line_type, s.region,
        'unknown', %(moment)s, %(moment)s, %(moment)s
    FROM (
        SELECT phone, line_type, region FROM ({source}) l
        UNION ALL
        SELECT phone, line_type, region FROM ({others}) o
    ) s
    ORDER BY s.phone
    ON CONFLICT (account_id, phone) DO UPDATE SET consent = c.consent WHERE FALSE
"""
# The other numbers of people on the list who are known to have several.
_ELSEWHERE = """
    WITH family AS (
        SELECT merged_into_id AS head, phone FROM contacts_contact
        WHERE account_id = (SELECT %(account)s) AND merged_into_id IS NOT NULL
        UNION ALL
        SELECT c.id, c.phone FROM contacts_contact c
        WHERE c.account_id = (SELECT %(account)s) AND c.id IN (
            SELECT merged_into_id FROM contacts_contact
            WHERE account_id = (SELECT %(account)s) AND merged_into_id IS NOT NULL)
    )
    SELECT DISTINCT other.phone
    FROM ({source}) s
    JOIN family one ON one.phone = s.phone
    JOIN family other ON other.head = one.head
    WHERE NOT EXISTS (SELECT FROM ({source}) t WHERE t.phone = other.phone) {told}
    ORDER BY other.phone
"""
# Only of those for whom the list was news: where a number was out before, the word went on then,
# and whoever came back since is not held to it.
_TOLD = """
    AND EXISTS (
        SELECT FROM contacts_consentevent e
        WHERE e.account_id = (SELECT %(account)s) AND e.phone = s.phone
            AND e.kind = 'out' AND e.import_id = %(import)s
        OFFSET 0
    )
"""
_NAMED = "SELECT phone, '' AS line_type, '' AS region FROM unnest(%(phones)s::text[]) AS n(phone)"
# Whoever is on such a list is not brought back by a YES to a question from before.
_QUESTIONS = """
    DELETE FROM contacts_optinpending p USING ({source}) s
    WHERE p.account_id = %(account)s AND p.phone = s.phone AND p.asked_at <= %(moment)s
"""


def opt_outs_forecast(*, account: Account, source: str) -> int:
    """How many phones of the subquery are not opted out at this moment. Writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_FORECAST.format(source=source), {"account": account.pk})
        return int(cursor.fetchone()[0])


def opt_outs_merge(
    *, account: Account, source: str, import_id: int, wording: str, moment: datetime
) -> int:
    """Opt out the phones of a subquery, in the caller's transaction.

    Args:
        account: Whose texts these people must not get.
        source: SQL of the cleaned rows, one per phone, with the columns of ImportRow.
        import_id: The import, kept in each ConsentEvent.
        wording: Where the list comes from, kept there too.
        moment: When they count as opted out.

    Returns:
        How many of them were not opted out before; other numbers that they are known to have go
        with them and are not counted.

    Locks: the contacts, with all numbers of theirs, in the order of phones (made as deleted ones
        where there are none), then their opt-outs, then what waits for their YES.
    Side effects: ConsentEvent, OptOut, Contact.consent; questions that wait for a YES end.
    """
    params: dict[str, Any] = {
        "account": account.pk,
        "import": import_id,
        "wording": wording,
        "moment": moment,
        "consent_source": ConsentSource.IMPORT,
    }
    with connection.cursor() as cursor:
        params["phones"] = _elsewhere(cursor, source, params)
        if params["phones"]:
            cursor.execute(_LOCK.format(source=source, others=_NAMED), params)
        added = _opt_out(cursor, source, params)
        # Asked again: whoever merged or moved one of them meanwhile has committed by now.
        params["phones"] = _elsewhere(cursor, source, params, told=_TOLD)
        if params["phones"]:
            params["wording"] = wording_elsewhere(ConsentSource.IMPORT, moment)
            _opt_out(cursor, _NAMED, params)
    return added


def _elsewhere(
    cursor: CursorWrapper, source: str, params: dict[str, Any], *, told: str = ""
) -> list[str]:
    cursor.execute(_ELSEWHERE.format(source=source, told=told), params)
    return [phone for (phone,) in cursor.fetchall()]


def _opt_out(cursor: CursorWrapper, source: str, params: dict[str, Any]) -> int:
    cursor.execute(_CONTACTS.format(source=source), params)
    cursor.execute(_OPT_OUTS.format(source=source), params)
    added = int(cursor.fetchone()[0])
    cursor.execute(_QUESTIONS.format(source=source), params)
    return added
