"""Leaving holds for the whole person: whoever left under one of their numbers has left.

Owns how the word goes on from one number of a person (contacts.person) to the others, whichever
door it came by. What the person said themselves counts there as said under another number, and only
a text from there lifts it; what the shop entered it may correct there too.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction

from accounts.models import Account, User
from common.clock import now
from common.sql import unguessed
from contacts.choices import ConsentKind, ConsentSource
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.person import person_of
from contacts.services.consent import OWN_ACTS, phone_revoke

_NUMBERS = """
    SELECT o.phone
    FROM contacts_contact c
    CROSS JOIN LATERAL (
        SELECT phone FROM contacts_contact WHERE id = coalesce(c.merged_into_id, c.id)
        UNION ALL
        SELECT phone FROM contacts_contact WHERE merged_into_id = coalesce(c.merged_into_id, c.id)
    ) o
    WHERE c.account_id = (SELECT %s) AND c.phone = ANY(%s)
"""


@transaction.atomic
def consent_revoke(
    *,
    account: Account,
    phone: str,
    source: ConsentSource,
    wording: str = "",
    message_id: int | None = None,
    actor: User | None = None,
    at: datetime | None = None,
) -> bool:
    """Opt a person out, with every number that is known to be theirs. Twice does it once.

    Args:
        account: Whose texts the person no longer wants.
        phone: The number it is about, E.164, whether or not it is a contact's.
        source: Where the opt-out came from.
        wording: The person's words, or a note of the account user.
        message_id: The inbound message that said so.
        actor: The account user who entered it, if one did.
        at: When the person said so. One older than a later opt-in of the person's own is kept in
            the history and changes nothing.

    Returns:
        Whether the number itself was not opted out before.

    Locks: the person's contacts, in the order of phones (made as a deleted one where there is
        none), then their opt-outs.
    Side effects: ConsentEvent, OptOut, Contact.consent; an opt-in that waits for a YES lapses.
    """
    at = at or now()
    people_lock(account=account, phones=[phone])
    is_news = phone_revoke(
        account=account,
        phone=phone,
        source=source,
        wording=wording,
        message_id=message_id,
        actor=actor,
        at=at,
    )
    if OptOut.objects.filter(account=account, phone=phone).exists():
        # Asked again: whoever merged or moved the contact meanwhile has committed by now.
        for other in numbers_of(account=account, phones=[phone]):
            if other != phone:
                phone_revoke(
                    account=account,
                    phone=other,
                    source=source_elsewhere(source),
                    wording=wording_elsewhere(source, at),
                    message_id=message_id,
                    actor=actor,
                    at=at,
                )
    return is_news


def person_left(*, account: Account, actor: User | None, contact: Contact) -> None:
    """After numbers became one person's: where one of them has left, all have.

    But for those that came back by a text since then: each word goes on as of when it was said.

    Locks: the person's contacts, as `consent_revoke`, in the order of phones; whoever merges two
        people holds them all before.
    """
    phones = person_of(contact).phones
    opt_outs = list(OptOut.objects.filter(account=account, phone__in=phones).order_by("at", "pk"))
    # What went on from one number to the others bears the moment of the word, and is that word.
    words: dict[datetime, OptOut] = {}
    for opt_out in sorted(opt_outs, key=_precedence):
        words.setdefault(opt_out.at, opt_out)
    for word in words.values():
        said = ConsentEvent.objects.filter(
            account=account, phone=word.phone, kind=ConsentKind.OUT, source=word.source
        )
        message_id = said.order_by("-id").values_list("message_id", flat=True).first()
        for phone in sorted(set(phones) - {word.phone}):
            phone_revoke(
                account=account,
                phone=phone,
                source=source_elsewhere(word.source),
                wording=wording_elsewhere(word.source, word.at),
                message_id=message_id,
                actor=actor,
                at=word.at,
            )


def _precedence(opt_out: OptOut) -> int:
    """Said under this number, said under another, entered by the shop."""
    if opt_out.source == ConsentSource.PERSON:
        return 1
    return 0 if opt_out.source in OWN_ACTS else 2


def people_lock(*, account: Account, phones: Collection[str]) -> None:
    """Lock the contacts of everybody who has one of these numbers, with all numbers of theirs.

    Locks: the contacts, in the order of phones.
    """
    contacts = Contact.objects.select_for_update(no_key=True).order_by("phone")
    theirs = numbers_of(account=account, phones=phones)
    list(contacts.filter(account=unguessed(account.pk), phone__in=theirs).values_list("pk"))


def numbers_of(*, account: Account, phones: Collection[str]) -> list[str]:
    """Every number of the people who have one of these, in order; contacts' only. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, [account.pk, list(phones)])
        return sorted({phone for (phone,) in cursor.fetchall()})


def source_elsewhere(source: str) -> ConsentSource:
    """As what a word counts on the person's other numbers."""
    return ConsentSource.PERSON if source in OWN_ACTS else ConsentSource(source)


def wording_elsewhere(source: str, at: datetime) -> str:
    """What is kept there as the proof."""
    how = ConsentSource(source).label.lower()
    return f"Left under another number on {at:%d %b %Y} ({how}); they are one person"
