"""Review of opt-outs that were read out of a person's own words.

Owns what a person of the account may decide about them: they stand, or were a misreading and are
taken back with a reason. What was recorded stays; taking back is an event of its own. An opt-out
by keyword, form or the carrier is never up for review.
"""

from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.errors import ReasonMissing, ReviewClosed
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.services.consent import contact_lock

_WORDING_CHARS = 500


@transaction.atomic
def optout_keep(*, account: Account, actor: User, opt_out_id: int) -> OptOut:
    """Confirm that the person did ask to be left alone; it leaves the list.

    Raises:
        NotFound: the account has no such opt-out.
        ReviewClosed: it was reviewed, or the person has since left beyond doubt.

    Locks: the contact, then its opt-out.
    """
    opt_out = _open(account, opt_out_id)
    opt_out.reviewed_at, opt_out.reviewed_by = now(), actor
    opt_out.save(update_fields=["reviewed_at", "reviewed_by"])
    audit_record(account=account, actor=actor, action="consent.review_kept", subject=opt_out.phone)
    return opt_out


@transaction.atomic
def optout_take_back(*, account: Account, actor: User, opt_out_id: int, reason: str) -> None:
    """Undo a misreading: the phone is again what it was before that text.

    Args:
        account: The tenant.
        actor: Who decides.
        opt_out_id: The opt-out.
        reason: Why the text was no request to stop; kept in the history and the audit trail.

    Raises:
        NotFound: the account has no such opt-out.
        ReasonMissing: no reason is given.
        ReviewClosed: it was reviewed, or the person has since left beyond doubt.

    Locks: the contact, then its opt-out.
    Side effects: ConsentEvent, OptOut, Contact.consent.
    """
    opt_out = _open(account, opt_out_id)
    reason = reason.strip()[:_WORDING_CHARS]
    if not reason:
        raise ReasonMissing
    before = _before(account, opt_out.phone)
    moment = now()
    ConsentEvent.objects.create(
        account=account,
        phone=opt_out.phone,
        kind=ConsentKind.VOID,
        source=ConsentSource.MANUAL,
        wording=reason,
        actor=actor,
        at=moment,
    )
    contact = Contact.objects.filter(account=account, phone=opt_out.phone)
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
    contact_lock(account=account, phone=phone)
    opt_out = found.first()
    if opt_out is None or not opt_out.is_to_review:
        raise ReviewClosed
    return opt_out


def _before(account: Account, phone: str) -> ConsentEvent | None:
    """What stood before the newest opt-out in own words; None if nothing was on record."""
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
            _take_out(standing)
    _take_out(standing)
    return standing[-1] if standing else None


def _take_out(standing: list[ConsentEvent]) -> None:
    for at in range(len(standing) - 1, -1, -1):
        event = standing[at]
        if event.kind == ConsentKind.OUT and event.source == ConsentSource.FREE_TEXT:
            del standing[at]
            return
