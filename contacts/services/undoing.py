"""Undoing a whole import: whom it brought goes, what it changed is put back, all or nothing.

Whoever was edited, texted, heard from, tagged or put into a group since is left alone, and so is
every opt-out. The consent that came with the import is taken back by an event of its own. What a
merge keeps for this is ImportChange (contacts.services.merging).
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.jobs import enqueue
from contacts.choices import IMPORT_OVER, ConsentKind, ConsentSource, ImportPurpose, ImportStatus
from contacts.errors import GroupInRules, ImportNotOpen
from contacts.models import ContactImport, Group, ImportChange
from contacts.services.smart import named_delete
from contacts.services.uploads import import_lock
from contacts.signals import phones_in_use

UNDO_DAYS = 30
HINT_LOST_AFTER = timedelta(seconds=10)
# People that are as the import left them; whoever was changed since has a newer `updated_at`.
_UNTOUCHED = """
    CREATE TEMPORARY TABLE import_undo ON COMMIT DROP AS
    SELECT h.contact_id, c.phone, h.before, h.granted,
        h.before IS NULL OR h.before->>'deleted_at' IS NOT NULL AS is_new
    FROM contacts_importchange h
    JOIN contacts_contact c ON c.id = h.contact_id
    WHERE h.contact_import_id = %(import)s
        AND c.updated_at = %(merged_at)s AND c.deleted_at IS NULL
    ORDER BY c.phone
    FOR NO KEY UPDATE OF c
"""
# OFFSET 0: looked up by phone, not joined. The planner thinks of no events since that moment.
_HEARD_FROM = """
    DELETE FROM import_undo u WHERE EXISTS (
        SELECT FROM contacts_consentevent e
        WHERE e.account_id = (SELECT %(account)s) AND e.phone = u.phone AND e.at >= %(merged_at)s
            AND e.import_id IS DISTINCT FROM %(import)s
        OFFSET 0
    )
"""
_LISTED = """
    DELETE FROM import_undo u WHERE EXISTS (
        SELECT FROM contacts_groupmember m
        WHERE m.contact_id = u.contact_id AND m.added_at > %(merged_at)s
    ) OR EXISTS (
        SELECT FROM contacts_contacttag t
        WHERE t.contact_id = u.contact_id AND t.added_at > %(merged_at)s
    )
"""
_VOID = """
    INSERT INTO contacts_consentevent (
        account_id, phone, kind, source, wording, import_id, actor_id, at
    )
    SELECT %(account)s, u.phone, %(kind)s, %(source)s, %(wording)s, %(import)s, %(actor)s, %(now)s
    FROM import_undo u
    JOIN contacts_contact c ON c.id = u.contact_id
    WHERE u.granted AND c.consent = 'opted_in' AND c.consent_at = %(merged_at)s
"""
# The contact's word on consent is taken back only where it is still the import's own.
_CONSENT = """
    consent = CASE WHEN u.granted AND c.consent_at = %(merged_at)s AND c.consent = 'opted_in'
        THEN 'unknown' ELSE c.consent END,
    consent_at = CASE WHEN u.granted AND c.consent_at = %(merged_at)s AND c.consent = 'opted_in'
        THEN NULL ELSE c.consent_at END
"""
_REMOVE = f"""
    UPDATE contacts_contact c SET {_CONSENT}, deleted_at = %(now)s, updated_at = %(now)s
    FROM import_undo u
    WHERE c.id = u.contact_id AND u.before IS NULL
"""
# Whom a contact had been merged into may have been merged into somebody else since.
_RESTORE = f"""
    UPDATE contacts_contact c SET {_CONSENT},
        first_name = u.before->>'first_name',
        last_name = u.before->>'last_name',
        email = u.before->>'email',
        timezone = u.before->>'timezone',
        custom = u.before->'custom',
        line_type = u.before->>'line_type',
        region = u.before->>'region',
        created_at = (u.before->>'created_at')::timestamptz,
        updated_at = (u.before->>'updated_at')::timestamptz,
        deleted_at = (u.before->>'deleted_at')::timestamptz,
        was_in = nullif(u.before->'was_in', 'null'),
        merged_into_id = (
            SELECT coalesce(s.merged_into_id, s.id) FROM contacts_contact s
            WHERE s.id = (u.before->>'merged_into_id')::bigint
        )
    FROM import_undo u
    WHERE c.id = u.contact_id AND u.before IS NOT NULL
