"""The credits of real sends: whatever happens to batches, the books balance and none is owed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from accounts.errors import InsufficientCredits
from accounts.models import Account, CreditEntry, User
from accounts.selectors import credit_books
from accounts.services import credits_grant, credits_refund
from carriersim.client import Client
from messaging.choices import BatchState, MessageState
from messaging.costs import credits_follow
from messaging.errors import BatchOver
from messaging.models import Attempt, Batch, BatchTotals, Message
from messaging.recounting import differences
from messaging.services import batch_cancel, batch_retry
from messaging.services.finish import batches_finish
from tests.messaging.conftest import Launch, People, send_all, serve_soon
from tests.messaging.test_retrying import come_back

pytestmark = pytest.mark.django_db

# What a person does next: a number says of which batch, of how many people, of how many credits.
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("launch"), st.integers(1, 12)),
        st.tuples(st.just("launch long"), st.integers(1, 12)),
        st.tuples(st.just("send a window"), st.just(0)),
        st.tuples(st.just("cancel"), st.integers(0, 3)),
        st.tuples(st.just("try again"), st.integers(0, 3)),
        st.tuples(st.just("carrier counts"), st.integers(1, 3)),
        st.tuples(st.just("pay back"), st.integers(1, 40)),
        st.tuples(st.just("grant"), st.integers(1, 20)),
    ),
    min_size=3,
    max_size=9,
)

EXAMPLES = hypothesis.settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Undo(Exception):
    """Ends an example; nothing of it stays in the database."""


def assert_balanced(account: Account) -> None:
    """The columns are the ledger's sums, nothing is negative, and no credit came from nowhere."""
    account.refresh_from_db()
    books = credit_books(account)
    assert books.out_of_balance == 0
    assert (books.available, books.held) == (account.credit_balance, account.credit_held)
    assert min(books.available, books.held, books.used) >= 0
    assert account.credit_owed == 0 or account.credit_balance == 0
    owed = CreditEntry.objects.filter(account=account).aggregate(owed=Sum("owed"))["owed"]
    assert account.credit_owed == owed >= 0
    left = 0
    for entry in CreditEntry.objects.filter(account=account).order_by("pk"):
        left += entry.available
        assert entry.balance_after == left >= 0
    used = sum(Message.objects.filter(account=account).values_list("credits", flat=True))
    used += sum(BatchTotals.objects.values_list("retried_credits", flat=True))
    adjusted = CreditEntry.objects.filter(account=account, kind="adjust")
    assert books.used == used - sum(adjusted.values_list("available", flat=True))
    assert differences() == []


def assert_ended(account: Account) -> None:
    """Nothing is held any more, and each batch used or gave back what it reserved."""
    assert_balanced(account)
    assert account.credit_held == 0
    for batch in Batch.objects.filter(account=account):
        assert batch.credits_reserved == batch.credits_settled + batch.credits_released
        taken = sum(Message.objects.filter(batch=batch).values_list("credits", flat=True))
        retried = BatchTotals.objects.get(batch=batch).retried_credits
        assert batch.credits_settled == taken + retried


@pytest.fixture
def act(
    account: Account, launch: Launch, people: People, sim: Client
) -> Callable[[str, int, int], None]:
    """`act(what, number, turn)`; a third of the people cannot be texted, which the carrier says."""
    contacts = people(12)
    sim.set(scripts={contact.phone: "invalid" for contact in contacts[::3]})

    def launched(people: int, turn: int, **fields: Any) -> None:
        chosen = [contact.pk for contact in contacts[:people]]
        try:
            launch(
                request_key=f"k{turn}", audience=account.contacts.filter(pk__in=chosen), **fields
            )
        except InsufficientCredits:
            assert not Batch.objects.filter(request_key=f"k{turn}").exists()

    def try_again(number: int) -> None:
        """The carrier could not reach somebody, and a person has it tried once more."""
        taken = Message.objects.filter(account=account, state="accepted").order_by("pk")
        message = taken[number : number + 1].first()
        if message is None or message.batch is None:
            return
        come_back(message, MessageState.UNDELIVERED, "30003")
        with suppress(InsufficientCredits, BatchOver):
            batch_retry(account=account, actor=None, batch=message.batch)

    def acting(what: str, number: int, turn: int) -> None:
        running = Batch.objects.filter(account=account, state=BatchState.RUNNING).order_by("pk")
        if what == "launch":
            launched(number, turn)
        elif what == "launch long":
            launched(number, turn, body="Hi {{first_name}}, " + "tulips " * 30)
        elif what == "send a window" and Message.objects.filter(state="pending").exists():
            serve_soon()
        elif what == "cancel" and running:
            batch_cancel(account=account, actor=None, batch=running[number % len(running)])
        elif what == "try again":
            try_again(number)
        elif what == "carrier counts":
            Attempt.objects.filter(outcome="accepted").update(carrier_segments=number)
            for batch in Batch.objects.filter(account=account, settled_at__isnull=False):
                credits_follow(batch.pk)
        elif what == "pay back":
            credits_refund(account=account, credits=number, key=f"refund:{turn}", actor=None)
        elif what == "grant":
            credits_grant(account=account, credits=number, kind="grant", key=str(turn), actor=None)
        batches_finish()

    return acting


def test_no_order_of_launches_sends_cancels_and_refunds_unbalances_the_books(
    account: Account, act: Callable[[str, int, int], None], settings: Any
):
    settings.SEND_WINDOW = 4
    credits_refund(account=account, credits=99_970, key="small", actor=None)  # 30 are left

    @EXAMPLES
    @given(acts=ACTS)
    def any_order(acts: list[tuple[str, int]]) -> None:
        try:
            with transaction.atomic():
                for turn, (what, number) in enumerate(acts):
                    act(what, number, turn)
                    assert_balanced(account)
                send_all()
                assert_ended(account)
                raise Undo
        except Undo:
            account.refresh_from_db()

    any_order()


@pytest.mark.django_db(transaction=True)
def test_fifty_launches_at_once_reserve_no_credit_twice(
    launch: Launch, people: People, account: Account, alice: User
):
    people(3)
    credits_refund(account=account, credits=99_900, key="small", actor=None)  # 100 are left

    def one(at: int) -> int:
        try:
            return launch(request_key=f"k{at % 45}").pk  # five are launched twice
        except InsufficientCredits:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        batches = set(pool.map(one, range(50))) - {0}

    assert len(batches) == 33  # 33 x 3 = 99; the next does not fit
    assert Batch.objects.count() == 33
    assert_balanced(account)
    assert (account.credit_balance, account.credit_held) == (1, 99)

    send_all()

    assert_ended(account)
    assert (account.credit_balance, credit_books(account).used) == (1, 99)
