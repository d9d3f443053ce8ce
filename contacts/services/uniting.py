"""Merging two contacts that are one person: one stays, the other goes into it.

Owns what becomes of both. Texts, conversations and consent stay under the number they were about,
so no figure of a report moves and every proof stays what it was; only whose texts they are follows
the person (`contacts_merged`). Two lists that name the same number are contacts.services.merging.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import Invalid, NotFound
from contacts.fields import CUSTOM_PREFIX
from contacts.models import Contact, ContactTag, GroupMember
from contacts.services.leaving import person_left
from contacts.signals import contacts_merged

OWN_FIELDS = ("first_name", "last_name", "email", "timezone")


@transaction.atomic
def contacts_unite(
    *,
    account: Account,
    actor: User | None,
    contact_id: int,
    other_id: int,
    take: Collection[str] = (),
) -> Contact:
    """Merge one contact into another. It cannot be undone.

    The survivor keeps its number and its values but for those in `take`, and joins the other's
    groups. Of consent the stricter word wins: whoever left under one of the person's numbers has
    left under all, but for a number whose own text brought it back since. That they agreed under
    the other number is no consent for this one.

    Args:
        account: The tenant.
        actor: Who decides that they are one person.
        contact_id: Who stays.
        other_id: Who goes into it, and is deleted.
        take: Fields whose value is the other's: OWN_FIELDS, or ``custom.<key>``.

    Raises:
        NotFound: one of them is not a live contact of the account.
        Invalid: they are the same contact, or `take` names no field.

    Locks: both contacts and those merged into them before, in the order of their phones; then the
        other's groups and tags, against deleting alone; memberships, opt-outs, texts.
    Side effects: signal `contacts_merged`; an audit event.
    """
    if contact_id == other_id:
        raise Invalid("Choose another contact: this one is the same. Nothing was changed.")
    both = (contact_id, other_id)
    locked = Contact.objects.select_for_update(no_key=True).filter(
        Q(pk__in=both) | Q(merged_into__in=both), account=account
    )
    found = {
        one.pk: one for one in locked.order_by("phone") if one.pk in both and not one.deleted_at
    }
    if len(found) != 2:
        raise NotFound
    contact, other = found[contact_id], found[other_id]
    _values_take(contact, other, take)
    moment = now()
    _groups_unite(contact, other, moment)
    _tags_unite(contact, other, moment)
    contact.updated_at = moment
    contact.save(update_fields=[*OWN_FIELDS, "custom", "updated_at"])
    Contact.objects.filter(merged_into=other).update(merged_into=contact)
    Contact.objects.filter(pk=other.pk).update(
        deleted_at=moment, updated_at=moment, merged_into=contact
    )
    person_left(account=account, actor=actor, contact=contact)
    contacts_merged.send(sender=contacts_unite, account=account, kept=contact, gone=other)
    audit_record(
        account=account,
        actor=actor,
        action="contact.merged",
        subject=contact.phone,
        data={"contact": contact.pk, "other": other.pk, "taken": sorted(take)},
    )
    contact.refresh_from_db()
    return contact


def _values_take(contact: Contact, other: Contact, take: Collection[str]) -> None:
    for name in take:
        key = name.removeprefix(CUSTOM_PREFIX)
        if name in OWN_FIELDS:
            setattr(contact, name, getattr(other, name))
        elif key != name and key in other.custom:
            contact.custom = {**contact.custom, key: other.custom[key]}
        elif key != name and key in contact.custom:
            contact.custom = {own: value for own, value in contact.custom.items() if own != key}
        else:
            raise Invalid(f"There is no field “{name}”. Nothing was changed.")


def _groups_unite(contact: Contact, other: Contact, moment: datetime) -> None:
    """As of now: what an import or its undoing did to the other is no longer the survivor's."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at)
            SELECT o.account_id, l.id, %s, %s
            FROM contacts_groupmember o JOIN contacts_group l ON l.id = o.group_id
            WHERE o.contact_id = %s ORDER BY l.id FOR KEY SHARE OF l
            ON CONFLICT (group_id, contact_id) DO NOTHING
            """,
            [contact.pk, moment, other.pk],
        )
    GroupMember.objects.filter(contact=other).delete()


def _tags_unite(contact: Contact, other: Contact, moment: datetime) -> None:
    """As of now, as `_groups_unite`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_contacttag (account_id, tag_id, contact_id, added_at)
            SELECT o.account_id, l.id, %s, %s
            FROM contacts_contacttag o JOIN contacts_tag l ON l.id = o.tag_id
            WHERE o.contact_id = %s ORDER BY l.id FOR KEY SHARE OF l
            ON CONFLICT (tag_id, contact_id) DO NOTHING
            """,
            [contact.pk, moment, other.pk],
        )
    ContactTag.objects.filter(contact=other).delete()
