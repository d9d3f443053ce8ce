"""Tags: words that an account puts on its contacts, a few or all of a list at once.

A tag is made by its first use. Names are trimmed; upper and lower case are the same word, spelled
as it was first written. Whoever puts one on holds it against deleting, until its people are seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.errors import Invalid, NotFound
from contacts.errors import TagNameTaken
from contacts.fields import clean_custom_value, shorten
from contacts.models import Contact, ContactTag, Tag
from contacts.services.smart import named_delete

NAME_LENGTH: Final = 40
TAGS_MAX: Final = 500
_FILL: Final = """
    INSERT INTO contacts_contacttag (account_id, tag_id, contact_id, added_at)
    SELECT %(account)s, t.id, c.id, %(moment)s
    FROM ({source}) s
    JOIN contacts_contact c ON c.account_id = %(account)s AND c.phone = s.phone
    CROSS JOIN contacts_tag t
    WHERE t.account_id = %(account)s AND t.id = ANY(%(tags)s) AND c.deleted_at IS NULL
    ORDER BY t.id, c.id
    ON CONFLICT (tag_id, contact_id) DO NOTHING
"""
_HELD: Final = """
    SELECT * FROM contacts_tag
    WHERE account_id = %s AND lower(name) = ANY(%s) ORDER BY id FOR KEY SHARE
"""


def tag_names(names: Iterable[str]) -> list[str]:
    """Names as they are kept, each once, in their order; blank ones are left out.

    Raises:
        Invalid: a name is too long or has a comma, which separates names where they are typed.
    """
    kept: dict[str, str] = {}
    for name in names:
        name = " ".join(clean_custom_value("tag", name[:500]).split())
        if len(name) > NAME_LENGTH or "," in name:
            sentence = (
                f"“{shorten(name)}” cannot be a tag: at most {NAME_LENGTH} characters, no comma."
            )
            raise Invalid(f"{sentence} Nothing was changed.", fields={"tags": sentence})
        if name:
            kept.setdefault(name.lower(), name)
    return list(kept.values())


@transaction.atomic
def tags_ensure(*, account: Account, actor: User | None, names: Iterable[str]) -> list[Tag]:
    """The account's tags of these names, to be put on somebody; those that are new are made.

    One that is being deleted just now is waited for, and made anew.

    Raises:
        Invalid: a name cannot be a tag's, or the account would have more than 500.

    Locks: the tags by id, against deleting alone, so that nobody does before who has them is seen.
    """
    wanted = tag_names(names)
    if not wanted:
        return []
    found = _held(account, wanted)
    missing = [name for name in wanted if name.lower() not in found]
    if missing:
        if Tag.objects.filter(account=account).count() + len(missing) > TAGS_MAX:
            sentence = f"An account can have {TAGS_MAX} tags. Delete some that nobody needs first."
            raise Invalid(f"{sentence} Nothing was changed.", fields={"tags": sentence})
        Tag.objects.bulk_create(
            # In one order, so that two who make the same ones do not wait for each other.
            [
                Tag(account=account, name=name, created_by=actor)
                for name in sorted(missing, key=str.lower)
            ],
            ignore_conflicts=True,
        )
        found = _held(account, wanted)
    return [found[name.lower()] for name in wanted]


@transaction.atomic
def tag_rename(*, account: Account, actor: User | None, tag_id: int, name: str) -> Tag:
    """Give a tag another name.

    Raises:
        Invalid: it cannot be a tag's.
        NotFound: no such tag in the account.
        TagNameTaken: the account has another tag of that name.
    """
    names = tag_names([name])
    if not names:
        raise Invalid("Give the tag a name.", fields={"name": "Give the tag a name."})
    tag = _lock(account, tag_id)
    old, tag.name = tag.name, names[0]
    try:
        with transaction.atomic():
            tag.save(update_fields=["name"])
    except IntegrityError as error:
        raise TagNameTaken(names[0]) from error
    audit_record(
        account=account, actor=actor, action="tag.renamed", subject=tag.name, data={"old": old}
    )
    return tag


@transaction.atomic
def tag_delete(*, account: Account, actor: User | None, tag_id: int) -> int:
    """Delete a tag and keep its contacts; how many had it.

    Raises:
        NotFound: no such tag in the account.
        TagInRules: a smart group's rules ask who has it.

    Locks: the tag.
    """
    return named_delete(_lock(account, tag_id, no_key=False), actor=actor)


@transaction.atomic
def contact_tags_add(
    *, account: Account, actor: User | None, contact_id: int, names: Iterable[str]
) -> None:
    """Put tags on a live contact.

    Raises:
        Invalid: a name cannot be a tag's.
        NotFound: no such live contact in the account.
    """
    contact = _contact(account, contact_id)
    tags = tags_ensure(account=account, actor=actor, names=names)
    ContactTag.objects.bulk_create(
        [ContactTag(account=account, tag=tag, contact=contact) for tag in tags],
        ignore_conflicts=True,
    )


@transaction.atomic
def contact_tags_set(
    *, account: Account, actor: User | None, contact_id: int, names: Iterable[str]
) -> None:
    """Make these, and no others, the tags of a live contact.

    Raises:
        Invalid: a name cannot be a tag's.
        NotFound: no such live contact in the account.
    """
    names = tag_names(names)
    contact_tags_add(account=account, actor=actor, contact_id=contact_id, names=names)
    kept = [tag.pk for tag in _held(account, names).values()]
    ContactTag.objects.filter(contact_id=contact_id).exclude(tag_id__in=kept).delete()


@transaction.atomic
def contact_tag_remove(
    *, account: Account, actor: User | None, contact_id: int, tag_id: int
) -> None:
    """Take a tag off a live contact.

    Raises:
        NotFound: no such live contact in the account.
    """
    contact = _contact(account, contact_id)
    ContactTag.objects.filter(contact=contact, tag_id=tag_id, tag__account=account).delete()


def tag_fill(
    *,
    account: Account,
    tags: Sequence[Tag],
    source: str,
    params: Mapping[str, Any],
    moment: datetime,
) -> int:
    """Put tags on the live contacts whose phone is in the subquery; how many were new.

    `moment` is when they were added.

    Locks: the rows of tags, in the order of contacts.
    """
    ids = [tag.pk for tag in tags]
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL.format(source=source),
            {**params, "account": account.pk, "tags": ids, "moment": moment},
        )
        return cursor.rowcount


def _held(account: Account, names: Sequence[str]) -> dict[str, Tag]:
    """The account's tags of these names, by name in small letters, held against deleting."""
    tags = Tag.objects.raw(_HELD, [account.pk, [name.lower() for name in names]])
    return {tag.name.lower(): tag for tag in tags}


def _lock(account: Account, tag_id: int, *, no_key: bool = True) -> Tag:
    """The tag, locked until the transaction ends; to delete it, its key too."""
    tag = Tag.objects.select_for_update(no_key=no_key).filter(account=account, pk=tag_id).first()
    if tag is None:
        raise NotFound
    return tag


def _contact(account: Account, contact_id: int) -> Contact:
    contact = Contact.objects.filter(account=account, pk=contact_id, deleted_at=None).first()
    if contact is None:
        raise NotFound
    return contact
