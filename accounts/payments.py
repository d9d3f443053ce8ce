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

from accounts.errors import PaymentForged, PaymentUnreachable

log = logging.getLogger(__name__)

# A webhook signed longer ago is a replay. Stripe signs anew when it tries again.
_TOLERANCE_S: Final = 300
_PAID_EVENTS: Final = frozenset(
    {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
)


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


@dataclass(frozen=True, slots=True)
class PaidBack:
    """So much of a purchase's price went back to the buyer, all of its refunds together."""

    reference: str
    amount_cents: int
    currency: str


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


def event_read(payload: bytes, signature: str) -> Paid | PaidBack | None:
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
        )
    if kind == "charge.refunded":
        return PaidBack(
            reference=about.get("metadata", {}).get("reference") or "",
            amount_cents=about["amount_refunded"],
            currency=about["currency"],
        )
    return None
