"""Review of opt-outs that were read out of a person's own words.

Owns what a person of the account may decide about them: they stand, or were a misreading and are
taken back with a reason. What was recorded stays; taking back is an event of its own. An opt-out
by keyword, form or the carrier is never up for review.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.errors import ReasonMissing, ReviewClosed
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.selectors import misread_not
from contacts.services.consent import weight
from contacts.services.leaving import numbers_of, people_lock

_WORDING_CHARS = 500


@transaction.atomic
def optout_keep(*, account: Account, actor: User, opt_out_id: int) -> OptOut:
    """Confirm that the person did ask to be left alone; it leaves the list.

    Raises:
        NotFound: the account has no such opt-out.
        ReviewClosed: it was reviewed, or the person has since left beyond doubt.

    Locks: the person's contacts, in the order of phones, then the opt-out.
    """
    opt_out = _open(account, opt_out_id)
    opt_out.reviewed_at, opt_out.reviewed_by = now(), actor
    opt_out.save(update_fields=["reviewed_at", "reviewed_by"])
    audit_record(account=account, actor=actor, action="consent.review_kept", subject=opt_out.phone)
    return opt_out


@transaction.atomic
def optout_take_back(*, account: Account, actor: User, opt_out_id: int, reason: str) -> None:
    """Undo a misreading: the phone is again what it was before that text.

    So are the person's other numbers, for which it counted as well.

    Args:
        account: The tenant.
        actor: Who decides.
        opt_out_id: The opt-out.
        reason: Why the text was no request to stop; kept in the history and the audit trail.

    Raises:
        NotFound: the account has no such opt-out.
        ReasonMissing: no reason is given.
        ReviewClosed: it was reviewed, or the person has since left beyond doubt.

    Locks: the person's contacts, in the order of phones, then their opt-outs.
    Side effects: ConsentEvent, OptOut, Contact.consent.
    """
    opt_out = _open(account, opt_out_id)
    reason = reason.strip()[:_WORDING_CHARS]
    if not reason:
        raise ReasonMissing
    said = _said(account, opt_out.phone, ConsentSource.FREE_TEXT)
    message_id = said.message_id if said else None
    _undo(opt_out, actor, reason, message_id)
    for other in _elsewhere(account, opt_out.phone, message_id):
        _undo(other, actor, reason, message_id)
    audit_record(
        account=account,
        actor=actor,
        action="consent.review_undone",
        subject=opt_out.phone,
        data={"reason": reason},
    )


def _open(account: Account, opt_out_id: int) -> OptOut:
    """The opt-out, locked behind its contact, if there is still something to decide."""
    found = OptOut.objects.filter(account=account, pk=opt_out_id)
    phone = found.values_list("phone", flat=True).first()
    if phone is None:
        raise NotFound
    people_lock(account=account, phones=[phone])
    opt_out = found.first()
    if opt_out is None or not opt_out.is_to_review:
        raise ReviewClosed
    return opt_out


def _said(account: Account, phone: str, source: ConsentSource) -> ConsentEvent | None:
    """The newest opt-out of a phone that came by `source` and was not taken back."""
    said = misread_not(account=account, phone=phone, source=source)
    return said.order_by("-id").first()


def _elsewhere(account: Account, phone: str, message_id: int | None) -> QuerySet[OptOut]:
    """The opt-outs of the person's other numbers for which the same text counts.

    Also those that stand for other words: what was misread must not come to stand again once these
    are taken back as well.
    """
    others = set(numbers_of(account=account, phones=[phone])) - {phone}
    told = misread_not(account=account, phone=OuterRef("phone"), source=ConsentSource.PERSON)
    return OptOut.objects.filter(
        Exists(told.filter(message_id=message_id)),
        account=account,
        phone__in=others if message_id else (),
        source__in=(ConsentSource.PERSON, ConsentSource.FREE_TEXT),
    ).order_by("phone")


def _undo(opt_out: OptOut, actor: User, reason: str, message_id: int | None) -> None:
    """Take one text back for one number; what stands without it stands, also another opt-out."""
    account, phone = opt_out.account, opt_out.phone
    before = _before(account, phone, message_id)
    ConsentEvent.objects.create(
        account=account,
        phone=phone,
        kind=ConsentKind.VOID,
        source=ConsentSource.MANUAL,
        wording=reason,
        message_id=message_id,
        actor=actor,
        at=now(),
    )
    contact = Contact.objects.filter(account=account, phone=phone)
    if before is not None and before.kind == ConsentKind.OUT:
        opt_out.source, opt_out.at = ConsentSource(before.source), before.at
        opt_out.save(update_fields=["source", "at"])
        contact.update(consent=Consent.OPTED_OUT, consent_at=before.at)
    else:
        opt_out.delete()
        contact.update(
            consent=Consent.OPTED_IN if before else Consent.UNKNOWN,
            consent_at=before.at if before else None,
        )


def _before(account: Account, phone: str, message_id: int | None) -> ConsentEvent | None:
    """What stands without the opt-out that a misread text brought; None if nothing is on record."""
    standing: list[ConsentEvent] = []
    events = ConsentEvent.objects.filter(account=account, phone=phone)
    for event in events.order_by("at", "id"):
        if event.kind == ConsentKind.UNDO:
            standing = [
                one
                for one in standing
                if one.kind != ConsentKind.IN or one.import_id != event.import_id
            ]
        elif event.kind != ConsentKind.VOID:
            standing.append(event)
        else:
            _take_out(standing, event.message_id)
    _take_out(standing, message_id)
    stands: ConsentEvent | None = None
    for event in standing:
        is_beside = (
            stands is not None
            and stands.kind == event.kind == ConsentKind.OUT
            and weight(event.source) <= weight(stands.source)
        )
        if not is_beside:
            stands = event
    return stands


def _take_out(standing: list[ConsentEvent], message_id: int | None) -> None:
    """Without the newest opt-out by this text; by any own words where none is named."""
    for at in range(len(standing) - 1, -1, -1):
        event = standing[at]
        is_it = (
            event.source == ConsentSource.FREE_TEXT
            if message_id is None
            else event.message_id == message_id
        )
        if event.kind == ConsentKind.OUT and is_it:
            del standing[at]
            return
