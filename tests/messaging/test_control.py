import pytest
from django.db import transaction

from accounts.models import Account, AuditEvent, User
from carriersim.client import Client
from common.errors import NotFound
from messaging.choices import BatchState, ChunkState
from messaging.errors import BatchOver
from messaging.models import Batch, Chunk, Message
from messaging.sending.claim import claim
from messaging.sending.drain import serve_window
from messaging.sending.exchange import Exchange
from messaging.sending.leases import Window
from messaging.sending.results import record
from messaging.sending.window import prepare
from messaging.services import batch_cancel, batch_pause, batch_resume
from messaging.services.finish import batches_finish
from tests.messaging.conftest import (
    Launch,
    People,
    claim_soon,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tests.messaging.test_send import assert_credits_balance
from tests.races import in_thread, wait_for_lock_waits

pytestmark = pytest.mark.django_db


def test_what_had_gone_stays_gone_and_resuming_sends_the_rest(
    launch: Launch, people: People, sim: Client, account: Account, alice: User, settings
):
    settings.SEND_WINDOW = 40
    people(100)
    batch = launch()
    serve_soon()

    paused = batch_pause(account=account, actor=alice, batch=batch)
    nothing = serve_window()

    assert (paused.state, nothing) == (BatchState.PAUSED, None)
    assert states(batch) == {("accepted", ""): 40, ("pending", ""): 60}
    batch_resume(account=account, actor=alice, batch=batch)
    send_all()
    assert sim.summary()["accepted"] == 100
    assert sim.summary()["most_to_one"] == 1
    assert states(batch) == {("accepted", ""): 100}
    assert list(
        AuditEvent.objects.filter(action__startswith="batch.").values_list("action", "actor_id")
    ) == [("batch.paused", alice.pk), ("batch.resumed", alice.pk)]


def test_canceling_skips_the_rest_and_gives_its_credits_back(
    launch: Launch, people: People, sim: Client, account: Account, settings
):
    settings.SEND_WINDOW = 40
    people(1500)
    batch = launch()
    serve_soon()

    batch_cancel(account=account, actor=None, batch=batch)

    assert serve_window() is None
    batches_finish()
    assert states(batch) == {("accepted", ""): 40, ("skipped", "canceled"): 1460}
    assert tallies(batch) == states(batch)
    assert sim.summary()["accepted"] == 40
    assert_credits_balance(account, batch)
    account.refresh_from_db()
    assert account.credit_balance == 99_960


def test_canceling_leaves_a_window_that_is_out_to_its_worker(
    launch: Launch, people: People, account: Account, settings
):
    settings.SEND_WINDOW = 10
    people(30)
    batch = launch()
    claim_soon()

    batch_cancel(account=account, actor=None, batch=batch)
    assert batches_finish() == 0

    assert states(batch) == {("pending", ""): 10, ("skipped", "canceled"): 20}
    assert tallies(batch) == states(batch)


def test_what_a_window_leaves_of_a_canceled_batch_is_skipped_by_the_sweep(
    launch: Launch, people: People, account: Account, settings
):
    settings.SEND_WINDOW = 10
    people(30)
    batch = launch()
    claim_soon()
    batch_cancel(account=account, actor=None, batch=batch)
    Chunk.objects.update(state=ChunkState.READY, lease_token=None)

    assert batches_finish() == 1

    assert states(batch) == {("skipped", "canceled"): 30}
    assert tallies(batch) == states(batch)
    assert_credits_balance(account, batch)


@pytest.mark.django_db(transaction=True)
def test_a_window_that_comes_back_while_canceling_is_not_followed_by_another(
    launch: Launch, people: People, sim: Client, account: Account, settings
):
    settings.SEND_WINDOW = 10
    people(30)
    batch = launch()
    window = claim_soon()
    next_windows: list[Window | None] = []

    def come_back() -> None:
        record(Exchange(prepare(window)))
        next_windows.append(claim())

    with transaction.atomic():
        # Canceling has locked what it locks and now waits for this row.
        Message.objects.select_for_update().get(batch=batch, recipient_no=30)
        canceling = in_thread(lambda: batch_cancel(account=account, actor=None, batch=batch))
        wait_for_lock_waits(1)
        coming_back = in_thread(come_back)
        wait_for_lock_waits(2, or_ended=coming_back)
    canceling.join()
    coming_back.join()
    batches_finish()

    assert next_windows == [None]
    assert states(batch) == {("skipped", "canceled"): 30}
    assert tallies(batch) == states(batch)


@pytest.mark.parametrize("act", [batch_pause, batch_resume, batch_cancel])
def test_a_batch_that_is_over_cannot_be_changed(
    launch: Launch, people: People, sim: Client, account: Account, act
):
    people(1)
    batch = launch()
    send_all()

    with pytest.raises(BatchOver):
        act(account=account, actor=None, batch=batch)

    batch.refresh_from_db()
    assert batch.state == BatchState.DONE


@pytest.mark.parametrize("act", [batch_pause, batch_resume, batch_cancel])
def test_another_accounts_batch_does_not_exist(
    launch: Launch, people: People, other_account: Account, act
):
    people(1)
    batch = launch()

    with pytest.raises(NotFound):
        act(account=other_account, actor=None, batch=batch)

    assert Batch.objects.get().state == BatchState.RUNNING
    assert not AuditEvent.objects.filter(action__startswith="batch.").exists()


def test_doing_it_twice_does_it_once(launch: Launch, people: People, account: Account):
    people(3)
    batch = launch()

    for _ in range(2):
        batch_pause(account=account, actor=None, batch=batch)
    for _ in range(2):
        batch_cancel(account=account, actor=None, batch=batch)

    assert AuditEvent.objects.filter(action__startswith="batch.").count() == 2
    assert tallies(batch) == {("skipped", "canceled"): 3}
