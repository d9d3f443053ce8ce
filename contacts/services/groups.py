"""Groups: named lists of contacts, and whom one puts into static ones."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import Invalid, NotFound
from contacts.choices import IMPORT_COMING
from contacts.errors import GroupInImport, GroupIsSmart, GroupNameTaken, NobodyToGroup
from contacts.models import Contact, ContactImport, Group, GroupMember
from contacts.rules import parse, plain
from contacts.services.merging import group_fill
from contacts.services.own_fields import fields_hold
from contacts.services.smart import group_lock, group_rules_set, named_delete, rules_read

_NAME_LENGTH = 80


def group_create(*, account: Account, actor: User | None, name: str, rules: object = None) -> Group:
    """Make an empty static group, or with `rules` (contacts.rules, as JSON) a smart one.

    Raises:
        Invalid: no name, or one longer than 80 characters.
        GroupNameTaken: the account has a group of that name.
        RulesInvalid: the rules say what cannot be said.
        RuleTargetMissing: a rule names what is not the account's.

    Locks: groups the rules name.
    """
    name = _name(name)
    try:
        with transaction.atomic():
            read = None if rules is None else rules_read(account=account, rules=rules, holds=True)
            group = Group.objects.create(
                account=account, name=name, created_by=actor, rules=read and plain(read)
            )
            audit_record(
                account=account,
                actor=actor,
                action="group.created",
                subject=name,
                data={"rules": group.rules} if read else None,
            )
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
        contact_ids: Ids of the account's contacts, one column, repeated or empty as they come;
            read by the database, so that a list may be of any length.

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
            WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at IS NULL
            ORDER BY c.id
            """,
            [account.pk, group.pk, *params],
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
            group = group_lock(account, group_id)
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
def group_change(
    *, account: Account, actor: User | None, group_id: int, name: str, rules: object
) -> Group:
    """Give a smart group a name and rules, whichever of them is new; both or neither.

    Raises:
        Invalid, GroupNameTaken: the name cannot be used.
        NotFound, GroupIsStatic, RulesInvalid, RuleTargetMissing: as `group_rules_set`.

    Locks: as `group_rules_set`.
    """
    fields_hold(account)
    group = group_lock(account, group_id)
    if name != group.name:
        group = group_rename(account=account, actor=actor, group_id=group_id, name=name)
    if plain(parse(rules)) != group.rules:
        group = group_rules_set(account=account, actor=actor, group_id=group_id, rules=rules)
    return group


@transaction.atomic
def group_delete(*, account: Account, actor: User | None, group_id: int) -> int:
    """Delete a group and keep its contacts; how many contacts were in it.

    Raises:
        NotFound: no such group in the account.
        GroupInRules: a smart group's rules ask who is in it.
        GroupInImport: an import into it waits, for a person or a worker, or runs.

    Locks: imports into it, by id; then the group.
    """
    into = ContactImport.objects.filter(account=account, group=group_id)
    # Who starts one holds the group meanwhile. What runs may hold its own row for long.
    coming = into.filter(status__in=IMPORT_COMING)
    if not coming.exists():
        list(into.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    group = group_lock(account, group_id, no_key=False)
    if coming.exists():
        raise GroupInImport(group.name)
    return named_delete(group, actor=actor)


@transaction.atomic
def group_add(
    *, account: Account, actor: User | None, group_id: int, contact_ids: Sequence[int]
) -> int:
    """Put live contacts of the account into a group; how many were not in it before.

    Raises:
        NotFound: the group or one of the contacts is not the account's; nothing is added.
        GroupIsSmart: rules decide who is in it.
    """
    group = _static_lock(account, group_id)
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
        GroupIsSmart: rules decide who is in it.
    """
    group = _static_lock(account, group_id)
    removed, _ = group.members.filter(contact_id__in=set(contact_ids)).delete()
    return removed


@transaction.atomic
def contact_groups_set(
    *, account: Account, actor: User | None, contact_id: int, group_ids: Sequence[int]
) -> None:
    """Make these, and no others, the static groups of a live contact.

    Raises:
        NotFound: the contact or one of the groups is not the account's.
        GroupIsSmart: rules decide who is in one of them.

    Locks: the groups, against deleting alone.
    """
    wanted = set(group_ids)
    groups_check(account, group_ids)
    if not Contact.objects.filter(account=account, pk=contact_id, deleted_at=None).exists():
        raise NotFound
    GroupMember.objects.filter(contact_id=contact_id).exclude(group_id__in=wanted).delete()
    group_fill(
        account=account,
        group_ids=list(wanted),
        source="SELECT phone FROM contacts_contact WHERE id = %(contact)s",
        params={"contact": contact_id},
        moment=now(),
    )


def groups_check(account: Account, group_ids: Sequence[int]) -> None:
    """See that people can be put into all of these groups.

    Raises:
        NotFound: one of them is not the account's.
        GroupIsSmart: rules decide who is in one of them.
    """
    wanted = set(group_ids)
    groups = list(Group.objects.filter(account=account, pk__in=wanted)) if wanted else []
    if len(groups) != len(wanted):
        raise NotFound("One of these groups does not exist. Nothing was changed.")
    for group in groups:
        if group.is_smart:
            raise GroupIsSmart(group.name)


def _static_lock(account: Account, group_id: int) -> Group:
    group = group_lock(account, group_id)
    if group.is_smart:
        raise GroupIsSmart(group.name)
    return group


def _name(name: str) -> str:
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise Invalid("Give the group a name.", fields={"name": "Give the group a name."})
    if len(name) > _NAME_LENGTH:
        sentence = f"A group's name has at most {_NAME_LENGTH} characters."
        raise Invalid(sentence, fields={"name": sentence})
    return name
