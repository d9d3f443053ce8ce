"""Creating and changing contacts, one or up to a thousand at a time.

Files of any size go through contacts.services.imports, deleting through contacts.services.deleting.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.models import Account, User
from common.clock import now
from common.errors import NotFound
from common.sql import unguessed
from contacts import fields
from contacts.choices import ConsentSource, RefusalReason
from contacts.errors import ContactInvalid, PhoneTaken, TooManyRows
from contacts.models import Contact
from contacts.selectors import erased_among
from contacts.services.deleting import contact_delete
from contacts.services.erasing import ERASED_SENTENCE, erasing_held_off
from contacts.services.groups import groups_check
from contacts.services.leaving import person_left
from contacts.services.merging import Grant, custom_fields_register, group_fill, merge
from contacts.services.own_fields import fields_read
from contacts.services.tags import tag_fill, tag_names, tags_ensure
from contacts.signals import contacts_merged

ROWS_MAX = 1000
_FIELDS = ("phone", "first_name", "last_name", "email", "timezone", "custom")
_SOURCE = """
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        phone text, first_name text, last_name text, email text, timezone text, custom jsonb,
        line_type text, region text
    )
"""


@dataclass(frozen=True)
class RowResult:
    """What became of one row: `status` is new, updated, unchanged, duplicate or refused.

    A refused row has `code` and `message` and no contact; a duplicate one has the contact of the
    later row with its phone.
    """

    status: str
    phone: str = ""
    contact_id: int | None = None
    code: str = ""
    message: str = ""


@transaction.atomic
def contact_upsert(
    *,
    account: Account,
    actor: User | None,
    phone: str,
    group_ids: Sequence[int] = (),
    tags: Sequence[str] = (),
    consent_source: ConsentSource = ConsentSource.MANUAL,
    consent_wording: str = "",
    **values: Any,
) -> Contact:
    """Add a contact, or complete the one that has this phone: blanks erase nothing.

    Args:
        account: Whose contact.
        actor: Who adds it.
        phone: As people type it; read as dialled in the account's country.
        group_ids: Groups of the account to put it into.
        tags: Names of tags to put on it.
        consent_source: Where the consent comes from, if `consent_wording` is given.
        consent_wording: How the person agreed to be texted.
        values: first_name, last_name, email, timezone, custom (a mapping).

    Raises:
        ContactInvalid: a field cannot be used.
        NotFound: a group is not the account's.
        GroupIsSmart: rules decide who is in a group.
    """
    row = {**values, "phone": phone}
    (result,) = contacts_upsert_many(
        account=account,
        actor=actor,
        rows=[row],
        group_ids=group_ids,
        tags=tags,
        consent_source=consent_source,
        consent_wording=consent_wording,
    )
    if result.status == "refused":
        raise ContactInvalid({result.code: result.message})
    return Contact.objects.get(account=account, phone=result.phone)


@transaction.atomic
def contacts_upsert_many(
    *,
    account: Account,
    actor: User | None,
    rows: Sequence[Mapping[str, Any]],
    group_ids: Sequence[int] = (),
    tags: Sequence[str] = (),
    consent_source: ConsentSource = ConsentSource.API,
    consent_wording: str = "",
    dry_run: bool = False,
) -> list[RowResult]:
    """Add or complete many contacts in eight queries; bad rows are refused one by one.

    Args:
        account: Whose contacts.
        actor: Who adds them.
        rows: At most 1,000, each with phone and any of first_name, last_name, email, timezone,
            custom. Of rows with the same phone the last one counts, the others are duplicates.
        group_ids: Groups of the account to put them into.
        tags: Names of tags to put on them; those that are new are made.
        consent_source: Where the consent comes from, if `consent_wording` is given.
        consent_wording: How these people agreed to be texted; those who opted out stay out.
        dry_run: Write nothing, only say what would become of each row.

    Returns:
        One result a row, in their order; for a refused one `code` is the field at fault. Of a dry
        run, whoever would be new has no contact.

    Raises:
        TooManyRows: more than 1,000.
        Invalid: a name cannot be a tag's.
        NotFound: a group is not the account's.
        GroupIsSmart: rules decide who is in a group.

    Locks: the account's fields and its erasures, both shared; then the contacts, in the order of
        their phones.
    """
    if len(rows) > ROWS_MAX:
        raise TooManyRows(limit=ROWS_MAX)
    erasing_held_off(account=account)
    groups_check(account, group_ids)
    tags = tag_names(tags)
    read = _read(account, [row.get("custom") for row in rows])
    rows_clean = [_clean(row, account.default_country, read) for row in rows]
    cleaned = _without_erased(account, rows_clean)
    people = {person.phone: person for person in cleaned if isinstance(person, fields.Person)}
    if not people:
        return [_result(person, {}, {}) for person in cleaned]
    keys = {key for person in people.values() for key in person.custom}
    custom_fields_register(account=account, labels={key: _label(key) for key in keys})
    params = {"rows": json.dumps([person._asdict() for person in people.values()])}
    moment = now()
    changed = merge(
        account=account,
        actor=actor,
        source=_SOURCE,
        params=params,
        grant=Grant(consent_source, consent_wording.strip()[:500]),
        moment=moment,
        answer="SELECT phone, is_new FROM merged",
    )
    if group_ids:
        group_fill(
            account=account, group_ids=group_ids, source=_SOURCE, params=params, moment=moment
        )
    if tags:
        made = tags_ensure(account=account, actor=actor, names=tags)
        tag_fill(account=account, tags=made, source=_SOURCE, params=params, moment=moment)
    found = Contact.objects.filter(account=unguessed(account.pk), phone__in=people)
    ids = dict(found.values_list("phone", "pk"))
    states = {phone: "new" if is_new else "updated" for phone, is_new in changed}
    if dry_run:
        transaction.set_rollback(True)
        ids = {phone: pk for phone, pk in ids.items() if states.get(phone) != "new"}
    counted = {id(person) for person in people.values()}
    return [_result(person, ids, states, is_counted=id(person) in counted) for person in cleaned]


@transaction.atomic
def contact_update(
    *, account: Account, actor: User | None, contact_id: int, **values: Any
) -> Contact:
    """Change exactly the given fields; an empty value erases the field.

    Args:
        account: Whose contact.
        actor: Who changes it.
        contact_id: A live contact of the account.
        values: Any of phone, first_name, last_name, email, timezone, custom (replaced whole).

    Raises:
        ContactInvalid: a field cannot be used.
        NotFound: no such live contact in the account.
        PhoneTaken: another live contact has the new phone.

    Whoever left under the old phone or the new one has left under both; that they agreed under the
    old one is no consent for the new one.

    Locks: the account's erasures and its fields, both shared; the contact, and that of a new phone.
    """
    erasing_held_off(account=account)
    # Before the contact: whoever changes a field's type holds the fields and waits for contacts.
    read = fields_read(account)
    contact = _contact_lock(account, contact_id)
    raw = {
        "phone": contact.phone,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "timezone": contact.timezone,
        "custom": contact.custom,
        **values,
    }
    person = _clean(raw, account.default_country, read)
    if isinstance(person, fields.FieldError):
        raise ContactInvalid({person.field: person.sentence})
    if person.phone != contact.phone:
        return _contact_move(account, actor, contact, person)
    custom_fields_register(account=account, labels={key: _label(key) for key in person.custom})
    # The number is the same, and so is its line, of which a carrier may have told more.
    changed = [name for name in person._fields if name != "line_type"]
    for name in changed:
        setattr(contact, name, getattr(person, name))
    contact.updated_at = now()
    contact.save(update_fields=[*changed, "updated_at"])
    return contact


def _contact_move(
    account: Account, actor: User | None, contact: Contact, person: fields.Person
) -> Contact:
    """Give a contact another phone: the row of that phone takes over fields, groups and tags.

    The old row remembers into whom it went, as a merged one does: it is the same person.
    """
    taken = Contact.objects.filter(account=account, phone=person.phone, deleted_at=None).first()
    if taken:
        raise PhoneTaken(contact_id=taken.pk)
    groups = list(contact.group_members.values_list("group_id", flat=True))
    tags = list(contact.tags.values_list("name", flat=True))
    contact_delete(account=account, actor=actor, contact_id=contact.pk)
    values = {name: getattr(person, name) for name in _FIELDS}
    moved = contact_upsert(account=account, actor=actor, group_ids=groups, tags=tags, **values)
    theirs = Q(pk=contact.pk) | Q(merged_into=contact)
    Contact.objects.filter(theirs, account=account).update(merged_into=moved)
    contacts_merged.send(sender=contact_update, account=account, kept=moved, gone=contact)
    person_left(account=account, actor=actor, contact=moved)
    moved.refresh_from_db()
    return moved


def _contact_lock(account: Account, contact_id: int) -> Contact:
    contact = (
        Contact.objects.select_for_update(no_key=True)
        .filter(account=account, pk=contact_id, deleted_at=None)
        .first()
    )
    if contact is None:
        raise NotFound
    return contact


def _read(account: Account, customs: Sequence[Any]) -> fields.CustomReader:
    """How own fields are read; their types are asked for and held only where there are values."""
    return fields_read(account) if any(customs) else fields.clean_custom_value


def _clean(
    row: Mapping[str, Any], country: str, read: fields.CustomReader
) -> fields.Person | fields.FieldError:
    unknown = next((name for name in row if name not in _FIELDS), None)
    if unknown is not None:
        sentence = f"There is no such field. There are: {', '.join(_FIELDS)}."
        return fields.FieldError(str(unknown), RefusalReason.UNREADABLE, sentence)
    try:
        return fields.clean(row, country=country, read=read)
    except fields.FieldError as error:
        return error


def _without_erased(
    account: Account, cleaned: Sequence[fields.Person | fields.FieldError]
) -> list[fields.Person | fields.FieldError]:
    """The rows of erased people refused: only they themselves come back, by a text."""
    phones = [one.phone for one in cleaned if isinstance(one, fields.Person)]
    erased = erased_among((account.pk, phone) for phone in phones)
    return [
        fields.FieldError("phone", RefusalReason.ERASED, ERASED_SENTENCE)
        if isinstance(one, fields.Person) and (account.pk, one.phone) in erased
        else one
        for one in cleaned
    ]


def _result(
    person: fields.Person | fields.FieldError,
    ids: Mapping[str, int],
    states: Mapping[str, str],
    *,
    is_counted: bool = True,
) -> RowResult:
    if isinstance(person, fields.FieldError):
        return RowResult(status="refused", code=person.field, message=person.sentence)
    phone = person.phone
    if not is_counted:
        return RowResult(
            "duplicate",
            phone=phone,
            contact_id=ids.get(phone),
            message="A later row has the same phone; that one counts.",
        )
    return RowResult(states.get(phone, "unchanged"), phone=phone, contact_id=ids.get(phone))


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()
