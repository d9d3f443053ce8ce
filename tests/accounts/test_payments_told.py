"""What Stripe tells of payments and refunds: credits come in once and go back once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from accounts.models import Account, AuditEvent, CreditEntry, Purchase, User
from accounts.selectors import credit_books
from accounts.services import credits_grant, credits_release, credits_reserve
from tests.accounts.purchasing import PAID, bought, browser, owes, tell
from tests.accounts.stripe_stand_in import StripeStandIn

pytestmark = pytest.mark.django_db


def test_a_payment_brings_its_credits_once_however_often_it_is_told(
    stripe: StripeStandIn, purchase: Purchase, account: Account, alice: User
):
    assert [tell(PAID), tell(PAID), tell("checkout.session.async_payment_succeeded")] == [204] * 3

    entry = CreditEntry.objects.get(kind="purchase")
    assert (entry.account, entry.available, entry.balance_after) == (account, 2500, 102_500)
    assert (entry.actor, entry.note) == (alice, "Shop, 50.00 USD")
    assert entry.purchase_id == purchase.pk
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
    of_it = CreditEntry.objects.filter(purchase_id=purchase.pk)
    assert [entry.available for entry in of_it.order_by("pk")] == [2500, -1250, -1250]


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
