"""Groups: named lists of contacts."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.errors import Invalid, NotFound
from contacts.errors import GroupNameTaken, NobodyToGroup
from contacts.models import Contact, Group, GroupMember

_NAME_LENGTH = 80


def group_create(*, account: Account, actor: User | None, name: str) -> Group:
    """Make an empty group.

    Raises:
        Invalid: no name, or one longer than 80 characters.
        GroupNameTaken: the account has a group of that name.
    """
    name = _name(name)
    try:
        with transaction.atomic():
            group = Group.objects.create(account=account, name=name, created_by=actor)
            audit_record(account=account, actor=actor, action="group.created", subject=name)
            return group
    except IntegrityError as error:
        raise GroupNameTaken(name) from error


@transaction.atomic
def group_from(
    *, account: Account, actor: User | None, name: str, contact_ids: QuerySet[Any, Any]
) -> tuple[Group, int]:
    """Make a group of the people behind a list, as they are at this moment.

    Args:
        account: Whose group.
        actor: Who makes it.
        name: Of the new group.
        contact_ids: Ids of contacts, one column, repeated or empty as they come; read by the
            database, so that a list may be of any length.

    Returns:
        The group and how many people are in it. Deleted contacts are left out; people who opted
        out are in it, and are left out again by whatever is sent to it.

    Raises:
        NobodyToGroup: nobody fits; nothing is made.
        Invalid, GroupNameTaken: the name cannot be used; nothing is made.
    """
    group = group_create(account=account, actor=actor, name=name)
    try:
        chosen, params = contact_ids.order_by().query.sql_with_params()
    except EmptyResultSet as error:
        raise NobodyToGroup from error
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at)
            SELECT %s, %s, c.id, clock_timestamp() FROM contacts_contact c
            WHERE c.account_id = %s AND c.deleted_at IS NULL AND c.id IN ({chosen})
            ORDER BY c.id
            """,
            [account.pk, group.pk, account.pk, *params],
        )
        people = cursor.rowcount
    if not people:
        raise NobodyToGroup
    return group, people


def group_rename(*, account: Account, actor: User | None, group_id: int, name: str) -> Group:
    """Give a group another name.

    Raises:
        Invalid: no name, or one longer than 80 characters.
        GroupNameTaken: the account has another group of that name.
        NotFound: no such group in the account.
    """
    name = _name(name)
    try:
        with transaction.atomic():
            group = _group_lock(account, group_id)
            old, group.name = group.name, name
            group.save(update_fields=["name"])
            audit_record(
                account=account,
                actor=actor,
                action="group.renamed",
                subject=name,
                data={"old": old},
            )
            return group
    except IntegrityError as error:
        raise GroupNameTaken(name) from error


@transaction.atomic
def group_delete(*, account: Account, actor: User | None, group_id: int) -> int:
    """Delete a group and keep its contacts; how many contacts were in it.

    Raises:
        NotFound: no such group in the account.
    """
    group = _group_lock(account, group_id)
    # Members go by one DELETE of their own: the ORM's cascade would load a million of them.
    members = GroupMember.objects.filter(group=group)
    size: int = members._raw_delete(members.db)
    audit_record(
        account=account,
        actor=actor,
        action="group.deleted",
        subject=group.name,
        data={"members": size},
    )
    group.delete()
    return size


@transaction.atomic
def group_add(
    *, account: Account, actor: User | None, group_id: int, contact_ids: Sequence[int]
) -> int:
    """Put live contacts of the account into a group; how many were not in it before.

    Raises:
        NotFound: the group or one of the contacts is not the account's; nothing is added.
    """
    group = _group_lock(account, group_id)
    wanted = set(contact_ids)
    contacts = Contact.objects.filter(account=account, pk__in=wanted, deleted_at=None)
    if contacts.count() != len(wanted):
        raise NotFound("One of these contacts does not exist. Nothing was changed.")
    before = group.members.count()
    GroupMember.objects.bulk_create(
        [GroupMember(account=account, group=group, contact_id=pk) for pk in sorted(wanted)],
        ignore_conflicts=True,
    )
    return group.members.count() - before


@transaction.atomic
def group_remove(
    *, account: Account, actor: User | None, group_id: int, contact_ids: Sequence[int]
) -> int:
    """Take contacts out of a group; how many were in it.

    Raises:
        NotFound: no such group in the account.
    """
    group = _group_lock(account, group_id)
    removed, _ = group.members.filter(contact_id__in=set(contact_ids)).delete()
    return removed


@transaction.atomic
def contact_groups_set(
    *, account: Account, actor: User | None, contact_id: int, group_ids: Sequence[int]
) -> None:
    """Make these, and no others, the groups of a live contact.

    Raises:
        NotFound: the contact or one of the groups is not the account's.
    """
    wanted = set(group_ids)
    if Group.objects.filter(account=account, pk__in=wanted).count() != len(wanted):
        raise NotFound("One of these groups does not exist. Nothing was changed.")
    if not Contact.objects.filter(account=account, pk=contact_id, deleted_at=None).exists():
        raise NotFound
    GroupMember.objects.filter(contact_id=contact_id).exclude(group_id__in=wanted).delete()
    GroupMember.objects.bulk_create(
        [GroupMember(account=account, group_id=pk, contact_id=contact_id) for pk in sorted(wanted)],
        ignore_conflicts=True,
    )


def _group_lock(account: Account, group_id: int) -> Group:
    group = (
        Group.objects.select_for_update(no_key=True).filter(account=account, pk=group_id).first()
    )
    if group is None:
        raise NotFound
    return group


def _name(name: str) -> str:
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise Invalid("Give the group a name.", fields={"name": "Give the group a name."})
    if len(name) > _NAME_LENGTH:
        sentence = f"A group's name has at most {_NAME_LENGTH} characters."
        raise Invalid(sentence, fields={"name": sentence})
    return name
