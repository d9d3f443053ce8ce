"""Buying credits: a payment page at Stripe, and webhooks that grant once and take back once."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client

from accounts.models import Account, AuditEvent, CreditEntry, Package, Purchase, User
from accounts.selectors import credit_books
from accounts.services import credits_grant, credits_release, credits_reserve
from common.clock import now
from messaging.recounting import differences as recounted
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


def owes(account: Account) -> tuple[int, int]:
    """What is left and what is owed, both of which are the ledger's sums."""
    account.refresh_from_db()
    assert recounted() == []
    return account.credit_balance, account.credit_owed


def test_credits_that_were_used_are_owed_and_paid_by_whatever_comes_in(
    stripe: StripeStandIn, purchase: Purchase, account: Account, alice: User
):
    tell(PAID)
    credits_reserve(account=account, batch_id=7, credits=102_000, key="reserve")

    assert tell("charge.refunded-all") == 204

    entry = CreditEntry.objects.get(kind="refund")
    assert (entry.available, entry.owed, entry.balance_after) == (-500, 2000, 0)
    assert entry.note == "Shop: the payment went back; 2,000 more are owed"
    assert owes(account) == (0, 2000)
    page = browser(alice).get("/settings/credits/").content.decode()
    assert "<strong>2,000</strong> credits are owed" in page

    credits_release(account=account, batch_id=7, credits=300, key="release")
    assert owes(account) == (0, 1700)
    credits_grant(account=account, credits=1000, kind="grant", key="gift", actor=None)
    assert owes(account) == (0, 700)
    credits_grant(account=account, credits=1000, kind="purchase", key="more", actor=None)
    credits_grant(account=account, credits=1000, kind="purchase", key="more", actor=None)
    assert owes(account) == (300, 0)

    paid = CreditEntry.objects.filter(kind="refund", owed__lt=0).order_by("pk")
    assert list(paid.values_list("available", "note")) == [
        (-300, "Owed since a payment went back"),
        (-1000, "Owed since a payment went back"),
        (-700, "Owed since a payment went back"),
    ]
    books = credit_books(account)
    assert (books.out_of_balance, books.issued, books.held) == (0, 102_000, 101_700)


def test_owners_hear_of_credits_that_went_back_and_it_is_in_the_audit_log(
    stripe: StripeStandIn,
    purchase: Purchase,
    account: Account,
    django_capture_on_commit_callbacks: Any,
):
    tell(PAID)
    credits_reserve(account=account, batch_id=7, credits=102_000, key="reserve")

    with django_capture_on_commit_callbacks(execute=True):
        tell("charge.refunded-all")
        tell("charge.refunded-all")

    (told,) = mail.outbox
    assert (told.to, told.subject) == (
        ["alice@example.com"],
        f"{account.name}: 2,500 credits taken back",
    )
    assert "2,500 credits were taken back" in told.body
    assert "2,000 of those taken back had been used already and are owed" in told.body
    event = AuditEvent.objects.get(action="credits.taken_back")
    assert (event.actor, event.subject) == (None, "Shop")
    assert event.data == {"credits": 2500, "owed": 2000}


# ---- disputes -----------------------------------------------------------------------------------

OPENED, WON, LOST = (f"charge.dispute.{name}" for name in ("created", "closed-won", "closed-lost"))
ASKED = "charge.dispute.created-inquiry"


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([PAID, OPENED], 0),
        ([PAID, OPENED, OPENED, LOST, LOST], 0),
        ([PAID, OPENED, WON], 2500),
        ([PAID, OPENED, WON, WON, OPENED], 2500),
        ([PAID, WON, OPENED], 2500),
        ([PAID, LOST, OPENED], 0),
        ([PAID, LOST, WON], 2500),  # on appeal
        ([PAID, ASKED], 2500),
        ([PAID, ASKED, OPENED, ASKED], 0),
        ([OPENED, PAID, PAID], 0),
        ([OPENED, WON, PAID], 2500),
        ([PAID, "charge.refunded-half", OPENED], 0),
        ([PAID, "charge.refunded-all", OPENED, LOST], 0),
        ([PAID, "charge.refunded-half", OPENED, WON], 1250),
    ],
)
def test_a_dispute_holds_the_credits_until_it_is_won(
    stripe: StripeStandIn, purchase: Purchase, account: Account, told: list[str], left: int
):
    assert [tell(name) for name in told] == [204] * len(told)

    assert owes(account) == (100_000 + left, 0)
    assert Purchase.objects.get().back_credits == 2500 - left
    assert credit_books(account).out_of_balance == 0


def test_every_order_of_what_is_told_ends_the_same(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    """Four events; a refund that comes too early is told again, as Stripe does."""
    names = [PAID, "charge.refunded-half", OPENED, WON]
    for order in permutations(names):
        with transaction.atomic():
            waiting = list(order)
            while waiting:
                waiting = [name for name in waiting if tell(name) == 409]
            assert owes(account) == (101_250, 0), order
            transaction.set_rollback(True)


def test_a_won_dispute_pays_what_is_owed_first(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    tell(PAID)
    credits_reserve(account=account, batch_id=7, credits=102_000, key="reserve")
    tell(OPENED)
    assert owes(account) == (0, 2000)

    tell(WON)

    assert owes(account) == (500, 0)
    assert [one for one in bought(account) if one[1] > 0] == [("purchase", 2500)] * 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"payment_intent": "pi_of_another_system"}, 204),
        ({"payment_intent": None}, 204),
        ({"status": "something_new"}, 204),
        ({"currency": "eur"}, 409),
    ],
)
def test_disputes_of_others_and_words_we_do_not_know_move_nothing(
    stripe: StripeStandIn,
    purchase: Purchase,
    account: Account,
    changes: dict[str, Any],
    status: int,
):
    tell(PAID)

    assert tell(OPENED, **changes) == status

    assert owes(account) == (102_500, 0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("checkout.session.expired", "The payment page for <strong>2,500</strong> credits ran out"),
        ("checkout.session.async_payment_failed", "The bank refused the payment"),
    ],
)
def test_what_came_to_nothing_says_so_until_it_is_paid(
    stripe: StripeStandIn,
    purchase: Purchase,
    account: Account,
    alice: User,
    name: str,
    words: str,
):
    page = f"/settings/credits/buy/?purchase={purchase.pk}"
    assert tell(name) == 204
    assert words in browser(alice).get(page).content.decode()
    assert bought(account) == []

    assert (tell(PAID), tell(name)) == (204, 204)
    assert words not in browser(alice).get(page).content.decode()
    assert bought(account) == [("purchase", 2500)]


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_its_dispute_told_at_once_settle(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    def one(name: str) -> int:
        try:
            return tell(name)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, [PAID, OPENED] * 4))

    assert answers == [204] * 8
    assert owes(account) == (100_000, 0)


def test_purchases_of_others_are_not_seen(
    purchase: Purchase, other_account: Account, charlie: User
):
    page = browser(charlie).get("/settings/credits/buy/", {"purchase": str(purchase.pk)})

    assert page.context["back"] is None
    assert list(page.context["page"].rows) == []
