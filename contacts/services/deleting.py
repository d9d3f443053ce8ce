"""Deleting contacts and bringing them back, one or many: the same two statements.

Owns what a deleted contact remembers: its fields stay in its row, and the groups and tags that it
leaves are written there too (`Contact.was_in`). Opt-outs and the history of consent are kept by
number and know nothing of this.
"""

from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.errors import NotFound
from contacts.models import Contact
from contacts.selectors import contacts_deleted
from contacts.services.chosen import run_on

# In the order of phones, as merges do. A statement of its own: what waits here for a merge goes on
# with what it saw before, and would not see where the merge put them.
_HOLD: Final = """
    WITH held AS (
        SELECT c.id FROM contacts_contact c
        WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at IS NULL
        ORDER BY c.phone FOR NO KEY UPDATE
    )
    SELECT count(*) FROM held
"""
_DELETE: Final = """
    WITH held AS (
        SELECT c.id FROM contacts_contact c
        WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at IS NULL
        ORDER BY c.phone FOR NO KEY UPDATE
    ), gone AS (
        UPDATE contacts_contact c SET deleted_at = %(moment)s, updated_at = %(moment)s,
            was_in = jsonb_build_object(
                'groups', ARRAY(
                    SELECT m.group_id FROM contacts_groupmember m WHERE m.contact_id = c.id
                ),
                'tags', ARRAY(SELECT t.tag_id FROM contacts_contacttag t WHERE t.contact_id = c.id)
            )
        FROM held h WHERE c.id = h.id
        RETURNING c.id
    ), ungrouped AS (
        DELETE FROM contacts_groupmember m USING gone g WHERE m.contact_id = g.id
    ), untagged AS (
        DELETE FROM contacts_contacttag t USING gone g WHERE t.contact_id = g.id
    )
    SELECT count(*) FROM gone
"""
# Conditions stand at `c` as `contacts_deleted` has them: only there are they asked again of whoever
# was erased or merged while this waited. A group or tag that was deleted is left out, also one that
# is being deleted just now: whoever deletes holds it, so that this waits.
_RESTORE: Final = """
    WITH held AS (
        SELECT c.id FROM contacts_contact c
        WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at > c.created_at
            AND c.merged_into_id IS NULL
        ORDER BY c.phone FOR NO KEY UPDATE
    ), back AS (
        UPDATE contacts_contact c SET deleted_at = NULL, updated_at = %(moment)s, was_in = NULL
        FROM held h WHERE c.id = h.id
        RETURNING c.id, old.was_in
    ), grouped AS (
        INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at)
        SELECT %(account)s, g.id, b.id, %(moment)s
        FROM back b CROSS JOIN jsonb_array_elements_text(b.was_in->'groups') was (id)
        JOIN contacts_group g ON g.id = was.id::bigint
        WHERE g.account_id = %(account)s AND g.rules IS NULL
        ORDER BY g.id, b.id FOR SHARE OF g
        ON CONFLICT (group_id, contact_id) DO NOTHING
    ), tagged AS (
        INSERT INTO contacts_contacttag (account_id, tag_id, contact_id, added_at)
        SELECT %(account)s, t.id, b.id, %(moment)s
        FROM back b CROSS JOIN jsonb_array_elements_text(b.was_in->'tags') was (id)
        JOIN contacts_tag t ON t.id = was.id::bigint
        WHERE t.account_id = %(account)s
        ORDER BY t.id, b.id FOR SHARE OF t
        ON CONFLICT (tag_id, contact_id) DO NOTHING
    )
    SELECT count(*) FROM back
"""


@transaction.atomic
def contact_delete(*, account: Account, actor: User | None, contact_id: int) -> None:
    """Take a contact out of lists, groups and tags. Its opt-out and history of consent stay.

    `contact_restore` brings it back as it was; adding the phone again, as a new contact.

    Raises:
        NotFound: no such live contact in the account.

    Locks: the contact.
    """
    found = Contact.objects.filter(account=account, pk=contact_id, deleted_at=None)
    phone = found.values_list("phone", flat=True).first()
    if phone is None or not _delete(account, found):
        raise NotFound
    audit_record(account=account, actor=actor, action="contact.deleted", subject=phone)


@transaction.atomic
def contacts_delete(*, account: Account, actor: User | None, contacts: QuerySet[Contact]) -> int:
    """Delete people as `contact_delete` does one. How many.

    Locks: the contacts, in the order of phones.
    """
    people = _delete(account, contacts.filter(deleted_at=None))
    audit_record(account=account, actor=actor, action="contacts.deleted", data={"people": people})
    return people


@transaction.atomic
def contact_restore(*, account: Account, actor: User | None, contact_id: int) -> Contact:
    """Bring a deleted contact back as it was, with its groups and tags that are still there.

    Of whom the undo of an import removed none are kept. Its word on consent is the one of now:
    whoever opted out meanwhile stays out.

    Raises:
        NotFound: no such deleted contact in the account.

    Locks: the contact; then the groups and tags, against their being deleted.
    """
    found = contacts_deleted(account=account).filter(pk=contact_id)
    if not run_on(_RESTORE, found, account=account):
        raise NotFound
    contact = Contact.objects.get(pk=contact_id)
    audit_record(account=account, actor=actor, action="contact.restored", subject=contact.phone)
    return contact


@transaction.atomic
def contacts_restore(*, account: Account, actor: User | None, contacts: QuerySet[Contact]) -> int:
    """Bring deleted people back as `contact_restore` does one; others are left alone. How many.

    Locks: as `contact_restore`, the contacts in the order of phones.
    """
    people = run_on(_RESTORE, contacts, account=account)
    audit_record(account=account, actor=actor, action="contacts.restored", data={"people": people})
    return people


def _delete(account: Account, contacts: QuerySet[Contact]) -> int:
    run_on(_HOLD, contacts, account=account)
    return run_on(_DELETE, contacts, account=account)
