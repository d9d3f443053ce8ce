"""Leaving holds for the whole person: whoever left under one of their numbers has left.

Owns how the word goes on from one number of a person (contacts.person) to the others. There it
counts as entered by the shop: the person's own act stays the proof of the number it came from.
"""

from datetime import datetime

from accounts.models import Account, User
from contacts.choices import ConsentSource
from contacts.models import Contact, OptOut
from contacts.person import person_of
from contacts.services.consent import consent_revoke


def person_left(*, account: Account, actor: User | None, contact: Contact) -> None:
    """After numbers became one person's: where one of them has left, all have.

    Locks: the person's contacts, as `consent_revoke`, in the order of phones; whoever merges two
        people holds them all before.
    """
    phones = person_of(contact).phones
    opt_outs = OptOut.objects.filter(account=account, phone__in=phones)
    left = {one.phone: one for one in opt_outs.order_by("at", "pk")}
    if not left:
        return
    first = next(iter(left.values()))
    for phone in sorted(set(phones) - set(left)):
        consent_revoke(
            account=account,
            phone=phone,
            source=ConsentSource.MANUAL,
            wording=_wording(first.source, first.at),
            actor=actor,
        )


def person_leaves(
    *,
    account: Account,
    phone: str,
    source: ConsentSource,
    wording: str,
    message_id: int,
    at: datetime,
) -> bool:
    """A text from a phone asks to leave: it does, and so do the person's other numbers.

    Args:
        account: Whose texts the person no longer wants.
        phone: Where the text came from, E.164.
        source: What the text was.
        wording: Its words.
        message_id: The text.
        at: When it came.

    Returns:
        Whether the phone itself was not opted out before.

    Locks: the person's contacts, in the order of phones; then as `consent_revoke`.
    """
    _lock(account, _phones(account, phone))
    # Again: whoever merged or moved the contact meanwhile has committed by now.
    others = [other for other in _phones(account, phone) if other != phone]
    is_news = consent_revoke(
        account=account, phone=phone, source=source, wording=wording, message_id=message_id, at=at
    )
    for other in others:
        consent_revoke(
            account=account,
            phone=other,
            source=ConsentSource.MANUAL,
            wording=_wording(source, at),
            at=at,
        )
    return is_news


def _phones(account: Account, phone: str) -> list[str]:
    """Every number of the person who has this one, in order."""
    found = Contact.objects.filter(account=account, phone=phone).select_related("merged_into")
    contact = found.first()
    if contact is None:
        return [phone]
    return sorted(person_of(contact.merged_into or contact).phones)


def _lock(account: Account, phones: list[str]) -> None:
    contacts = Contact.objects.select_for_update(no_key=True)
    list(contacts.filter(account=account, phone__in=phones).order_by("phone").values_list("pk"))


def _wording(source: str, at: datetime) -> str:
    how = ConsentSource(source).label.lower()
    return f"Left under another number on {at:%d %b %Y} ({how}); they are one person"
