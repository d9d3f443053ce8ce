"""What the carrier's count charged, or gave back, by number: the rows say what the ledger says."""

from collections.abc import Callable

import pytest

from accounts.models import Account, CreditEntry
from accounts.services import credits_refund
from carriersim.client import Client
from messaging.costs import credits_follow
from messaging.models import Attempt, Batch, BatchCost, SenderNumber
from messaging.reconcile import batch_reconcile
from messaging.recounting import Difference, differences
from messaging.selectors import costs_of
from tests.messaging.conftest import Launch, People, make_sender, send_all

pytestmark = pytest.mark.django_db

FIRST, SECOND, THIRD = "+12025550100", "+12025550101", "+12025550102"

Count = Callable[..., tuple[int, int]]


@pytest.fixture
def sent(
    account: Account, launch: Launch, people: People, sender: SenderNumber, sim: Client
) -> Batch:
    """Nine people, three from each number, two segments each; the carrier counted as we did."""
    people(9)
    pool = [make_sender(account, sim, phone=phone) for phone in (SECOND, THIRD)]
    batch = launch(also_from=pool, body="Hi {{first_name}}, " + "tulips " * 30)
    send_all()
    sim.flush()
    batch_reconcile(batch=batch)
    return batch


@pytest.fixture
def count(sent: Batch) -> Count:
    """`count(3, 1, 2)`: the carrier counts so many for the texts of each number.

    Says what was charged and what was borne in all.
    """

    def counted(*segments: int) -> tuple[int, int]:
        for number, one in zip((FIRST, SECOND, THIRD), segments, strict=True):
            texts = Attempt.objects.filter(message__our_number=number)
            assert texts.update(carrier_segments=one) == 3
        credits_follow(sent.pk)
        sent.refresh_from_db()
        return sent.credits_adjusted, sent.credits_borne

    return counted


def rows(batch: Batch) -> list[int]:
    """What the costs say was charged, or given back, by number."""
    found = BatchCost.objects.filter(batch=batch).order_by("our_number")
    return list(found.values_list("adjusted_credits", flat=True))


def refund_all_but(account: Account, credits: int) -> None:
    account.refresh_from_db()
    credits_refund(account=account, credits=account.credit_balance - credits, key="all", actor=None)


def test_what_was_given_back_stays_so_where_nothing_is_left_to_charge(
    sent: Batch, account: Account, count: Count
):
    assert (count(1, 1, 1), rows(sent)) == ((-9, 0), [-3, -3, -3])
    refund_all_but(account, 0)

    assert (count(3, 1, 3), rows(sent)) == ((-9, 12), [0, -3, -6])

    (cost,) = costs_of([sent.pk])
    assert (cost.credits, cost.adjusted, cost.charged) == (18, -9, 9)
    moved = CreditEntry.objects.filter(kind="adjust").values_list("available", flat=True)
    assert -sum(moved) == -9
    assert differences() == []


def test_what_was_borne_is_in_the_costs_of_no_number(sent: Batch, account: Account, count: Count):
    refund_all_but(account, 4)

    assert (count(3, 2, 4), rows(sent)) == ((4, 5), [0, 0, 4])
    assert differences() == []
    assert (count(2, 2, 2), rows(sent)) == ((0, 0), [0, 0, 0])
    assert differences() == []


def test_a_recount_finds_costs_that_are_not_what_was_charged(sent: Batch, count: Count):
    count(3, 2, 2)
    BatchCost.objects.filter(batch=sent, our_number=SECOND).update(adjusted_credits=5)

    kept = [Difference("messaging_batchcost", f"batch {sent.pk}", "adjusted_credits", 8, 3)]
    assert differences() == differences(batch_id=sent.pk) == kept


@pytest.mark.parametrize(
    ("adjusted", "borne", "said", "mended"),
    [
        # All three differed by what is now told apart as borne.
        (4, 5, [3, 0, 6], [0, 0, 4]),
        (0, 9, [3, -3, 9], [0, -3, 3]),
        (-9, 12, [3, -3, 3], [0, -3, -6]),
        # Of several numbers it was not known, so nothing was said.
        (18, 0, [0, 0, 0], [0, 0, 18]),
        (-9, 0, [0, 0, 0], [0, 0, -9]),
        (9, 0, [3, 3, 3], [3, 3, 3]),
    ],
)
def test_costs_kept_before_are_what_was_charged(
    sent: Batch,
    migrate: Callable[..., None],
    adjusted: int,
    borne: int,
    said: list[int],
    mended: list[int],
):
    Batch.objects.filter(pk=sent.pk).update(credits_adjusted=adjusted, credits_borne=borne)
    for number, credits in zip((FIRST, SECOND, THIRD), said, strict=True):
        BatchCost.objects.filter(our_number=number).update(adjusted_credits=credits)

    migrate("messaging", "0023_costs_follow_credits")

    assert rows(sent) == mended
