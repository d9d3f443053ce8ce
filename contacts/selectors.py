"""Reads of people, groups, consent and imports.

Deleted contacts exist for no reader here; who may be texted is decided by messaging's gate.
Numbers of erased people are known by keyed hashes only (docs/adr/0023-erased-but-not-forgotten.md).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import phonenumbers
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import (
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower

from accounts.models import Account
from common.crypto import keyed_hashes
from common.errors import NotFound
from common.phone import ERASED_MARK
from contacts.choices import Consent, ConsentKind, ConsentSource, ImportStatus
from contacts.field_types import FieldType, reader
from contacts.fields import CUSTOM_PREFIX, LABELS, CustomReader
from contacts.membership import groups_fitting, members
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ContactTag,
    CustomField,
    ErasedNumber,
    Group,
    GroupMember,
    ImportRefusal,
    LineFact,
    OptInForm,
    OptInKeyword,
    OptOut,
    Tag,
)

# Spelled like the index `contact_search`, or PostgreSQL does not use it.
_SEARCHED = SearchVector("first_name", "last_name", "phone", "email", config="simple")
_TERM = re.compile(r"[^\s'\\&|!():*<>\0]+")
_BLANK = r"^\s*$"
_PHONE_LIKE = re.compile(r"[0-9+()./ -]{3,}")


class _Lexemes(SearchQuery):
    """A query whose words are taken as they stand: ``ann@x`` begins an address, not two words."""

    SEARCH_TYPES = {"lexemes": "tsquery"}


class MergeField(NamedTuple):
    """A field a text may use: ``{{name}}``, and what it is called on pages."""

    name: str
    label: str


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
        search: Beginnings of names, e-mail and phone, all of which must fit; a phone may be typed
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
        contacts = contacts.filter(pk__in=tagged.values("contact_id"))
    if search.strip():
        contacts = contacts.alias(searched=_SEARCHED).filter(_matches(account, search))
    if consent in Consent.values:
        contacts = contacts.filter(consent=consent)
    return contacts


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


def consent_history(*, account: Account, phone: str) -> QuerySet[ConsentEvent]:
    """Opt-ins and opt-outs of a phone, newest first, with the account users who entered them."""
    events = ConsentEvent.objects.filter(account=account, phone=phone)
    return events.select_related("actor").order_by("-id")


def opt_outs_list(*, account: Account) -> QuerySet[OptOut]:
    """The account's standing opt-outs, unordered."""
    return OptOut.objects.filter(account=account)


def opt_outs_to_review(*, account: Account) -> QuerySet[OptOut]:
    """Opt-outs in own words that nobody has looked at, unordered (page them by key).

    Each with the `wording` and `message_id` of the text that was read as one. One query.
    """
    said = misread_not(
        account=account, phone=OuterRef("phone"), source=ConsentSource.FREE_TEXT
    ).order_by("-id")
    waiting = opt_outs_list(account=account).filter(
        source=ConsentSource.FREE_TEXT, reviewed_at=None
    )
    return waiting.annotate(
        wording=Subquery(said.values("wording")[:1]),
        message_id=Subquery(said.values("message_id")[:1]),
    )


def misread_not(
    *, account: Account, phone: str | OuterRef, source: ConsentSource
) -> QuerySet[ConsentEvent]:
    """Opt-outs of a phone that came by `source` and were not taken back, unordered."""
    void = ConsentEvent.objects.filter(
        account=account,
        phone=OuterRef("phone"),
        kind=ConsentKind.VOID,
        message_id=OuterRef("message_id"),
        pk__gt=OuterRef("pk"),
    )
    return ConsentEvent.objects.filter(
        ~Exists(void), account=account, phone=phone, kind=ConsentKind.OUT, source=source
    )


def opt_out_get(*, account: Account, phone: str) -> OptOut | None:
    """The phone's standing opt-out, if any. One query."""
    return OptOut.objects.filter(account=account, phone=phone).first()


def opted_out(*, account: Account, phone: str) -> bool:
    """Whether the phone must not be texted by this account. Two queries at most."""
    if OptOut.objects.filter(account=account, phone=phone).exists():
        return True
    return erased_number(account=account, phone=phone) is not None


def erased_number(*, account: Account, phone: str) -> ErasedNumber | None:
    """What is left of the opt-out of a phone whose person was erased, if one was. One query."""
    found = ErasedNumber.objects.filter(account=account)
    return found.filter(digest__in=erased_digests(account_id=account.pk, phone=phone)).first()


