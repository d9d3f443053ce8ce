"""Erasing a person on request: who they were goes, what is counted and that they left stays.

Owns the order of it, and what the contacts app keeps of a person; messaging and the inbox erase
what is theirs when `person_erased` asks them to. Everywhere the phone stood stands an alias then
(`common.phone.erased_alias`); the number itself is kept as a keyed hash only, which says that it
must not be texted or taken in again (docs/adr/0023-erased-but-not-forgotten.md).
"""

from django.db import OperationalError, connection, transaction
from django.db.models import JSONField, Value

from accounts.models import Account, User
from accounts.services import audit_forget, audit_record
from common.clock import now
from common.errors import NotFound
from common.phone import erased_alias, is_erased
from contacts.choices import Consent, ConsentKind, ConsentSource, LineType
from contacts.errors import ErasureWaits
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactTag,
    ErasedNumber,
    GroupMember,
    ImportChange,
    ImportRefusal,
    LineFact,
    OptInPending,
    OptOut,
)
from contacts.selectors import erased_digests, erased_number
from contacts.services.consent import contact_lock
from contacts.services.leaving import people_lock
from contacts.signals import person_erased

ERASED_SENTENCE = (
    "This person asked to be erased. Their number is not taken in again; only they themselves can"
    " come back, by a text to one of your numbers."
)
_LOCK_CLASS = 0x0E2A
_LOCK_WAIT = "5s"


@transaction.atomic
def person_erase(*, account: Account, actor: User | None, contact_id: int) -> None:
    """Erase a person for good; their number can never be texted or taken in again by the shop.

    What stays: how many texts there were and what became of them, without words or number; that
    they opted in and out, without words or number; the opt-out, as a keyed hash. Files that were
    made of lists before end by themselves (docs/consent.md).

    Contacts that were merged into one are the same person: whichever of them is named, all go.

    Args:
        account: The tenant.
        actor: The admin who does it, or who made the key that does.
        contact_id: A contact of the account, live, deleted or merged into another.

    Raises:
        NotFound: no such contact, or erased already.
        ErasureWaits: a text to them is on its way, or people are being written at this moment.

    Locks: every writer of numbers of the account, by an advisory lock; then the person's contacts,
        in the order of phones, chunks and messages, conversations.
    Side effects: signal `person_erased`; an audit event without the number.
    """
    _writers_wait(account)
    contact = _person_lock(account, contact_id)
    if contact is None or is_erased(contact.phone):
        raise NotFound
    merged = Contact.objects.select_for_update(no_key=True).filter(merged_into=contact)
    for one in (contact, *merged.order_by("phone")):
        _erase(account, actor, one)


def _person_lock(account: Account, contact_id: int) -> Contact | None:
    """The contact that stands for the person, whichever of theirs was named.

    Asked again once all are locked: whoever merged them meanwhile has committed by now.
    """
    contacts = Contact.objects.filter(account=account)
    phones = contacts.filter(pk=contact_id).values_list("phone", flat=True)
    people_lock(account=account, phones=list(phones))
    locked = contacts.select_for_update(no_key=True)
    contact = locked.filter(pk=contact_id).first()
    while contact is not None and contact.merged_into_id is not None:
        contact = locked.filter(pk=contact.merged_into_id).first()
    return contact


def _erase(account: Account, actor: User | None, contact: Contact) -> None:
    phone, alias = contact.phone, erased_alias(contact.pk)
    person_erased.send(sender=person_erase, account=account, phone=phone, alias=alias)
    _consent_erase(account, phone, alias)
    _imports_erase(account, contact)
    _contact_erase(contact, alias)
    audit_forget(account=account, subject=phone, alias=alias)
    audit_record(account=account, actor=actor, action="contact.erased", subject=alias)


