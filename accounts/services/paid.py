"""What Stripe's webhooks do: credits come in for a payment, and go back with it.

Owns `Dispute` and what changes of a `Purchase` after it was begun. A webhook may come twice, late,
or in another order than things happened. So nothing is added up from events: refunds come as
Stripe's running total, disputes each in a state that only moves on, and credits are moved by what
has been taken back so far differs from what should be.
"""

import logging
from functools import partial

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum
from django.urls import reverse

from accounts import payments
from accounts.choices import CreditKind, DisputeState, Role
from accounts.errors import PaymentMismatch, PaymentTooEarly
from accounts.models import Dispute, Purchase
from accounts.payments import Disputed, NotPaid, Paid, PaidBack
from accounts.services.audit import audit_record
from accounts.services.credits import credits_grant, credits_refund
from accounts.services.mailing import members_mail
from common.clock import now

log = logging.getLogger(__name__)

# A dispute moves on in this order and never back; one that was lost may be won on appeal.
_ORDER = (DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.LOST, DisputeState.WON)
_AWAY = (DisputeState.OPEN, DisputeState.LOST)
_ADVISORY_CLASS = 0x9A1D


def payment_heard(*, payload: bytes, signature: str) -> None:
    """Take in a webhook of Stripe's. Events about nothing of ours change nothing.

    Raises:
        PaymentForged: Stripe did not sign it.
        PaymentMismatch: it is about one of our purchases and disagrees with it.
        PaymentTooEarly: a refund whose payment has not been told yet; Stripe tries again.

    Locks: the payment (advisory), purchase, account. Side effects: a mail to the account's owners
        where credits went back or came again.
    """
    event = payments.event_read(payload, signature)
    with transaction.atomic():
        if isinstance(event, Paid):
            _paid(event)
        elif isinstance(event, NotPaid):
            Purchase.objects.filter(reference=event.reference, paid_at=None).update(ended=event.end)
        elif isinstance(event, PaidBack):
            _paid_back(event)
        elif isinstance(event, Disputed):
            _disputed(event)


def _paid(event: Paid) -> None:
    _payment_lock(event.payment_id)
    purchase = _locked(reference=event.reference)
    if purchase is None:
        return
    known = (purchase.session_id, purchase.price_cents, purchase.currency)
    # The webhook may come before the answer that told us the session.
    if known not in (
        (event.session_id, event.amount_cents, event.currency),
        ("", event.amount_cents, event.currency),
    ):
        log.error("session %s does not agree with purchase %s", event.session_id, purchase.pk)
        raise PaymentMismatch
    credits_grant(
        account=purchase.account,
        credits=purchase.credits,
        kind=CreditKind.PURCHASE,
        key=f"stripe:{event.session_id}",
        actor=purchase.created_by,
        note=f"{purchase.name}, {purchase.price}",
        purchase_id=purchase.pk,
    )
    if purchase.paid_at is None:
        purchase.paid_at, purchase.ended = now(), ""
        purchase.session_id, purchase.payment_id = event.session_id, event.payment_id
        purchase.save(update_fields=["paid_at", "ended", "session_id", "payment_id"])
        _square(purchase, event.session_id)


def _paid_back(event: PaidBack) -> None:
    purchase = _locked(reference=event.reference)
    if purchase is None:
        return
    if purchase.paid_at is None:
        raise PaymentTooEarly
    if event.currency != purchase.currency or event.amount_cents > purchase.price_cents:
        log.error("a refund does not agree with purchase %s", purchase.pk)
        raise PaymentMismatch
    if event.amount_cents > purchase.refunded_cents:
        purchase.refunded_cents = event.amount_cents
        purchase.save(update_fields=["refunded_cents"])
    _square(purchase, event.event_id)


def _disputed(event: Disputed) -> None:
    """Keep it, also where its payment is not told yet, or is another system's."""
    _payment_lock(event.payment_id)
    purchase = _locked(payment_id=event.payment_id) if event.payment_id else None
    if purchase is not None and event.currency != purchase.currency:
        log.error("dispute %s does not agree with purchase %s", event.dispute_id, purchase.pk)
        raise PaymentMismatch
    dispute, _ = Dispute.objects.get_or_create(
        dispute_id=event.dispute_id,
        defaults={
            "payment_id": event.payment_id,
            "amount_cents": event.amount_cents,
            "currency": event.currency,
            "state": event.state,
        },
    )
    if _ORDER.index(event.state) > _ORDER.index(DisputeState(dispute.state)):
        dispute.state, dispute.amount_cents = event.state, event.amount_cents
        dispute.save(update_fields=["state", "amount_cents"])
    if purchase is not None:
        _square(purchase, event.event_id)


def _square(purchase: Purchase, cause: str) -> None:
    """Take back, or give again, by what the credits that went back differ from the money's share.

    All that went back so far against all credits: rounding never adds up. What a refund and a
    dispute both take is taken once.

    Args:
        purchase: Paid and locked.
        cause: The provider's id of what changed, for the movement's key.
    """
    disputes = Dispute.objects.filter(payment_id=purchase.payment_id, state__in=_AWAY)
    disputed = disputes.exclude(payment_id="").aggregate(cents=Sum("amount_cents"))["cents"] or 0
    cents = min(purchase.refunded_cents + disputed, purchase.price_cents)
    back = purchase.credits * cents // purchase.price_cents
    differs = back - purchase.back_credits
    if not differs:
        return
    purchase.back_credits = back
    purchase.save(update_fields=["back_credits"])
    note = f"{purchase.name}: the payment {'went back' if differs > 0 else 'came back'}"
    if differs > 0:
        credits_refund(
            account=purchase.account,
            credits=differs,
            key=f"refund:{cause}",
            actor=None,
            note=note,
            purchase_id=purchase.pk,
        )
    else:
        credits_grant(
            account=purchase.account,
            credits=-differs,
            kind=CreditKind.PURCHASE,
            key=f"return:{cause}",
            actor=None,
            note=note,
            purchase_id=purchase.pk,
        )
    _tell(purchase, differs, is_disputed=bool(disputed))


def _tell(purchase: Purchase, differs: int, *, is_disputed: bool) -> None:
    """Audit what moved, and mail the owners once it is committed."""
    account, is_back, credits = purchase.account, differs > 0, abs(differs)
    account.refresh_from_db(fields=["credit_balance", "credit_owed"])
    audit_record(
        account=account,
        actor=None,
        action="credits.taken_back" if is_back else "credits.came_again",
        subject=purchase.name,
        data={"credits": credits, "owed": account.credit_owed},
    )
    mail = partial(
        members_mail,
        account=account,
        roles=[Role.OWNER],
        subject=f"{account.name}: {credits:,} credits {'taken back' if is_back else 'given again'}",
        template="accounts/email/payment_back.txt",
        context={
            "account": account,
            "purchase": purchase,
            "credits": credits,
            "is_back": is_back,
            "is_disputed": is_disputed,
            "link": settings.PUBLIC_URL + reverse("credits"),
        },
    )
    transaction.on_commit(mail)


def _payment_lock(payment_id: str) -> None:
    """Let a payment and its disputes be told one after another: the row of either may be missing.

    Locks: an advisory lock, to the end of the transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ADVISORY_CLASS, payment_id]
        )


def _locked(**which: str) -> Purchase | None:
    """The purchase, locked; None where Stripe tells of somebody else's."""
    rows = Purchase.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("account", "created_by").filter(**which).first()
