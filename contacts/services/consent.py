"""Opt-in and opt-out of one number: the events with their proof, the list, the contact's word.

Owns who may undo whose opt-out. That leaving holds for all numbers of a person is
contacts.services.leaving's; recognising a STOP in a text and answering it is messaging's.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource, WayBack
from contacts.errors import OptedOut, ProofMissing
from contacts.models import ConsentEvent, Contact, OptInPending, OptOut
from contacts.selectors import erased_number

# What a person did with their own phone, or the carrier says they did. Such an opt-out is undone
# only by another act of that kind (47 CFR 64.1200(a)(10): a revocation stands until the consumer
# consents anew), while one that the shop typed in can be corrected by the shop.
OWN_ACTS = frozenset(
    {
        ConsentSource.KEYWORD,
        ConsentSource.FREE_TEXT,
        ConsentSource.CARRIER,
        ConsentSource.FORM,
        ConsentSource.ERASURE,
        ConsentSource.PERSON,
    }
)
# What brings back whoever left: a text from the phone itself, and nothing else. Not a public form,
# since anybody can type anybody's number.
LIFTS = frozenset({ConsentSource.KEYWORD})


@transaction.atomic
def phone_revoke(
    *,
    account: Account,
    phone: str,
    source: ConsentSource,
    wording: str = "",
    message_id: int | None = None,
    actor: User | None = None,
    at: datetime | None = None,
) -> bool:
    """Opt one number out, whether or not it is a contact's. Doing it twice does it once.

    Everybody but contacts.services.leaving asks for `consent_revoke`, which knows the person.

    Args:
        account: Whose texts the person no longer wants.
        phone: E.164.
        source: Where the opt-out came from.
        wording: The person's words, or a note of the account user.
        message_id: The inbound message that said so.
        actor: The account user who entered it, if one did.
        at: When the person said so. One older than a later opt-in of the person's own is kept in
            the history and changes nothing.

    Returns:
        Whether the phone was not opted out before.

    Locks: the contact (made as a deleted one where there is none), then its opt-out.
    Side effects: ConsentEvent, OptOut, Contact.consent; an opt-in that waits for a YES lapses.
    """
    at = at or now()
    contact = contact_lock(account=account, phone=phone)
    # Whoever leaves is not brought back by a YES to a question from before.
    OptInPending.objects.filter(account=account, phone=phone, asked_at__lte=at).delete()
    opt_out = OptOut.objects.filter(account=account, phone=phone).first()
    if opt_out and weight(source) <= weight(opt_out.source):
        # It has to stand if somebody finds that the person's own words were misread, here or under
        # another number.
        may_be_misread = opt_out.is_to_review or opt_out.source == ConsentSource.PERSON
        if may_be_misread and not _said(opt_out, source, message_id):
            _event(account, phone, ConsentKind.OUT, source, wording, message_id, actor, at)
        return False
    _event(account, phone, ConsentKind.OUT, source, wording, message_id, actor, at)
    if opt_out is None and _came_back_after(account, phone, at):
        return False
    OptOut.objects.update_or_create(
        account=account,
        phone=phone,
        defaults={"source": source, "at": at, "reviewed_at": None, "reviewed_by": None},
    )
    Contact.objects.filter(pk=contact.pk).update(consent=Consent.OPTED_OUT, consent_at=at)
    if actor:
        audit_record(account=account, actor=actor, action="contact.opted_out", subject=phone)
    return opt_out is None


@transaction.atomic
def consent_grant(
    *,
    account: Account,
    phone: str,
    source: ConsentSource,
    wording: str = "",
    message_id: int | None = None,
    form_id: int | None = None,
    actor: User | None = None,
    at: datetime | None = None,
) -> bool:
    """Put an opt-in on record; lifts an opt-out only where `source` may. Twice does it once.

    Args:
        account: Whose texts the person agrees to.
        phone: E.164.
        source: Where the opt-in came from. A text from the phone (START, an opt-in keyword) lifts
            any opt-out; an account user or the API only one that was not the person's own; an
            import and a public form none.
        wording: What the person agreed to; required when an account user enters it.
        message_id: The inbound message that said so.
        form_id: The public form it came by.
        actor: The account user who entered it, if one did.
        at: When the person agreed. One older than the opt-out it would lift changes nothing.

    Returns:
        Whether the phone was not opted in before. A person's own act is put on record also where
        only the shop's word was, because it is the better proof.

    Raises:
        OptedOut: the opt-out cannot be lifted this way.
        ProofMissing: entered by hand without wording.

    Locks: the contact (made as a deleted one where there is none), then its opt-out.
    Side effects: ConsentEvent, OptOut removed, Contact.consent.
    """
    at = at or now()
    if source == ConsentSource.MANUAL and not wording.strip():
        raise ProofMissing
    contact = contact_lock(account=account, phone=phone)
    if contact.consent == Consent.OPTED_IN:
        if source in OWN_ACTS and not _own_opt_in_stands(account, phone):
            _event(account, phone, ConsentKind.IN, source, wording, message_id, actor, at, form_id)
        return False
    opt_out = OptOut.objects.filter(account=account, phone=phone).first()
    if opt_out is None:
        opt_out = _erased_opt_out(account, phone)
    if opt_out and not _lifts(source, opt_out):
        how = ConsentSource(opt_out.source).label
        raise OptedOut(at=opt_out.at, how=how, way_back=way_back(opt_out))
    _event(account, phone, ConsentKind.IN, source, wording, message_id, actor, at, form_id)
    if opt_out:
        if at < opt_out.at:
            return False
        OptOut.objects.filter(account=account, phone=phone).delete()
    Contact.objects.filter(pk=contact.pk).update(consent=Consent.OPTED_IN, consent_at=at)
    if actor:
        audit_record(account=account, actor=actor, action="contact.opted_in", subject=phone)
    return True


def weight(source: str) -> int:
    """How firmly an opt-out stands: one that outweighs another is recorded on top of it.

    What was said under this number is a better proof than what was said under another. What was
    read out of a person's own words is open to review; a keyword afterwards is not.
    """
    if source not in OWN_ACTS:
        return 0
    return {ConsentSource.PERSON: 1, ConsentSource.FREE_TEXT: 2}.get(ConsentSource(source), 3)


def _said(opt_out: OptOut, source: str, message_id: int | None) -> bool:
    """Whether this was put on record since the opt-out stands."""
    return ConsentEvent.objects.filter(
        account=opt_out.account_id,
        phone=opt_out.phone,
        kind=ConsentKind.OUT,
        source=source,
        message_id=message_id,
        at__gte=opt_out.at,
    ).exists()


def way_back(opt_out: OptOut) -> WayBack:
    """What undoes this opt-out; a text of START from the phone always does as well."""
    if opt_out.is_to_review:
        return WayBack.REVIEW
    return WayBack.PERSON if opt_out.source in OWN_ACTS else WayBack.SHOP


def _erased_opt_out(account: Account, phone: str) -> OptOut | None:
    """The opt-out of somebody who was erased, as it would stand in clear; not saved."""
    erased = erased_number(account=account, phone=phone)
    if erased is None:
        return None
    return OptOut(account=account, phone=phone, source=ConsentSource.ERASURE, at=erased.at)


def _lifts(source: ConsentSource, opt_out: OptOut) -> bool:
    if source in LIFTS:
        return True
    by_the_shop = (ConsentSource.MANUAL, ConsentSource.API)
    return source in by_the_shop and way_back(opt_out) == WayBack.SHOP


def _came_back_after(account: Account, phone: str, at: datetime) -> bool:
    """Whether the phone itself opted in later: a form counts once a text from it confirmed it."""
    from_the_phone = Q(source__in=LIFTS) | Q(source=ConsentSource.FORM, message_id__isnull=False)
    return ConsentEvent.objects.filter(
        from_the_phone, account=account, phone=phone, kind=ConsentKind.IN, at__gt=at
    ).exists()


def _own_opt_in_stands(account: Account, phone: str) -> bool:
    """Whether the newest opt-in on record is an act of the person's own."""
    events = ConsentEvent.objects.filter(account=account, phone=phone, kind=ConsentKind.IN)
    newest = events.order_by("-at", "-id").values_list("source", flat=True).first()
    return newest in OWN_ACTS


def contact_lock(*, account: Account, phone: str) -> Contact:
    """The contact of this phone, locked; a deleted one is made where there is none."""
    contacts = Contact.objects.select_for_update(no_key=True)
    contact = contacts.filter(account=account, phone=phone).first()
    if contact is None:
        moment = now()
        Contact.objects.bulk_create(
            [Contact(account=account, phone=phone, created_at=moment, deleted_at=moment)],
            ignore_conflicts=True,
        )
        contact = contacts.get(account=account, phone=phone)
    return contact


def _event(
    account: Account,
    phone: str,
    kind: ConsentKind,
    source: ConsentSource,
    wording: str,
    message_id: int | None,
    actor: User | None,
    at: datetime,
    form_id: int | None = None,
) -> None:
    ConsentEvent.objects.create(
        account=account,
        phone=phone,
        kind=kind,
        source=source,
        wording=wording[:500],
        message_id=message_id,
        form_id=form_id,
        actor=actor,
        at=at,
    )