def erasing_held_off(*, account: Account) -> None:
    """Nobody of the account is erased until this transaction ends.

    For whoever writes down numbers (merges, launches, texts): a number that is about to be erased
    would otherwise come back by a transaction that read it before. Ask before any other lock.

    Locks: an advisory lock of the account, shared.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, hashint8(%s))", [_LOCK_CLASS, account.pk]
        )


@transaction.atomic
def number_returns(*, account: Account, phone: str) -> bool:
    """A phone texted us: if its person was erased, the opt-out stands in clear again.

    They gave us their number themselves; from here on it is like anybody's who opted out, and a
    START lifts it.

    Returns:
        Whether the person had been erased.

    Locks: as `erasing_held_off`; then the contact, made as a deleted one.
    """
    erasing_held_off(account=account)
    erased = erased_number(account=account, phone=phone)
    if erased is None:
        return False
    contact = contact_lock(account=account, phone=phone)
    OptOut.objects.update_or_create(
        account=account,
        phone=phone,
        defaults={"source": ConsentSource.ERASURE, "at": erased.at},
    )
    ConsentEvent.objects.create(
        account=account,
        phone=phone,
        kind=ConsentKind.OUT,
        source=ConsentSource.ERASURE,
        at=erased.at,
    )
    Contact.objects.filter(pk=contact.pk).update(consent=Consent.OPTED_OUT, consent_at=erased.at)
    erased.delete()
    return True


def _writers_wait(account: Account) -> None:
    """Alone with the account's numbers: whoever writes some waits until the erasure is done."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [_LOCK_CLASS, account.pk]
            )
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        raise ErasureWaits(
            "People are being imported or texted at this moment. Try again in a minute."
        ) from error


def _consent_erase(account: Account, phone: str, alias: str) -> None:
    """Events keep kind, source and time. The opt-out is hashed; the alias stays opted out."""
    moment = now()
    ConsentEvent.objects.filter(account=account, phone=phone).update(phone=alias, wording="")
    ConsentEvent.objects.create(
        account=account,
        phone=alias,
        kind=ConsentKind.OUT,
        source=ConsentSource.ERASURE,
        at=moment,
    )
    OptInPending.objects.filter(account=account, phone=phone).delete()
    LineFact.objects.filter(account=account, phone=phone).delete()
    OptOut.objects.filter(account=account, phone=phone).delete()
    OptOut.objects.create(account=account, phone=alias, source=ConsentSource.ERASURE, at=moment)
    digest = erased_digests(account_id=account.pk, phone=phone)[0]
    ErasedNumber.objects.create(account=account, digest=digest, at=moment)


def _imports_erase(account: Account, contact: Contact) -> None:
    """Refused rows that hold the number or the address, and what an undo would put back."""
    digits = contact.phone.lstrip("+")
    national = digits.removeprefix("1") if len(digits) == 11 else digits[-9:]
    condition, params = "regexp_replace(raw, '[^0-9]', '', 'g') LIKE %s", [f"%{national}%"]
    if contact.email:
        condition += " OR strpos(lower(raw), lower(%s)) > 0"
        params.append(contact.email)
    refusals = ImportRefusal.objects.filter(contact_import__account=account)
    refusals.extra(where=[condition], params=params).update(raw="")
    changes = ImportChange.objects.filter(
        contact_import__account=account, contact_id=contact.pk, before__isnull=False
    )
    changes.update(before=Value({}, JSONField()))


def _contact_erase(contact: Contact, alias: str) -> None:
    """The row becomes one that is nobody's, like those that only hold an opt-out."""
    moment = now()
    GroupMember.objects.filter(contact=contact).delete()
    ContactTag.objects.filter(contact=contact).delete()
    Contact.objects.filter(pk=contact.pk).update(
        phone=alias,
        first_name="",
        last_name="",
        email="",
        timezone="",
        custom={},
        line_type=LineType.UNKNOWN,
        region="",
        consent=Consent.OPTED_OUT,
        consent_at=moment,
        created_at=moment,
        updated_at=moment,
        deleted_at=moment,
        was_in=None,
    )
