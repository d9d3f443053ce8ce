"""Buying credits: a payment page at Stripe, and webhooks that grant once and take back once."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Account, AuditEvent, CreditEntry, Package, Purchase, User
from accounts.services import credits_reserve
from tests.accounts.stripe_stand_in import StripeStandIn, stand_in

pytestmark = pytest.mark.django_db

PAYLOADS = Path(__file__).parent.parent / "payloads" / "stripe"
SECRET = "whsec_of_the_tests"
PAID = "checkout.session.completed"


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeStandIn]:
    """The stand-in, with this process' keys set for it."""
    with stand_in() as server:
        settings.STRIPE_SECRET_KEY = "sk_test_stand_in"
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        settings.STRIPE_API_BASE_URL = server.base_url
        yield server


@pytest.fixture
def package(db: None) -> Package:
    """2,500 credits for 50 dollars."""
    return Package.objects.create(name="Shop", credits=2500, price_cents=5000)


@pytest.fixture
def purchase(account: Account, alice: User) -> Purchase:
    """The one that the recorded payloads are about, not paid yet."""
    return Purchase.objects.create(
        account=account,
        name="Shop",
        credits=2500,
        price_cents=5000,
        currency="usd",
        reference="ref-of-the-recording",
        request_key="form",
        session_id="cs_test_a1fWqcm2Yb0Tz9dLk3",
        created_by=alice,
    )


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def tell(name: str, *, secret: str = SECRET, signed_at: float | None = None, **changes: Any) -> int:
    """Post a recorded payload as Stripe does; returns the status of the answer."""
    body = (PAYLOADS / f"{name}.json").read_text()
    if changes:
        event = json.loads(body)
        event["data"]["object"].update(changes)
        body = json.dumps(event)
    stamp = int(signed_at if signed_at is not None else time.time())
    digest = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    # Stripe's servers hold no cookie: this client checks that none is asked for.
    answer = Client(enforce_csrf_checks=True).post(
        "/payments/stripe/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={stamp},v1={digest}"},
    )
    return answer.status_code


def bought(account: Account) -> list[tuple[str, int]]:
    """(kind, credits) of the movements that purchases made."""
    entries = CreditEntry.objects.filter(account=account, kind__in=["purchase", "refund"])
    return list(entries.order_by("pk").values_list("kind", "available"))


# ---- the way to the payment page ----------------------------------------------------------------


def test_a_form_sent_twice_begins_one_purchase_and_leads_to_one_page(
    stripe: StripeStandIn, package: Package, account: Account, alice: User
):
    form = {"package": str(package.pk), "once": "form-1"}

    first, again = (browser(alice).post("/settings/credits/buy/", form) for _ in range(2))

    purchase = Purchase.objects.get()
    assert first.status_code == again.status_code == 302
    assert first["Location"] == again["Location"]
    assert first["Location"] == "https://checkout.stripe.com/c/pay/cs_test_1"
    assert (purchase.account, purchase.created_by) == (account, alice)
    assert (purchase.credits, purchase.price, purchase.session_id) == (
        2500,
        "50.00 USD",
        "cs_test_1",
    )
    asked, asked_again = stripe.asked
    assert asked == asked_again
    assert asked["key"] == f"purchase:{purchase.reference}"
    assert asked["client_reference_id"] == purchase.reference
    assert asked["payment_intent_data[metadata][reference]"] == purchase.reference
    assert asked["line_items[0][price_data][unit_amount]"] == "5000"
    assert asked["line_items[0][price_data][currency]"] == "usd"
    assert asked["customer_email"] == "alice@example.com"
    assert f"?purchase={purchase.pk}" in asked["success_url"]
    assert AuditEvent.objects.filter(action="credits.purchase_begun").count() == 1
    assert bought(account) == []


def test_where_stripe_is_away_nothing_is_charged_and_it_says_so(
    stripe: StripeStandIn, package: Package, account: Account, alice: User
):
    stripe.is_down = True

    answer = browser(alice).post(
        "/settings/credits/buy/", {"package": str(package.pk), "once": "1"}, follow=True
    )

    assert "The payment page could not be opened. Nothing was charged." in answer.content.decode()
    assert bought(account) == []


@pytest.mark.parametrize("chosen", ["", "x", "0", "999999"])
def test_what_is_not_offered_cannot_be_bought(
    stripe: StripeStandIn, package: Package, account: Account, alice: User, chosen: str
):
    Package.objects.filter(pk=package.pk).update(is_offered=False)

    answer = browser(alice).post(
        "/settings/credits/buy/", {"package": chosen or str(package.pk)}, follow=True
    )

    assert "This package is no longer offered" in answer.content.decode()
    assert (stripe.asked, list(account.purchases.all())) == ([], [])


