"""Stripe Checkout: a payment page for one purchase, and what its webhooks say. No database.

Owns the translation between a purchase and Stripe's API, by Stripe's own library. Card data never
comes here: the buyer types it on Stripe's page. What a payment does to credits is
`accounts.services.purchases`'.
https://docs.stripe.com/payments/checkout/how-checkout-works
"""

import json
import logging
from dataclasses import dataclass
from typing import Any, Final

import stripe
from django.conf import settings

from accounts.choices import DisputeState, PurchaseEnd
from accounts.errors import PaymentForged, PaymentUnreachable

log = logging.getLogger(__name__)

# A webhook signed longer ago is a replay. Stripe signs anew when it tries again.
_TOLERANCE_S: Final = 300
_PAID_EVENTS: Final = frozenset(
    {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
)
_NOT_PAID_EVENTS: Final = {
    "checkout.session.expired": PurchaseEnd.EXPIRED,
    "checkout.session.async_payment_failed": PurchaseEnd.FAILED,
}
_DISPUTE_EVENTS: Final = frozenset(
    {"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"}
)
# Stripe's words for a dispute. An inquiry ("warning") takes no money, an appeal is one that was
# lost and is not over. What is prevented never began; where it cost a refund, that is told too.
# https://docs.stripe.com/api/disputes/object#dispute_object-status
_DISPUTE_STATES: Final = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.INQUIRY,
    "prevented": DisputeState.INQUIRY,
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    "appeal_needs_response": DisputeState.LOST,
    "appeal_under_review": DisputeState.LOST,
    "lost": DisputeState.LOST,
    "won": DisputeState.WON,
}


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page at Stripe: its id and where the buyer is sent."""

    session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A checkout was paid. Amounts in the currency's smallest unit."""

    session_id: str
    reference: str
    amount_cents: int
    currency: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class NotPaid:
    """A checkout came to nothing: nobody paid in time, or the bank said no afterwards."""

    reference: str
    end: PurchaseEnd


@dataclass(frozen=True, slots=True)
class PaidBack:
    """So much of a purchase's price went back to the buyer, all of its refunds together."""

    event_id: str
    reference: str
    amount_cents: int
    currency: str


@dataclass(frozen=True, slots=True)
class Disputed:
    """A buyer's bank asks for a payment back, or has decided. It names the payment alone."""

    event_id: str
    dispute_id: str
    payment_id: str
    amount_cents: int
    currency: str
    state: DisputeState


Heard = Paid | NotPaid | PaidBack | Disputed


def is_on() -> bool:
    """Whether cards can be charged here: both of Stripe's secrets are set."""
    return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET)


def checkout_create(
    *, reference: str, title: str, amount_cents: int, currency: str, email: str, back_url: str
) -> Checkout:
    """Make a payment page. The same `reference` gets the same page, however often it is asked.

    Args:
        reference: Names the purchase at Stripe and in its webhooks.
        title: What the buyer pays for.
        amount_cents: In the currency's smallest unit.
        currency: ISO 4217, lower case.
        email: The buyer's, filled in for them.
        back_url: Where the buyer comes back to, paid or not.

    Raises:
        PaymentUnreachable: Stripe did not answer, or refused.

    Side effects: one request to Stripe; never inside a transaction.
    """
    client = stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE_URL},
        max_network_retries=2,
    )
    item: Any = {
        "quantity": 1,
        "price_data": {
            "currency": currency,
            "unit_amount": amount_cents,
            "product_data": {"name": title},
        },
    }
    try:
        session = client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [item],
                "client_reference_id": reference,
                "customer_email": email,
                # Charges and refunds name the payment, not the session.
                "payment_intent_data": {"metadata": {"reference": reference}},
                "success_url": back_url,
                "cancel_url": back_url,
            },
            {"idempotency_key": f"purchase:{reference}"},
        )
    except stripe.StripeError as error:
        log.warning("no payment page for %s: %s", reference, error)
        raise PaymentUnreachable from error
    if not session.url:
        raise PaymentUnreachable
    return Checkout(session.id, session.url)


def event_read(payload: bytes, signature: str) -> Heard | None:
    """What a webhook says about a purchase; None for events that say nothing about one.

    Raises:
        PaymentForged: the signature is not Stripe's, or older than five minutes.
    """
    try:
        stripe.WebhookSignature.verify_header(
            payload.decode(), signature, settings.STRIPE_WEBHOOK_SECRET, _TOLERANCE_S
        )
        event = json.loads(payload)
    except (stripe.SignatureVerificationError, ValueError) as error:
        raise PaymentForged from error
    kind, about = event.get("type"), event.get("data", {}).get("object", {})
    if kind in _PAID_EVENTS and about.get("payment_status") == "paid":
        return Paid(
            session_id=about["id"],
            reference=about.get("client_reference_id") or "",
            amount_cents=about["amount_total"],
            currency=about["currency"],
            payment_id=about.get("payment_intent") or "",
        )
    if kind in _NOT_PAID_EVENTS:
        return NotPaid(about.get("client_reference_id") or "", _NOT_PAID_EVENTS[kind])
    if kind in _DISPUTE_EVENTS and about.get("status") in _DISPUTE_STATES:
        return Disputed(
            event_id=event["id"],
            dispute_id=about["id"],
            payment_id=about.get("payment_intent") or "",
            amount_cents=about["amount"],
            currency=about["currency"],
            state=_DISPUTE_STATES[about["status"]],
        )
    if kind == "charge.refunded":
        return PaidBack(
            event_id=event["id"],
            reference=about.get("metadata", {}).get("reference") or "",
            amount_cents=about["amount_refunded"],
            currency=about["currency"],
        )
    return None
