"""Reads of people: lists, one, deleted ones, and the search that lists share."""

import re
from collections.abc import Sequence

import phonenumbers
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, Prefetch, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Lower

from accounts.models import Account
from common.errors import NotFound
from common.phone import ERASED_MARK
from common.sql import unguessed
from contacts.choices import Consent
from contacts.fields import CUSTOM_PREFIX, LABELS
from contacts.membership import members
from contacts.models import Contact, ContactTag, LineFact, Tag
from contacts.selectors.own_fields import custom_fields

# Spelled like the index `contact_search`, or PostgreSQL does not use it.
_SEARCHED = SearchVector("first_name", "last_name", "phone", "email", config="simple")
_TERM = re.compile(r"[^\s'\\&|!():*<>\0]+")
# PostgreSQL takes no longer words than two thousand bytes.
_TERM_LENGTH = 200
_BLANK = r"^\s*$"
_PHONE_LIKE = re.compile(r"[0-9+()./ -]{3,}")


class _Lexemes(SearchQuery):
    """A query whose words are taken as they stand: ``ann@x`` begins an address, not two words."""

    SEARCH_TYPES = {"lexemes": "tsquery"}


def audience(*, account: Account, group_ids: Sequence[int]) -> QuerySet[Contact]:
    """Live contacts that are in any of the groups, static or smart, each once, unordered.

    Groups of other accounts have no members here. Meant to be compiled into messaging's
    INSERT ... SELECT: nobody is loaded, and who is in a smart group is settled when that runs.
    One query, for the groups' rules.
    """
    return members(account=account, group_ids=group_ids)


def contacts_list(
    *,
    account: Account,
    search: str = "",
    group: int | None = None,
    tag: int | None = None,
    consent: str = "",
) -> QuerySet[Contact]:
    """Live contacts, unordered (page them by key).

    Args:
        account: Whose contacts.
        search: Beginnings of names, email and phone, all of which must fit; a phone may be typed
            in any form, with or without country code.
        group: Only members of this group of the account, static or smart (one query more).
        tag: Only whoever has this tag of the account.
        consent: Only this word on consent; anything else is no filter.
    """
    contacts = _live(account)
    if group is not None:
        contacts = members(account=account, group_ids=[group])
    if tag is not None:
        tagged = ContactTag.objects.filter(account=account, tag_id=tag)
        # One row is guessed of a new tag: not of what is looked for among its people as well.
        if group is None:
            contacts = contacts_among(account=account)
        else:
            tagged = tagged.filter(tag_id=unguessed(tag))
        contacts = contacts.filter(pk__in=tagged.values("contact_id"))
    if search.strip():
        contacts = contacts.alias(searched=_SEARCHED).filter(_matches(account, search))
    if consent in Consent.values:
        contacts = contacts.filter(consent=consent)
    return contacts


def contacts_among(*, account: Account) -> QuerySet[Contact]:
    """Live contacts, unordered, to be looked for among ids that another query finds.

    How many the account has is not guessed (`common.sql.unguessed`).
    """
    return Contact.objects.filter(account=unguessed(account.pk), deleted_at=None)


def contacts_ticked(*, account: Account, ids: Sequence[int]) -> QuerySet[Contact]:
    """Those of the live contacts whose ids these are, unordered."""
    return _live(account).filter(pk__in=ids)


def contacts_blank(
    contacts: QuerySet[Contact], *, account: Account, name: str
) -> QuerySet[Contact]:
    """Those who have no value for a merge field; nobody where there is no such field."""
    if name in LABELS and name != "timezone":
        return contacts.filter(**{f"{name}__regex": _BLANK})
    key = name.removeprefix(CUSTOM_PREFIX)
    if key == name or not custom_fields(account=account).filter(key=key).exists():
        return contacts.none()
    valued = contacts.alias(blank_value=KeyTextTransform(key, "custom"))
    return valued.filter(Q(blank_value=None) | Q(blank_value__regex=_BLANK))


def contacts_valued(contacts: QuerySet[Contact], *, name: str, value: str) -> QuerySet[Contact]:
    """Those in whose field of the account's own (``custom.<key>``) exactly this is kept."""
    key = name.removeprefix(CUSTOM_PREFIX)
    if key == name:
        return contacts.none()
    return contacts.alias(own_value=KeyTextTransform(key, "custom")).filter(own_value=value)


def contacts_filled(*, account: Account, key: str) -> int:
    """How many live contacts have a value in a field of the account's own. One query."""
    return _live(account).filter(custom__has_key=key).count()


def contacts_count(*, account: Account) -> int:
    """How many live contacts the account has. One query."""
    return _live(account).count()


def contact_get(*, account: Account, contact_id: int) -> Contact:
    """A live contact of the account. One query.

    Raises:
        NotFound: deleted, never there, or another account's.
    """
    contact = _live(account).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound
    return contact


def contacts_known(*, account: Account) -> QuerySet[Contact]:
    """Contacts live and deleted, unordered; nobody who was erased."""
    return Contact.objects.filter(account=account).exclude(phone__startswith=ERASED_MARK)


def contacts_deleted(*, account: Account) -> QuerySet[Contact]:
    """Contacts that were deleted and can be restored, unordered (page them by key).

    Not those rows that never were a contact, or are nobody's any more: they only hold an opt-out,
    and their deletion is as old as they are. Nor those that were merged into another.
    """
    gone = Contact.objects.filter(account=account, deleted_at__gt=F("created_at"))
    return gone.filter(merged_into=None)


def contact_by_phone(*, account: Account, phone: str) -> Contact | None:
    """The live contact with this E.164 number, if any. One query."""
    return _live(account).filter(phone=phone).first()


def line_fact(*, account: Account, phone: str) -> LineFact | None:
    """What a carrier told of the phone's line, if it was asked. One query."""
    return LineFact.objects.filter(account=account, phone=phone).first()


def with_tags(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    """The same contacts with their `tags` by name, for pages: one query more for all of them."""
    return contacts.prefetch_related(Prefetch("tags", Tag.objects.order_by(Lower("name"))))


def _live(account: Account) -> QuerySet[Contact]:
    return Contact.objects.filter(account=account, deleted_at=None)


def _matches(account: Account, search: str) -> Q:
    if _PHONE_LIKE.fullmatch(search.strip()):
        return _phone_matches(account, search)
    return _all_terms(_TERM.findall(search.lower()))


def _phone_matches(account: Account, search: str) -> Q:
    digits = "".join(c for c in search if c.isdigit())
    if not digits:
        return Q(pk__in=[])
    national = digits.lstrip("0") or digits
    code = _calling_code(account.default_country)
    return _all_terms([f"+{digits}"]) | _all_terms([f"+{code}{national}"])


def _calling_code(country: str) -> int:
    return int(phonenumbers.country_code_for_region(country))


def _all_terms(terms: Sequence[str]) -> Q:
    if not terms:
        return Q(pk__in=[])
    query = " & ".join(f"'{term[:_TERM_LENGTH]}':*" for term in terms[:8])
    return Q(searched=_Lexemes(query, search_type="lexemes"))