def test_without_the_keys_the_page_says_whom_to_ask_and_no_webhook_is_heard(
    package: Package, purchase: Purchase, account: Account, alice: User
):
    page = browser(alice).get("/settings/credits/buy/").content.decode()
    refused = browser(alice).post("/settings/credits/buy/", {"package": package.pk}, follow=True)

    assert "the people who run this installation add credits for you" in page
    assert "50.00 USD" in page
    assert "Pay 50.00 USD" not in page
    assert "Cards are not charged here" in refused.content.decode()
    assert tell(PAID) == 404
    assert bought(account) == []


# ---- what Stripe tells --------------------------------------------------------------------------


def test_a_payment_brings_its_credits_once_however_often_it_is_told(
    stripe: StripeStandIn, purchase: Purchase, account: Account, alice: User
):
    assert [tell(PAID), tell(PAID), tell("checkout.session.async_payment_succeeded")] == [204] * 3

    entry = CreditEntry.objects.get(kind="purchase")
    assert (entry.account, entry.available, entry.balance_after) == (account, 2500, 102_500)
    assert (entry.actor, entry.note) == (alice, "Shop, 50.00 USD")
    assert entry.idempotency_key == "stripe:cs_test_a1fWqcm2Yb0Tz9dLk3"
    page = browser(alice).get("/settings/credits/buy/", {"purchase": str(purchase.pk)})
    assert "<strong>2,500</strong> credits came in for 50.00 USD" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_payment_told_ten_times_at_once_brings_its_credits_once(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    def one(_: int) -> int:
        try:
            return tell(PAID)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, range(10)))

    assert answers == [204] * 10
    assert bought(account) == [("purchase", 2500)]


def test_a_payment_told_before_we_heard_of_its_page_counts(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    Purchase.objects.update(session_id="")

    assert tell(PAID) == 204

    assert bought(account) == [("purchase", 2500)]
    assert Purchase.objects.get().session_id == "cs_test_a1fWqcm2Yb0Tz9dLk3"


@pytest.mark.parametrize(
    ("name", "how", "status"),
    [
        (PAID, {"secret": "whsec_of_somebody_else"}, 400),
        (PAID, {"signed_at": 1_795_640_461}, 400),  # a replay of the recording
        (PAID, {"amount_total": 4999}, 409),
        (PAID, {"currency": "eur"}, 409),
        (PAID, {"id": "cs_test_another"}, 409),
        (PAID, {"client_reference_id": "of another system"}, 204),
        (PAID, {"client_reference_id": None}, 204),
        ("checkout.session.completed-unpaid", {}, 204),
        ("payment_intent.succeeded", {}, 204),
        ("charge.refunded-half", {}, 409),  # told before its payment: told again later
    ],
)
def test_what_is_forged_old_wrong_or_no_payment_changes_nothing(
    stripe: StripeStandIn,
    purchase: Purchase,
    account: Account,
    name: str,
    how: dict[str, Any],
    status: int,
):
    assert tell(name, **how) == status

    assert bought(account) == []
    assert Purchase.objects.filter(paid_at=None, refunded_cents=0).count() == 1


def test_what_went_back_takes_its_share_once_and_in_any_order(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    tell(PAID)

    answers = [tell("charge.refunded-half") for _ in range(2)]
    answers += [tell("charge.refunded-all"), tell("charge.refunded-half")]

    assert answers == [204] * 4
    assert bought(account) == [("purchase", 2500), ("refund", -1250), ("refund", -1250)]
    assert Purchase.objects.get().refunded_cents == 5000


def test_credits_that_were_used_are_not_taken_back(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    tell(PAID)
    credits_reserve(account=account, batch_id=7, credits=102_000, key="reserve")

    assert tell("charge.refunded-all") == 204

    entry = CreditEntry.objects.get(kind="refund")
    assert (entry.available, entry.balance_after) == (-500, 0)
    assert entry.note == "Shop: the payment went back; 2,000 more were borne by the platform"


def test_purchases_of_others_are_not_seen(
    purchase: Purchase, other_account: Account, charlie: User
):
    page = browser(charlie).get("/settings/credits/buy/", {"purchase": str(purchase.pk)})

    assert page.context["back"] is None
    assert list(page.context["page"].rows) == []
