"""The one statement that puts people into an account: new, updated, unchanged, revived.

Owns the rules of a merge, which import, API and forms share: a blank never erases, a deleted
contact comes back as a new one, an opt-out stays. Cleaning of values is not here (contacts.fields).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Account, User
from contacts.choices import ConsentSource
from contacts.models import CustomField

# %(grants)s says that those who are not on record as in or out count as opted in from now on.
# Rows are written in the order of phones, so that two merges at once wait for each other instead of
# deadlocking. An existing row keeps its own word on consent: the latest version of the row decides,
# also when an opt-out committed a moment ago.
_UPSERT = """
    INSERT INTO contacts_contact AS c (
        account_id, phone, first_name, last_name, email, timezone, custom, line_type, region,
        consent, consent_at, created_at, updated_at
    )
    SELECT %(account)s, s.phone, s.first_name, s.last_name, s.email, s.timezone, s.custom,
        s.line_type, s.region,
        CASE WHEN o.id IS NOT NULL THEN 'opted_out' WHEN %(grants)s THEN 'opted_in'
            ELSE 'unknown' END,
        CASE WHEN o.id IS NOT NULL THEN o.at WHEN %(grants)s THEN %(moment)s END,
        %(moment)s, %(moment)s
    FROM ({source}) s
    LEFT JOIN contacts_optout o ON o.account_id = %(account)s AND o.phone = s.phone
    ORDER BY s.phone
    ON CONFLICT (account_id, phone) DO UPDATE SET
        {assignments},
        custom = CASE WHEN c.deleted_at IS NULL THEN c.custom ELSE '{{}}'::jsonb END
            || EXCLUDED.custom,
        consent = CASE WHEN %(grants)s AND c.consent = 'unknown' THEN 'opted_in'
            ELSE c.consent END,
        consent_at = CASE WHEN %(grants)s AND c.consent = 'unknown' THEN %(moment)s
            ELSE c.consent_at END,
        created_at = CASE WHEN c.deleted_at IS NULL THEN c.created_at ELSE EXCLUDED.created_at END,
        updated_at = EXCLUDED.updated_at,
        deleted_at = NULL, merged_into_id = NULL, was_in = NULL
    WHERE {changes}
    RETURNING c.id, c.phone, c.created_at = %(moment)s AS is_new,
        (%(grants)s AND c.consent = 'opted_in' AND c.consent_at = %(moment)s) IS TRUE AS granted
        {returning}
"""
# What an import keeps to be undone. Only `old` tells the row that was really overwritten
# (docs/adr/0017-postgresql-18.md).
_BEFORE = (
    ", CASE WHEN old.id IS NOT NULL THEN jsonb_build_object("
    + ", ".join(
        f"'{name}', old.{name}"
        for name in (
            *("first_name", "last_name", "email", "timezone", "custom", "line_type", "region"),
            *("created_at", "updated_at", "deleted_at", "merged_into_id", "was_in"),
        )
    )
    + ") END AS before"
)
_KEPT = """kept AS (
        INSERT INTO contacts_importchange (contact_import_id, contact_id, before, granted)
        SELECT %(import)s, id, before, granted FROM merged
    ),"""
# A value that says nothing never replaces one that does, unless the contact had been deleted.
_SILENT = {
    "first_name": "",
    "last_name": "",
    "email": "",
    "timezone": "",
    "line_type": "unknown",
    "region": "",
}
_ASSIGNMENTS = ", ".join(
    f"{name} = CASE WHEN c.deleted_at IS NULL AND EXCLUDED.{name} = '{silent}'"
    f" THEN c.{name} ELSE EXCLUDED.{name} END"
    for name, silent in _SILENT.items()
)
_MORE = " OR ".join(
    f"({{row}}.{name} <> '{silent}' AND {{row}}.{name} <> c.{name})"
    for name, silent in _SILENT.items()
)
# Whether a row changes the contact `c` at all.
_CHANGES = f"""(
    c.deleted_at IS NOT NULL
    OR {_MORE}
    OR NOT c.custom @> {{row}}.custom
    OR (%(grants)s AND c.consent = 'unknown')
)"""
_FORECAST = """
    SELECT count(*) FILTER (WHERE c.id IS NULL OR c.deleted_at IS NOT NULL),
        count(*) FILTER (WHERE c.id IS NULL OR {changes})
    FROM ({source}) s
    LEFT JOIN contacts_contact c ON c.account_id = %(account)s AND c.phone = s.phone
