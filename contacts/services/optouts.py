"""Opt-out lists: numbers that must not be texted, put on record at once, whoever they belong to.

Nobody becomes a contact by it, and an opt-out that stands already, whatever its source, stays as it
is. Opting out one person is contacts.services.consent.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Account
from contacts.choices import ConsentSource

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
# Where own words wait to be reviewed, the list's word is kept beside them: it stands if they were
# misread.
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
            WHERE o.account_id = %(account)s AND o.source = 'free_text' AND o.reviewed_at IS NULL
        ) told
    )
    SELECT count(*) FROM added
"""
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
        How many were not opted out before.

    Locks: the contacts, in the order of their phones (made as deleted ones where there are none),
        then their opt-outs, then what waits for their YES.
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
        cursor.execute(_CONTACTS.format(source=source), params)
        cursor.execute(_OPT_OUTS.format(source=source), params)
        added = int(cursor.fetchone()[0])
        cursor.execute(_QUESTIONS.format(source=source), params)
    return added
