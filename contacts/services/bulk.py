"""One change to many contacts: whoever was ticked in a list, or everybody whom the list fits.

People are given as a queryset that is compiled into the one statement of each change, so that they
may be any number and nobody is loaded. Each change leaves one audit row with how many it reached.
"""

from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.errors import NotFound
from contacts.errors import ContactInvalid, GroupIsSmart
from contacts.fields import FieldError, clean_timezone
from contacts.models import Contact, CustomField, Tag
from contacts.services.chosen import run_on
from contacts.services.own_fields import fields_read
from contacts.services.smart import group_lock
from contacts.services.tags import tags_ensure

_PUT: Final = """
    WITH put AS (
        INSERT INTO {table} (account_id, {column}, contact_id, added_at)
        SELECT %(account)s, g.id, c.id, %(moment)s
        FROM contacts_contact c CROSS JOIN unnest(%(ids)s::bigint[]) g (id)
        WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at IS NULL
        ORDER BY g.id, c.id
        ON CONFLICT ({column}, contact_id) DO NOTHING
        RETURNING contact_id
    )
    SELECT count(DISTINCT contact_id) FROM put
"""
_TAKE: Final = """
    WITH taken AS (
        DELETE FROM {table} m
        WHERE m.{column} = ANY (%(ids)s) AND m.contact_id = ANY (ARRAY({chosen}))
        RETURNING m.contact_id
    )
    SELECT count(DISTINCT contact_id) FROM taken
"""
# Contacts that are written are locked in the order of phones, as merges do.
_SET: Final = """
    WITH held AS (
        SELECT c.id FROM contacts_contact c
        WHERE c.id = ANY (ARRAY({chosen})) AND c.deleted_at IS NULL AND {where}
        ORDER BY c.phone FOR NO KEY UPDATE
    ), written AS (
        UPDATE contacts_contact c SET {value}, updated_at = %(moment)s
        FROM held h WHERE c.id = h.id
        RETURNING c.id
    )
    SELECT count(*) FROM written
"""
_GROUPS: Final = ("contacts_groupmember", "group_id")
_TAGS: Final = ("contacts_contacttag", "tag_id")


@transaction.atomic
def contacts_tag(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], names: Iterable[str]
) -> int:
    """Put tags on people; how many lacked one of them.

    Raises:
        Invalid: a name cannot be a tag's.

    Locks: the rows of tags, in the order of contacts.
    """
    tags = tags_ensure(account=account, actor=actor, names=names)
    people = _run(_PUT, account, contacts, _TAGS, [tag.pk for tag in tags])
    _audit(account, actor, "contacts.tagged", ", ".join(tag.name for tag in tags), people)
    return people


@transaction.atomic
def contacts_untag(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], tag_id: int
) -> int:
    """Take a tag off people; how many had it.

    Raises:
        NotFound: no such tag in the account.
    """
    tag = Tag.objects.filter(account=account, pk=tag_id).first()
    if tag is None:
        raise NotFound
    people = _run(_TAKE, account, contacts, _TAGS, [tag.pk])
    _audit(account, actor, "contacts.untagged", tag.name, people)
    return people


@transaction.atomic
def contacts_group(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], group_id: int
) -> int:
    """Put people into a group; how many were not in it.

    Raises:
        NotFound: no such group in the account.
        GroupIsSmart: rules decide who is in it.

    Locks: the group, then its members, in the order of contacts.
    """
    return _regroup(account, actor, contacts, group_id, _PUT, "contacts.grouped")


@transaction.atomic
def contacts_ungroup(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], group_id: int
) -> int:
    """Take people out of a group; how many were in it.

    Raises:
        NotFound, GroupIsSmart: as `contacts_group`.

    Locks: the group.
    """
    return _regroup(account, actor, contacts, group_id, _TAKE, "contacts.ungrouped")


@transaction.atomic
def contacts_field_set(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], key: str, value: str
) -> int:
    """Give people a value in a field of the account's own; a blank one erases. How many changed.

    Raises:
        ContactInvalid: the value does not fit the field.
        NotFound: no such field in the account.

    Locks: the account's fields, shared; the contacts, in the order of phones.
    """
    read = fields_read(account)
    field = CustomField.objects.filter(account=account, key=key).first()
    if field is None:
        raise NotFound
    try:
        kept = read(key, value)
    except FieldError as error:
        raise ContactInvalid({"value": error.sentence}) from error
    if kept:
        put = "custom = jsonb_set(c.custom, ARRAY[%(key)s], to_jsonb(%(value)s::text))"
        where = "c.custom ->> %(key)s IS DISTINCT FROM %(value)s"
    else:
        put, where = "custom = c.custom - %(key)s", "c.custom ? %(key)s"
    people = run_on(
        _SET,
        contacts.filter(deleted_at=None),
        account=account,
        params={"key": key, "value": kept},
        value=put,
        where=where,
    )
    _audit(account, actor, "contacts.field_set", field.label, people, value=kept)
    return people


@transaction.atomic
def contacts_timezone_set(
    *, account: Account, actor: User | None, contacts: QuerySet[Contact], timezone: str
) -> int:
    """Set people's time zone; a blank one leaves it to their numbers. How many changed.

    Raises:
        ContactInvalid: no such zone.

    Locks: the contacts, in the order of phones.
    """
    try:
        kept = clean_timezone(timezone)
    except FieldError as error:
        raise ContactInvalid({"zone": error.sentence}) from error
    people = run_on(
        _SET,
        contacts.filter(deleted_at=None),
        account=account,
        params={"value": kept},
        value="timezone = %(value)s",
        where="c.timezone <> %(value)s",
    )
    _audit(account, actor, "contacts.timezone_set", kept, people)
    return people


def _regroup(
    account: Account,
    actor: User | None,
    contacts: QuerySet[Contact],
    group_id: int,
    statement: str,
    action: str,
) -> int:
    group = group_lock(account, group_id)
    if group.is_smart:
        raise GroupIsSmart(group.name)
    people = _run(statement, account, contacts, _GROUPS, [group.pk])
    _audit(account, actor, action, group.name, people)
    return people


def _run(
    statement: str,
    account: Account,
    contacts: QuerySet[Contact],
    listed: tuple[str, str],
    ids: list[int],
) -> int:
    table, column = listed
    live = contacts.filter(deleted_at=None)
    return run_on(statement, live, account=account, params={"ids": ids}, table=table, column=column)


def _audit(
    account: Account, actor: User | None, action: str, subject: str, people: int, **more: str
) -> None:
    audit_record(
        account=account,
        actor=actor,
        action=action,
        subject=subject,
        data={"people": people, **more},
    )