"""
_MERGE = """
    WITH merged AS ({upsert}),
    {kept}
    consented AS (
        INSERT INTO contacts_consentevent (
            account_id, phone, kind, source, wording, import_id, actor_id, at
        )
        SELECT %(account)s, phone, 'in', %(consent_source)s, %(wording)s, %(import)s, %(actor)s,
            %(moment)s
        FROM merged WHERE granted
    )
    {answer}
"""


@dataclass(frozen=True)
class Grant:
    """How the people of a merge agreed to be texted. Without wording nothing is granted."""

    source: ConsentSource
    wording: str = ""
    import_id: int | None = None


def merge(
    *,
    account: Account,
    actor: User | None,
    source: str,
    params: Mapping[str, Any],
    grant: Grant,
    moment: datetime,
    answer: str,
) -> list[tuple[Any, ...]]:
    """Merge the rows of a subquery into the account's contacts, in the caller's transaction.

    Args:
        account: Whose contacts.
        actor: Who is named in the consent events.
        source: SQL of the cleaned rows, one per phone, with the columns of ImportRow.
        params: Parameters of `source`.
        grant: Consent that comes with the rows; people who opted out stay out. Where it names an
            import, what each contact was before is kept as ImportChange.
        moment: `created_at` of what is new; must differ from merge to merge.
        answer: SQL that selects from ``merged(phone, is_new, granted)``, which has one row for
            each contact that is new or changed.

    Returns:
        The rows of `answer`.

    Locks: the contacts, in the order of their phones.
    """
    changes = _CHANGES.format(row="EXCLUDED")
    keeps = grant.import_id is not None
    upsert = _UPSERT.format(
        source=source,
        assignments=_ASSIGNMENTS,
        changes=changes,
        returning=_BEFORE if keeps else "",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _MERGE.format(upsert=upsert, answer=answer, kept=_KEPT if keeps else ""),
            {
                **params,
                "account": account.pk,
                "actor": actor.pk if actor else None,
                "grants": bool(grant.wording),
                "moment": moment,
                "consent_source": grant.source,
                "wording": grant.wording,
                "import": grant.import_id,
            },
        )
        return list(cursor.fetchall())


def forecast(
    *, account: Account, source: str, params: Mapping[str, Any], grant: Grant
) -> tuple[int, int]:
    """What `merge` would do at this moment: (new, new or changed) contacts. Writes nothing."""
    changes = _CHANGES.format(row="s")
    with connection.cursor() as cursor:
        cursor.execute(
            _FORECAST.format(source=source, changes=changes),
            {**params, "account": account.pk, "grants": bool(grant.wording)},
        )
        new, changed = cursor.fetchone()
    return new, changed


def custom_fields_register(*, account: Account, labels: Mapping[str, str]) -> None:
    """Make the keys known as fields of the account, keeping the labels of those that exist."""
    CustomField.objects.bulk_create(
        [
            CustomField(account=account, key=key, label=label)
            for key, label in sorted(labels.items())
        ],
        ignore_conflicts=True,
    )


def group_fill(
    *,
    account: Account,
    group_ids: Sequence[int],
    source: str,
    params: Mapping[str, Any],
    moment: datetime,
) -> int:
    """Put the live contacts whose phone is in the subquery into the groups; how many were new.

    `moment` is when they were added.

    Locks: the groups, against deleting alone, so that nobody does before these people are seen;
        then the membership rows, in the order of contacts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH held AS MATERIALIZED (
                SELECT id FROM contacts_group
                WHERE account_id = %(account)s AND id = ANY(%(groups)s) ORDER BY id FOR KEY SHARE
            )
            INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at)
            SELECT %(account)s, g.id, c.id, %(moment)s
            FROM ({source}) s
            JOIN contacts_contact c ON c.account_id = %(account)s AND c.phone = s.phone
            CROSS JOIN held g
            WHERE c.deleted_at IS NULL
            ORDER BY g.id, c.id
            ON CONFLICT (group_id, contact_id) DO NOTHING
            """,
            {**params, "account": account.pk, "groups": list(group_ids), "moment": moment},
        )
        return cursor.rowcount
