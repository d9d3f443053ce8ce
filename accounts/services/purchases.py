"""Credits for money: a purchase is begun here, paid at Stripe, and made good by a webhook.

Owns `Purchase`. What is bought is frozen in it when it is begun, so a package that changes while
somebody pays changes nothing for them. How Stripe is asked and read is `accounts.payments`'.

A webhook may come twice, late, or in another order than things happened: credits are granted under
a key made of the session, and what went back is counted from Stripe's running total.
"""

import logging

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts import payments
from accounts.choices import CreditKind
from accounts.errors import PaymentMismatch, PaymentsOff, PaymentTooEarly
from accounts.models import Account, Package, Purchase, User
from accounts.payments import Paid, PaidBack
from accounts.services.audit import audit_record
from accounts.services.credits import credits_grant, credits_refund
from common.clock import now
from common.errors import NotFound
from common.ids import secret_token

log = logging.getLogger(__name__)


def purchase_begin(
    *, account: Account, actor: User, package_id: int, request_key: str
) -> tuple[Purchase, str]:
    """Begin to buy a package. A form that is sent twice begins once and gets the same page.

    Args:
        account: The tenant.
        actor: Who buys.
        package_id: One that is offered.
        request_key: The form's.

    Returns:
        The purchase and the address of the payment page.

    Raises:
        PaymentsOff: no card can be charged here.
        NotFound: the package is not offered.
        PaymentUnreachable: Stripe did not answer; nothing was charged.

    Side effects: one request to Stripe, after the purchase is committed.
    """
    if not payments.is_on():
        raise PaymentsOff
    purchase = _begun(account, actor, package_id, request_key)
    checkout = payments.checkout_create(
        reference=purchase.reference,
        title=f"{purchase.credits:,} credits for {account.name}",
        amount_cents=purchase.price_cents,
        currency=purchase.currency,
        email=actor.email,
        back_url=settings.PUBLIC_URL + reverse("credit_buy") + f"?purchase={purchase.pk}",
    )
    Purchase.objects.filter(pk=purchase.pk).update(session_id=checkout.session_id)
    return purchase, checkout.url


@transaction.atomic
def _begun(account: Account, actor: User, package_id: int, request_key: str) -> Purchase:
    package = Package.objects.filter(pk=package_id, is_offered=True).first()
    if package is None:
        raise NotFound("This package is no longer offered. Choose another one.")
    purchase, is_new = Purchase.objects.get_or_create(
        account=account,
        request_key=request_key,
        defaults={
            "name": package.name,
            "credits": package.credits,
            "price_cents": package.price_cents,
            "currency": package.currency,
            "reference": secret_token(),
            "created_by": actor,
        },
    )
    if is_new:
        audit_record(
            account=account,
            actor=actor,
            action="credits.purchase_begun",
            subject=purchase.name,
            data={"credits": purchase.credits, "price": purchase.price},
        )
    return purchase


def payment_heard(*, payload: bytes, signature: str) -> None:
    """Take in a webhook of Stripe's. Events about nothing of ours change nothing.

    Raises:
        PaymentForged: Stripe did not sign it.
        PaymentMismatch: it is about one of our purchases and disagrees with it.
        PaymentTooEarly: a refund whose payment has not been told yet; Stripe tries again.

    Locks: purchase, account.
    """
    event = payments.event_read(payload, signature)
    if isinstance(event, Paid):
        _paid(event)
    elif isinstance(event, PaidBack):
        _paid_back(event)


@transaction.atomic
def _paid(event: Paid) -> None:
    purchase = _named(event.reference)
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
    )
    if purchase.paid_at is None:
        purchase.paid_at, purchase.session_id = now(), event.session_id
        purchase.save(update_fields=["paid_at", "session_id"])


@transaction.atomic
def _paid_back(event: PaidBack) -> None:
    purchase = _named(event.reference)
    if purchase is None:
        return
    if purchase.paid_at is None:
        raise PaymentTooEarly
    if event.currency != purchase.currency or event.amount_cents > purchase.price_cents:
        log.error("a refund does not agree with purchase %s", purchase.pk)
        raise PaymentMismatch
    # All refunds so far against all credits so far: rounding never adds up.
    taken, due = (
        purchase.credits * cents // purchase.price_cents
        for cents in (purchase.refunded_cents, event.amount_cents)
    )
    if due <= taken:
        return
    credits_refund(
        account=purchase.account,
        credits=due - taken,
        key=f"refund:{purchase.session_id}:{event.amount_cents}",
        actor=None,
        note=f"{purchase.name}: the payment went back",
    )
    purchase.refunded_cents = event.amount_cents
    purchase.save(update_fields=["refunded_cents"])


def _named(reference: str) -> Purchase | None:
    """The purchase of that reference, locked; None where Stripe tells of somebody else's."""
    rows = Purchase.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("account", "created_by").filter(reference=reference).first()
