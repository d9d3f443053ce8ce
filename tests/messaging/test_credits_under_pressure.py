"""Credits while others act at the same moment: whatever comes between, the books balance."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from accounts.choices import AccountStatus
from accounts.errors import InsufficientCredits
from accounts.models import Account, User
from accounts.selectors import credit_books
from accounts.services import (
    account_status_set,
    credits_grant,
    credits_refund,
    credits_reserve,
)
from carriersim.client import Client
from messaging.choices import BatchState
from messaging.errors import AccountSuspended, BatchOver
from messaging.gateways.transport import Transport
from messaging.models import Batch, Message
from messaging.recounting import differences
from messaging.sending.claim import claim
from messaging.sending.drain import serve_window
from messaging.sending.exchange import Exchange
from messaging.sending.leases import Window
from messaging.sending.results import record
from messaging.sending.window import prepare
from messaging.services import batch_cancel, batch_pause, batch_resume
from messaging.services import launch as launching
from messaging.services.finish import batches_finish
from tests.messaging.conftest import Launch, People, claim_soon, send_all, serve_soon, states
from tests.messaging.test_credits_of_sends import assert_balanced, assert_ended
from tests.races import in_thread

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_launches_windows_cancels_grants_and_refunds_at_once_lose_no_credit(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 4
    contacts = people(9)
    sim.set(scripts={contact.phone: "invalid" for contact in contacts[::3]})
    credits_refund(account=account, credits=99_900, key="small", actor=None)  # 100 are left

    def one(turn: int) -> None:
        act = ACTS[turn % len(ACTS)]
        try:
            with suppress(InsufficientCredits, BatchOver):
                act(account, launch, turn)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, random.Random(6).sample(range(84), 84)))

    for batch in Batch.objects.filter(state=BatchState.PAUSED):
        batch_resume(account=account, actor=None, batch=batch)
    send_all()
    assert_ended(account)
    # 12 grants of 7 came in, 12 refunds of 11 went back; of those what was not left is owed.
    assert credit_books(account).issued == 100 + 12 * 7 - 12 * 11 + account.credit_owed
    assert 0 < credit_books(account).used <= 100 + 12 * 7


def _serve(account: Account, launch: Launch, turn: int) -> None:
    """Some windows, on connections of this thread's own."""
    for _ in range(3):
        window = claim()
        if window is not None:
            record(_exchanged(window))
    batches_finish()


def _exchanged(window: Window) -> Exchange:
    """What the carrier says of a window; nothing of it is written yet."""
    exchange = Exchange(prepare(window))
    exchange.run(Transport(concurrency=8, timeout_s=2.0))
    return exchange


def _on_one(change: Callable[..., Batch]) -> Callable[[Account, Launch, int], None]:
    def act(account: Account, launch: Launch, turn: int) -> None:
        found = Batch.objects.filter(state=BatchState.RUNNING).order_by("?").first()
        if found is not None:
            change(account=account, actor=None, batch=found)

    return act


ACTS: list[Callable[[Account, Launch, int], Any]] = [
    lambda _account, launch, turn: launch(request_key=f"k{turn}"),
    lambda _account, launch, turn: launch(request_key=f"k{turn}"),
    _serve,
    lambda account, _launch, turn: credits_grant(
        account=account, credits=7, kind="grant", key=f"g{turn}", actor=None
    ),
    lambda account, _launch, turn: credits_refund(
        account=account, credits=11, key=f"r{turn}", actor=None
    ),
    _on_one(batch_cancel),
    _on_one(batch_pause),
]


def test_canceled_while_the_carrier_answers_what_it_took_is_paid_for_and_the_rest_comes_back(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 10
    contacts = people(30)
    sim.set(scripts={contacts[0].phone: "invalid"})
    batch = launch()
    exchange = _exchanged(claim_soon())

    batch_cancel(account=account, actor=None, batch=batch)
    batches_finish()
    assert_balanced(account)
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (99_970, 30)
    record(exchange)
    record(exchange)
    batches_finish()
    batches_finish()

    assert_ended(account)
    batch.refresh_from_db()
    assert (batch.credits_settled, batch.credits_released) == (9, 21)
    assert states(batch) == {
        ("accepted", ""): 9,
        ("refused", "invalid_number"): 1,
        ("skipped", "canceled"): 20,
    }
    assert account.credit_balance == 99_991


@pytest.mark.django_db(transaction=True)
def test_credits_granted_while_a_launch_counts_are_there_for_it(
    launch: Launch, people: People, account: Account, monkeypatch: pytest.MonkeyPatch
):
    people(10)
    credits_refund(account=account, credits=99_995, key="small", actor=None)  # 5 are left

    def granted_first(**asked: Any) -> Any:
        """Staff give credits in the moment before the launch reserves."""
        in_thread(
            lambda: credits_grant(account=account, credits=5, kind="grant", key="g", actor=None)
        ).join()
        return credits_reserve(**asked)

    with pytest.raises(InsufficientCredits):
        launch()
    monkeypatch.setattr(launching, "credits_reserve", granted_first)
    assert launch().credits_reserved == 10

    send_all()
    assert_ended(account)
    assert (account.credit_balance, credit_books(account).used) == (0, 10)


def test_a_suspended_account_keeps_what_it_holds_until_it_goes_on_or_is_canceled(
    launch: Launch, people: People, account: Account, alice: User, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 4
    people(10)
    first, second = launch(), launch(request_key="k2")
    serve_soon()

    account_status_set(account=account, actor=None, status=AccountStatus.SUSPENDED)

    assert serve_window() is None
    with pytest.raises(AccountSuspended):
        launch(request_key="k3")
    batches_finish()
    assert_balanced(account)
    assert (account.credit_held, sim.summary()["accepted"]) == (16, 4)
    batch_cancel(account=account, actor=alice, batch=second)
    batches_finish()
    assert_balanced(account)
    account_status_set(account=account, actor=None, status=AccountStatus.ACTIVE)
    send_all()
    assert_ended(account)
    assert Message.objects.filter(batch=first, state="accepted").count() == 10
    assert differences() == []
