"""One change to many contacts: whoever was ticked in a list, or everybody whom the list fits.

People are given as a queryset that is compiled into the one statement of each change, so that they
may be any number and nobody is loaded. Each change leaves one audit row with how many it reached.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from contacts.errors import ContactInvalid, GroupIsSmart
from contacts.fields import FieldError
from contacts.models import Contact, CustomField, Tag
from contacts.services.own_fields import fields_read
from contacts.services.smart import group_lock
from contacts.services.tags import tags_ensure

# Contacts that are written are locked in the order of phones, as merges do.
_HELD: Final = """
    SELECT c.id FROM contacts_contact c
    WHERE c.account_id = %(account)s AND c.deleted_at IS NULL AND c.id IN ({chosen}) {more}
    ORDER BY c.phone FOR NO KEY UPDATE
"""
_PUT: Final = """
    WITH put AS (
        INSERT INTO {table} (account_id, {column}, contact_id, added_at)
        SELECT %(account)s, g.id, c.id, %(moment)s
        FROM contacts_contact c CROSS JOIN unnest(%(ids)s::bigint[]) g (id)
        WHERE c.account_id = %(account)s AND c.deleted_at IS NULL AND c.id IN ({chosen})
        ORDER BY g.id, c.id
        ON CONFLICT ({column}, contact_id) DO NOTHING
        RETURNING contact_id
    )
    SELECT count(DISTINCT contact_id) FROM put
"""
_TAKE: Final = """
    WITH taken AS (
        DELETE FROM {table} m WHERE m.{column} = ANY(%(ids)s) AND m.contact_id IN ({chosen})
        RETURNING m.contact_id
    )
    SELECT count(DISTINCT contact_id) FROM taken
"""
_SET: Final = """
    WITH held AS ({held}), written AS (
        UPDATE contacts_contact c SET custom = {custom}, updated_at = %(moment)s
        FROM held h WHERE c.id = h.id
        RETURNING c.id
    )
    SELECT count(*) FROM written
"""
_DELETE: Final = """
    WITH held AS ({held}), gone AS (
        UPDATE contacts_contact c SET deleted_at = %(moment)s, updated_at = %(moment)s
        FROM held h WHERE c.id = h.id
        RETURNING c.id
    ), ungrouped AS (
        DELETE FROM contacts_groupmember m USING gone g WHERE m.contact_id = g.id
    ), untagged AS (
        DELETE FROM contacts_contacttag t USING gone g WHERE t.contact_id = g.id
    )
    SELECT count(*) FROM gone
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
        custom = "jsonb_set(c.custom, ARRAY[%(key)s], to_jsonb(%(value)s::text))"
        more = "AND c.custom ->> %(key)s IS DISTINCT FROM %(value)s"
    else:
        custom, more = "c.custom - %(key)s", "AND c.custom ? %(key)s"
    people = _change(_SET, account, contacts, more, {"key": key, "value": kept}, custom=custom)
    _audit(account, actor, "contacts.field_set", field.label, people, value=kept)
    return people


@transaction.atomic
def contacts_delete(*, account: Account, actor: User | None, contacts: QuerySet[Contact]) -> int:
    """Delete people as `contact_delete` does one: opt-outs and history stay. How many.

    Locks: the contacts, in the order of phones.
    """
    people = _change(_DELETE, account, contacts, "", {})
    _audit(account, actor, "contacts.deleted", "", people)
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
    parts = {"table": table, "column": column}
    return _execute(statement, account, contacts, parts, {"ids": ids})


def _change(
    statement: str,
    account: Account,
    contacts: QuerySet[Contact],
    more: str,
    params: Mapping[str, Any],
    **parts: str,
) -> int:
    held = _HELD.replace("{more}", more)
    return _execute(statement.replace("{held}", held), account, contacts, parts, params)


def _execute(
    statement: str,
    account: Account,
    contacts: QuerySet[Contact],
    parts: Mapping[str, str],
    params: Mapping[str, Any],
) -> int:
    """Run a statement that counts people; `chosen` in it becomes the account's own contacts."""
    own = contacts.filter(account=account, deleted_at=None)
    try:
        chosen, chosen_params = own.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    # The query's own parameters go by place, ours by name; theirs get names too.
    theirs = {f"chosen_{n}": param for n, param in enumerate(chosen_params)}
    named = chosen.replace("%%", "%%%%") % tuple(f"%({name})s" for name in theirs)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(chosen=named, **parts),
            {**params, **theirs, "account": account.pk, "moment": now()},
        )
        (people,) = cursor.fetchone()
    return int(people)


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