def erased_among(people: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those (account id, phone) whose person was erased.

    One query for the accounts, and for those that erased somebody another for their phones.
    """
    by_account: dict[int, list[str]] = {}
    for account_id, phone in people:
        by_account.setdefault(account_id, []).append(phone)
    erasers = ErasedNumber.objects.filter(account=OuterRef("pk"))
    asked = Account.objects.filter(Exists(erasers), pk__in=by_account)
    found: set[tuple[int, str]] = set()
    for account_id in asked.values_list("pk", flat=True):
        phones = {
            digest: phone
            for phone in by_account[account_id]
            for digest in erased_digests(account_id=account_id, phone=phone)
        }
        rows = ErasedNumber.objects.filter(account=account_id, digest__in=list(phones))
        found |= {
            (account_id, phones[bytes(digest)]) for digest in rows.values_list("digest", flat=True)
        }
    return found


def erased_digests(*, account_id: int, phone: str) -> list[bytes]:
    """By what the phone of an erased person is known again; the first is what is kept."""
    return keyed_hashes(f"{account_id}:{phone}", purpose="erased numbers")


def optin_form_get(*, account: Account) -> OptInForm | None:
    """The account's public form, open or not, if it made one. One query."""
    return OptInForm.objects.filter(account=account).select_related("account").first()


def optin_form_open(*, token: str) -> OptInForm | None:
    """The open form behind a public address, with its account. One query."""
    found = OptInForm.objects.filter(token=token, is_open=True)
    return found.select_related("account").first()


def optin_keywords_list(*, account: Account) -> QuerySet[OptInKeyword]:
    """The account's opt-in keywords by word, with their groups. Two queries."""
    found = OptInKeyword.objects.filter(account=account).select_related("account")
    return found.prefetch_related("groups").order_by("word")


def optin_keyword_find(*, account: Account, key: str) -> OptInKeyword | None:
    """The account's opt-in keyword that compares as `key`, if any. One query."""
    if not key:
        return None
    found = OptInKeyword.objects.filter(account=account, key=key)
    return found.select_related("account").first()


def consent_came_by(*, account: Account, phone: str, message_id: int) -> bool:
    """Whether this text of the phone put an opt-in on record. One query."""
    events = ConsentEvent.objects.filter(account=account, phone=phone, kind=ConsentKind.IN)
    return events.filter(message_id=message_id).exists()


def merge_fields(*, account: Account) -> list[MergeField]:
    """Fields a text may use: the fixed ones, then the account's own by label. One query."""
    fixed = [MergeField(name, LABELS[name]) for name in ("first_name", "last_name", "email")]
    own = [
        MergeField(CUSTOM_PREFIX + field.key, field.label)
        for field in custom_fields(account=account)
    ]
    return [*fixed, MergeField("phone", LABELS["phone"]), *own]


def custom_fields(*, account: Account) -> QuerySet[CustomField]:
    """The account's own contact fields, by label."""
    return CustomField.objects.filter(account=account).order_by("label", "id")


def field_types(*, account: Account) -> dict[str, FieldType]:
    """Key and type of the account's own fields, by label. One query."""
    return {
        field.key: FieldType(field.kind, tuple(field.options), field.label)
        for field in custom_fields(account=account)
    }


def custom_reader(*, account: Account) -> CustomReader:
    """How what people type into the account's own fields is read. One query."""
    return reader(field_types(account=account), account.default_country)


def groups_named(*, account: Account) -> QuerySet[Group]:
    """Groups by name, without their sizes: for choosing one of them. One query."""
    return Group.objects.filter(account=account).order_by("name")


def groups_static(*, account: Account) -> QuerySet[Group]:
    """Groups that people are put into, by name. One query."""
    return groups_named(account=account).filter(rules__isnull=True)


def groups_list(*, account: Account) -> QuerySet[Group]:
    """Groups by name, each with `size`, the number of its members. One query.

    The size of a smart group is the one last counted (`Group.people`): asking every group's rules
    could take as long as the largest of them.
    """
    sizes = (
        GroupMember.objects.filter(group=OuterRef("pk"))
        .order_by()
        .values("group")
        .annotate(size=Count("pk"))
        .values("size")
    )
    size = Coalesce("people", Subquery(sizes, output_field=IntegerField()), 0)
    return Group.objects.filter(account=account).annotate(size=size).order_by("name")


def group_get(*, account: Account, group_id: int) -> Group:
    """A group of the account with `size`. One query.

    Raises:
        NotFound: never there, or another account's.
    """
    group = groups_list(account=account).filter(pk=group_id).first()
    if group is None:
        raise NotFound
    return group


def groups_of(*, account: Account, contact: Contact) -> QuerySet[Group]:
    """The groups a live contact is in, static and smart, by name. Four queries."""
    static = GroupMember.objects.filter(contact=contact).values("group_id")
    smart = groups_fitting(account=account, contact=contact)
    found = Group.objects.filter(Q(pk__in=static) | Q(pk__in=smart), account=account)
    return found.order_by("name")


def line_fact(*, account: Account, phone: str) -> LineFact | None:
    """What a carrier told of the phone's line, if it was asked. One query."""
    return LineFact.objects.filter(account=account, phone=phone).first()


def tags_named(*, account: Account) -> QuerySet[Tag]:
    """The account's tags by name. One query."""
    return Tag.objects.filter(account=account).order_by(Lower("name"))


def tags_of(*, account: Account, contact: Contact) -> QuerySet[Tag]:
    """The tags of a contact, by name."""
    return tags_named(account=account).filter(contact_tags__contact=contact)


def tags_list(*, account: Account) -> QuerySet[Tag]:
    """Tags by name, each with `size`, the number of people who have it. One query."""
    sizes = (
        ContactTag.objects.filter(tag=OuterRef("pk"))
        .order_by()
        .values("tag")
        .annotate(size=Count("pk"))
        .values("size")
    )
    size = Coalesce(Subquery(sizes, output_field=IntegerField()), 0)
    return tags_named(account=account).annotate(size=size)


def tagged_ids(*, account: Account, name: str) -> QuerySet[Any, Any]:
    """Ids of the contacts that have the tag of this name, in any case of letters."""
    tags = Tag.objects.filter(account=account).alias(folded=Lower("name"))
    named = tags.filter(folded=" ".join(name.lower().split()))
    return ContactTag.objects.filter(account=account, tag__in=named).values("contact_id")


def with_tags(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    """The same contacts with their `tags` by name, for pages: one query more for all of them."""
    return contacts.prefetch_related(Prefetch("tags", Tag.objects.order_by(Lower("name"))))


def imports_list(*, account: Account) -> QuerySet[ContactImport]:
    """The account's imports, unordered (page them by key), with who made them and their group."""
    return ContactImport.objects.filter(account=account).select_related("created_by", "group")


def mapping_remembered(contact_import: ContactImport) -> list[str] | None:
    """Where the account's last finished import with the same headings put its columns.

    None without such an import, or where this file has no headings. One query at most.
    """
    if not contact_import.headings_key:
        return None
    done = ContactImport.objects.filter(
        account_id=contact_import.account_id,
        headings_key=contact_import.headings_key,
        purpose=contact_import.purpose,
        status=ImportStatus.DONE,
    )
    return done.order_by("-pk").values_list("mapping", flat=True).first()


def import_get(*, account: Account, import_id: int) -> ContactImport:
    """An import of the account, with who made it and its group. One query.

    Raises:
        NotFound: never there, or another account's.
    """
    found = imports_list(account=account).filter(pk=import_id).first()
    if found is None:
        raise NotFound
    return found


def refusal_counts(*, contact_import: ContactImport) -> list[tuple[str, int]]:
    """(reason, rows) of an import, most rows first. One query."""
    counts = contact_import.refusals.values_list("reason").annotate(rows=Count("pk"))
    return [(reason, rows) for reason, rows in counts.order_by("-rows", "reason")]


def refusals_first(*, contact_import: ContactImport, limit: int) -> QuerySet[ImportRefusal]:
    """The first refused rows in the order of the file."""
    return contact_import.refusals.order_by("line", "id")[:limit]


def refusals(*, contact_import: ContactImport) -> Iterator[ImportRefusal]:
    """Refused rows in the order of the file, streamed from PostgreSQL by the thousand."""
    return contact_import.refusals.order_by("line", "id").iterator(chunk_size=1000)


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
    query = " & ".join(f"'{term}':*" for term in terms[:8])
    return Q(searched=_Lexemes(query, search_type="lexemes"))
