"""Credits for money: a purchase is begun here, paid at Stripe, and made good by a webhook.

What is bought is frozen in `Purchase` when it is begun, so a package that changes while somebody
pays changes nothing for them. How Stripe is asked and read is `accounts.payments`', what its
webhooks do `accounts.services.paid`'s.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts import payments
from accounts.errors import PaymentsOff, PurchaseOver
from accounts.models import Account, Package, Purchase, User
from accounts.services.audit import audit_record
from common.clock import now
from common.errors import NotFound
from common.ids import secret_token

# Stripe forgets an idempotency key after a day, and would make a second page to pay at.
_ONE_PAGE_FOR: Final = timedelta(hours=23)


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
        PurchaseOver: sent again when it was paid, or 23 hours after it was begun.
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
    Purchase.objects.filter(pk=purchase.pk, session_id="").update(session_id=checkout.session_id)
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
    if purchase.paid_at or purchase.created_at < now() - _ONE_PAGE_FOR:
        raise PurchaseOver
    if is_new:
        audit_record(
            account=account,
            actor=actor,
            action="credits.purchase_begun",
            subject=purchase.name,
            data={"credits": purchase.credits, "price": purchase.price},
        )
    return purchase