"""
# Indexed: the planner may think that next to nobody was put anywhere at that moment, and then it
# would go through all of these for each who was.
_LEFT = (
    "CREATE INDEX ON import_undo (contact_id)",
    """
    CREATE TEMPORARY TABLE import_left ON COMMIT DROP AS
    SELECT h.contact_id FROM contacts_importchange h
    WHERE h.contact_import_id = %(import)s
        AND NOT EXISTS (SELECT FROM import_undo u WHERE u.contact_id = h.contact_id)
    """,
    "CREATE INDEX ON import_left (contact_id)",
    "ANALYZE import_left",
)
# The import's own memberships and tags carry its moment; those of people who are left alone stay.
_NOT_LEFT = """
    m.added_at = %(merged_at)s
        AND NOT EXISTS (SELECT FROM import_left l WHERE l.contact_id = m.contact_id)
"""
_LEAVE_GROUP = f"""
    DELETE FROM contacts_groupmember m WHERE m.group_id = %(group)s AND {_NOT_LEFT}
"""
_TAKE_TAGS = f"""
    DELETE FROM contacts_contacttag m
    WHERE m.tag_id IN (SELECT t.id FROM contacts_tag t WHERE t.account_id = %(account)s)
        AND {_NOT_LEFT}
"""


@transaction.atomic
def import_undo(*, account: Account, actor: User | None, import_id: int) -> ContactImport:
    """Have a finished import undone by a worker.

    Imports are undone newest first: a newer one may have found people unchanged that this one
    brought, which leaves no trace to go by.

    Raises:
        ImportNotOpen: not finished, an opt-out list, older than 30 days, undone already, or not the
            newest one.
        NotFound: no such import in the account.

    Side effects: enqueues contacts.import_undo; an audit event.
    """
    contact_import = import_lock(account, import_id, ImportStatus.DONE)
    if contact_import.is_opt_out_list:
        raise ImportNotOpen(
            "Opt-outs stay. If a number is on this list by mistake, open its contact and put an"
            " opt-in on record, with how the person agreed."
        )
    if contact_import.merged_at is None:
        raise ImportNotOpen(f"An import can be undone for {UNDO_DAYS} days. This one is older.")
    newer = _newer(contact_import)
    if newer is not None:
        raise ImportNotOpen(
            f"“{newer.filename}” was imported later. Undo that one first, then this one."
        )
    contact_import.status = ImportStatus.UNDOING
    contact_import.heartbeat_at = now()
    contact_import.undone_by = actor
    contact_import.save(update_fields=["status", "heartbeat_at", "undone_by"])
    audit_record(
        account=account,
        actor=actor,
        action="import.undo_started",
        subject=contact_import.filename,
        data={"import": contact_import.pk},
    )
    enqueue("contacts.import_undo", contact_import.pk)
    return contact_import


@transaction.atomic
def import_undo_run(import_id: int) -> None:
    """Undo an import that a person wants undone. Safe to call at any time and many times.

    Locks: the import's row, then the contacts in the order of phones, then its group.
    Side effects: contacts, members, consent events, an audit event; the changes kept are forgotten,
        and so is the group that it had made, where it is left empty.
    """
    contact_import = (
        ContactImport.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("account", "undone_by")
        .filter(pk=import_id, status=ImportStatus.UNDOING)
        .first()
    )
    if contact_import is None or contact_import.merged_at is None:
        return
    if _newer(contact_import):
        # Another import was written while this one waited.
        contact_import.status = ImportStatus.DONE
        contact_import.save(update_fields=["status"])
        return
    moment = now()
    params: dict[str, Any] = {
        "account": contact_import.account_id,
        "import": contact_import.pk,
        "group": contact_import.group_id,
        "merged_at": contact_import.merged_at,
        "now": moment,
        "actor": contact_import.undone_by_id,
        "kind": ConsentKind.UNDO,
        "source": ConsentSource.IMPORT,
        "wording": f"The import of {contact_import.filename} was undone.",
    }
    changes = ImportChange.objects.filter(contact_import=contact_import)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(_UNTOUCHED, params)
        cursor.execute("ANALYZE import_undo")
        cursor.execute(_HEARD_FROM, params)
        cursor.execute(_LISTED, params)
    _leave_those_in_use(contact_import.account, contact_import.merged_at)
    with connection.cursor() as cursor:
        taken_back = [_VOID, _LEAVE_GROUP, *([_TAKE_TAGS] if contact_import.tags else [])]
        for statement in (*_LEFT, *taken_back, _REMOVE, _RESTORE):
            cursor.execute(statement, params)
        cursor.execute("SELECT count(*) FILTER (WHERE is_new), count(*) FROM import_undo")
        removed, undone = cursor.fetchone()
        cursor.execute("DROP TABLE import_undo, import_left")
    _group_end(contact_import)
    contact_import.people_removed = removed
    contact_import.people_restored = undone - removed
    contact_import.people_left = changes._raw_delete(changes.db) - undone
    contact_import.status = ImportStatus.UNDONE
    contact_import.undone_at = moment
    contact_import.save(
        update_fields=["people_removed", "people_restored", "people_left", "status", "undone_at"]
    )
    audit_record(
        account=contact_import.account,
        actor=contact_import.undone_by,
        action="import.undone",
        subject=contact_import.filename,
        data={"import": contact_import.pk, "removed": removed, "restored": undone - removed},
    )


def undo_sweep() -> list[int]:
    """Hint again at undoings whose hint or worker was lost; forget what is too old to be undone.

    Returns:
        Ids of the imports that were hinted at.
    """
    _forget()
    lost = ContactImport.objects.filter(
        status=ImportStatus.UNDOING, heartbeat_at__lt=Now() - HINT_LOST_AFTER
    )
    with transaction.atomic():
        ids = list(
            lost.select_for_update(no_key=True, skip_locked=True)
            .order_by("pk")
            .values_list("pk", flat=True)[:100]
        )
    for import_id in ids:
        enqueue("contacts.import_undo", import_id)
    return ids


def is_undoable(contact_import: ContactImport) -> bool:
    """Whether `import_undo` would take it at this moment. One query at most."""
    return (
        contact_import.status == ImportStatus.DONE
        and contact_import.merged_at is not None
        and not contact_import.is_opt_out_list
        and _newer(contact_import) is None
    )


def _newer(contact_import: ContactImport) -> ContactImport | None:
    """An import of contacts that was written, or is about to be, after this one."""
    newer = ContactImport.objects.filter(
        account_id=contact_import.account_id,
        purpose=ImportPurpose.CONTACTS,
        status__in=(ImportStatus.DONE, ImportStatus.UNDOING),
        merged_at__gt=contact_import.merged_at,
    )
    return newer.order_by("-merged_at").first()


def _leave_those_in_use(account: Account, since: datetime) -> None:
    answers: list[tuple[Any, Any]] = phones_in_use.send(
        sender=import_undo_run, account=account, since=since
    )
    for _, phones in answers:
        sql, params = phones.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM import_undo WHERE phone IN ({sql})", params)


def _group_end(contact_import: ContactImport) -> None:
    """The group that the import made goes with its people, unless anything else names it by now.

    That is: somebody is in it, a list is on its way into it, or a rule, a blast or a way to join
    asks for it.
    """
    if not contact_import.has_made_group or contact_import.group_id is None:
        return
    group = Group.objects.select_for_update().get(pk=contact_import.group_id)
    coming = ContactImport.objects.exclude(Q(pk=contact_import.pk) | Q(status__in=IMPORT_OVER))
    for relation in Group._meta.related_objects:
        model = relation.related_model
        rows = coming if model is ContactImport else model._base_manager.all()
        if rows.filter(**{relation.field.name: group}).exists():
            return
    with suppress(GroupInRules):
        named_delete(group, actor=contact_import.undone_by)


@transaction.atomic
def _forget() -> None:
    """What was kept to undo imports is deleted after 30 days, an import at a time."""
    old = (
        ContactImport.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(status=ImportStatus.DONE, merged_at__lt=now() - timedelta(days=UNDO_DAYS))
        .order_by("pk")
        .first()
    )
    if old is not None:
        changes = ImportChange.objects.filter(contact_import=old)
        changes._raw_delete(changes.db)
        old.merged_at = None
        old.save(update_fields=["merged_at"])
