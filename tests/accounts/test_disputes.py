"""Disputes: the bank has the money, so the credits go, and come again when it is won."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import Account, Purchase
from accounts.selectors import credit_books
from accounts.services import credits_grant, credits_reserve
from tests.accounts.purchasing import ASKED, LOST, OPENED, PAID, WON, bought, owes, tell
from tests.accounts.stripe_stand_in import StripeStandIn

pytestmark = pytest.mark.django_db


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


@pytest.mark.django_db(transaction=True)
def test_payment_refund_dispute_and_grants_told_at_once_settle(
    stripe: StripeStandIn, purchase: Purchase, account: Account
):
    """A refund before its payment is refused, and told again as Stripe does."""

    def one(name: str) -> int:
        try:
            if name == "grant":
                credits_grant(account=account, credits=10, kind="grant", key="g", actor=None)
                return 204
            while (answer := tell(name)) == 409:
                time.sleep(0.01)
            return answer
        finally:
            connection.close()

    told = [PAID, "charge.refunded-half", OPENED, WON, "grant"] * 4
    with ThreadPoolExecutor(len(told)) as pool:
        answers = list(pool.map(one, random.Random(6).sample(told, len(told))))

    assert answers == [204] * 20
    assert owes(account) == (101_260, 0)
    assert Purchase.objects.get().back_credits == 1250
    books = credit_books(account)
    assert (books.out_of_balance, books.issued) == (0, 101_260)
