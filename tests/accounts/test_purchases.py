"""Buying credits: the packages and the way to the payment page."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, AuditEvent, Package, Purchase, User
from common.clock import now
from tests.accounts.purchasing import PAID, bought, browser, tell
from tests.accounts.stripe_stand_in import StripeStandIn

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize(
    "over", [{"paid_at": now()}, {"created_at": now() - timedelta(hours=23, minutes=1)}]
)
def test_what_is_paid_or_a_day_old_is_not_begun_again(
    stripe: StripeStandIn, package: Package, account: Account, alice: User, over: dict[str, Any]
):
    form = {"package": str(package.pk), "once": "form-1"}
    browser(alice).post("/settings/credits/buy/", form)
    Purchase.objects.update(**over)

    again = browser(alice).post("/settings/credits/buy/", form, follow=True)

    assert "To buy more, open the page again" in again.content.decode()
    assert len(stripe.asked) == 1
    assert Purchase.objects.get().session_id == "cs_test_1"


def test_a_page_that_is_being_paid_stays_the_purchases(
    stripe: StripeStandIn, package: Package, account: Account, alice: User
):
    form = {"package": str(package.pk), "once": "form-1"}
    browser(alice).post("/settings/credits/buy/", form)
    Purchase.objects.update(session_id="cs_test_being_paid", reference="ref-of-the-recording")

    browser(alice).post("/settings/credits/buy/", form)

    assert tell(PAID, id="cs_test_being_paid") == 204
    assert bought(account) == [("purchase", 2500)]


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


def test_purchases_of_others_are_not_seen(
    purchase: Purchase, other_account: Account, charlie: User
):
    page = browser(charlie).get("/settings/credits/buy/", {"purchase": str(purchase.pk)})

    assert page.context["back"] is None
    assert list(page.context["page"].rows) == []
