"""Vanished workers: what they had in hand is judged, found out and settled."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from messaging.activity import ActivityMoves
from messaging.choices import ChunkState
from messaging.judge import leases_judge
from messaging.models import (
    Attempt,
    CarrierAccount,
    Chunk,
    Message,
)
from messaging.reopening import reopen
from messaging.sending.drain import serve_window
from messaging.sending.exchange import Exchange
from messaging.sending.results import record
from messaging.sending.window import prepare
from messaging.services.finish import batches_finish
from messaging.tally import TallyMoves
from tests.messaging.conftest import (
    Launch,
    People,
    claim_soon,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tests.messaging.doubts import LOST, PLAIN, abandon_window, look
from tests.messaging.test_send import assert_credits_balance

pytestmark = pytest.mark.django_db


def test_a_worker_that_died_after_sending_is_found_out_message_by_message(
    launch: Launch, people: People, sim: Client, account: Account, settings: Any
):
    settings.SEND_WINDOW = 6
    people(10)
    batch = launch(body="Hi {{first_name}}")

    def send_half(exchange: Exchange) -> None:
        from messaging.sending.drain import _transport

        del exchange.prepared.sends[3:]
        exchange.run(_transport())

    abandon_window(batch, sent=send_half)

    assert leases_judge() == 6
    assert states(batch) == tallies(batch) == {("unknown", ""): 6, ("pending", ""): 4}
    assert look(2) == [(3, 0), (0, 3)]
    send_all()
    assert states(batch) == tallies(batch) == {("accepted", ""): 10}
    assert sim.summary()["accepted"] == 10
    assert sim.summary()["most_to_one"] == 1
    assert_credits_balance(account, batch)


def test_a_lease_is_not_judged_before_the_carriers_list_can_tell(
    launch: Launch, people: People, settings: Any
):
    people(3)
    CarrierAccount.objects.update(list_delay_s=30)
    batch = launch()
    claim_soon()
    settings.CARRIER_REQUEST_TIMEOUT_S = 20.0

    Chunk.objects.update(lease_until=now() - timedelta(seconds=49))
    early = leases_judge()
    Chunk.objects.update(lease_until=now() - timedelta(seconds=51))
    due = leases_judge()

    assert (early, due) == (0, 3)
    assert states(batch) == {("unknown", ""): 3}
    assert Chunk.objects.get().state == ChunkState.DONE


def test_results_that_come_after_the_verdict_are_still_stored(
    launch: Launch, people: People, sim: Client, account: Account
):
    from messaging.sending.drain import _transport

    people(4)
    batch = launch()
    window = claim_soon()
    exchange = Exchange(prepare(window))
    exchange.run(_transport())
    Chunk.objects.update(lease_until=now() - timedelta(minutes=5))
    leases_judge()
    assert states(batch) == {("unknown", ""): 4}

    record(exchange)

    assert states(batch) == tallies(batch) == {("accepted", ""): 4}
    assert Attempt.objects.filter(outcome="accepted", carrier_id__isnull=False).count() == 4
    assert Attempt.objects.count() == 4
    batches_finish()
    assert_credits_balance(account, batch)


def test_recording_a_window_twice_changes_nothing(
    launch: Launch, people: People, sim: Client, account: Account
):
    from messaging.sending.drain import _transport

    people(phones=[PLAIN, "+14155550158", "+14155550175", LOST])
    batch = launch()
    exchange = Exchange(prepare(claim_soon()))
    exchange.run(_transport())
    record(exchange)
    before = (states(batch), tallies(batch), Attempt.objects.count())
    account.refresh_from_db()
    held = account.credit_held

    record(exchange)

    account.refresh_from_db()
    assert (states(batch), tallies(batch), Attempt.objects.count()) == before
    assert account.credit_held == held == 3


def test_no_request_starts_that_could_outlive_its_lease(
    launch: Launch, people: People, sim: Client, settings: Any
):
    people(50)
    batch = launch()
    settings.SEND_LEASE_S = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S - 0.1

    assert serve_soon() == 0

    assert sim.summary()["accepted"] == 0
    assert states(batch) == {("pending", ""): 50}
    assert Chunk.objects.get().state == ChunkState.READY


def test_a_callback_that_outran_a_crashed_worker_is_charged_at_the_end(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(1, first_name="Ann")
    batch = launch(body="Hi {{first_name}} " + "x" * 160)
    message = Message.objects.get()
    # As the receipts leave a message whose callback came and whose worker did not.
    Message.objects.update(state="delivered", rank=4, attempts=1)
    batch.tallies.filter(state="pending").update(state="delivered")
    Chunk.objects.update(state=ChunkState.DONE)

    assert batches_finish() == 1

    message.refresh_from_db()
    assert (message.body, message.segments, message.credits) == ("Hi Ann " + "x" * 160, 2, 2)
    assert tallies(batch) == {("delivered", ""): 1}
    assert_credits_balance(account, batch)


@pytest.mark.parametrize("place", ["behind", "within", "ahead"])
def test_what_is_opened_again_while_its_chunk_is_out_is_not_forgotten(
    launch: Launch, people: People, sim: Client, settings: Any, place: str
):
    settings.SEND_WINDOW = 10
    no = {"behind": 3, "within": 15, "ahead": 25}[place]
    contacts = people(30)
    batch = launch()
    serve_soon()
    message = Message.objects.get(batch=batch, recipient_no=no)
    before = message.state
    Message.objects.filter(pk=message.pk).update(state="unknown", rank=1)
    exchange = Exchange(prepare(claim_soon()))
    moves = TallyMoves()
    with connection.cursor() as cursor:
        reopen(cursor, [message.pk], moves, ActivityMoves())

    record(exchange)  # a window that made no request
    Chunk.objects.update(not_before=now() - timedelta(seconds=1))
    Message.objects.exclude(pk=message.pk).update(state="accepted", rank=2)
    sim.reset()
    for _ in range(4):
        serve_window()

    assert before in ("accepted", "pending")
    assert sim.recipients() == {contacts[no - 1].phone: 1}
    assert Chunk.objects.get().state == ChunkState.DONE


def test_a_pending_message_in_a_finished_chunk_is_found_by_the_sweep(
    launch: Launch, people: People, sim: Client
):
    people(3)
    batch = launch()
    Chunk.objects.update(state=ChunkState.DONE, next_no=4)

    batches_finish()
    send_all()

    assert states(batch) == {("accepted", ""): 3}
