"""What holds while a window is out: lease, deadline, no transaction, few and cheap writes."""

import time
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from contacts.models import OptOut
from messaging.choices import ChunkState
from messaging.frequency import account_lock
from messaging.judge import leases_judge
from messaging.models import Attempt, Chunk, Message
from messaging.sending import drain
from messaging.sending.exchange import Exchange
from messaging.sending.results import record
from messaging.sending.window import prepare
from tests.messaging.conftest import Launch, People, claim_soon, send_all, serve_soon, states
from tests.races import assert_locks_by_id, in_thread, wait_for_lock_waits

pytestmark = pytest.mark.django_db


def exchanged(exchange: Exchange) -> Exchange:
    """The window asked for, all answers there, nothing recorded."""
    exchange.run(drain._transport())
    return exchange


def test_late_results_leave_the_chunk_to_whoever_holds_it_now(
    launch: Launch, people: People, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 5
    people(10)
    batch = launch()
    late = exchanged(Exchange(prepare(claim_soon())))
    Chunk.objects.update(lease_until=now() - timedelta(minutes=5))
    assert leases_judge() == 5
    current = claim_soon()

    record(late)

    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.lease_token) == (ChunkState.LEASED, current.token)
    assert (chunk.next_no, chunk.window_last_no) == (6, 10)
    assert states(batch) == {("accepted", ""): 5, ("pending", ""): 5}
    record(exchanged(Exchange(prepare(current))))
    assert states(batch) == {("accepted", ""): 10}
    assert sim.summary()["most_to_one"] == 1
    assert Chunk.objects.get().state == ChunkState.DONE


def test_a_judge_finds_nothing_in_doubt_where_the_results_came_first(
    launch: Launch, people: People, settings: Any
):
    settings.SEND_WINDOW = 5
    people(10)
    batch = launch()
    exchange = exchanged(Exchange(prepare(claim_soon())))
    Chunk.objects.update(lease_until=now() - timedelta(minutes=5))

    record(exchange)

    assert leases_judge() == 0
    assert states(batch) == {("accepted", ""): 5, ("pending", ""): 5}


def test_the_clock_is_looked_at_before_each_request(
    launch: Launch, people: People, monkeypatch: pytest.MonkeyPatch
):
    people(10)
    launch()
    prepared = prepare(claim_soon())
    requests = Exchange(prepared).begin()
    for _ in range(3):
        next(requests)

    ends = prepared.window.starts_until_boot_s
    monkeypatch.setattr("messaging.sending.exchange.boot_s", lambda: ends + 0.001)

    assert list(requests) == []
    assert prepared.progress[0].left_no == 4


def test_whoever_left_is_asked_for_again_once_the_answer_is_half_a_second_old(
    launch: Launch, people: People, monkeypatch: pytest.MonkeyPatch
):
    people(10)
    launch()
    prepared = prepare(claim_soon())
    asked: list[int] = []
    monkeypatch.setattr(Exchange, "_ask_gate", lambda self, start: asked.append(start))
    moment = prepared.window.asked_boot_s
    monkeypatch.setattr("messaging.sending.exchange.boot_s", lambda: moment)
    requests = Exchange(prepared).begin()

    for _ in range(10):
        next(requests)
        moment += 0.12

    assert asked[0] == 5  # at 0.6 s, not at 0.48


@pytest.mark.django_db(transaction=True)
def test_whoever_leaves_while_a_claim_waits_for_another_is_not_asked_for(
    launch: Launch, people: People, sim: Client, account: Account
):
    account.cap_texts, account.cap_days = 1, 7
    account.save()
    ann, ben = people(2)
    batch = launch()

    with transaction.atomic():
        account_lock([account.pk])
        serving = in_thread(serve_soon)
        wait_for_lock_waits(1, or_ended=serving)
        in_thread(
            lambda: OptOut.objects.create(account=account, phone=ann.phone, source="keyword")
        ).join()
        time.sleep(0.6)
    serving.join()

    assert sim.recipients() == {ben.phone: 1}
    assert states(batch) == {("skipped", "opted_out"): 1, ("accepted", ""): 1}


@pytest.mark.django_db(transaction=True)
def test_what_became_of_a_window_is_written_in_the_order_of_ids(
    launch: Launch, people: People, sim: Client
):
    people(3)
    batch = launch()
    window = exchanged(Exchange(prepare(claim_soon())))
    messages = list(batch.messages.order_by("pk"))
    # A callback was faster, so this one goes by itself.
    Message.objects.filter(pk=messages[0].pk).update(state="delivered", rank=4, attempts=1)

    assert_locks_by_id(partial(record, window), messages)

    assert states(batch) == {("delivered", ""): 1, ("accepted", ""): 2}


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_carrier_is_asked(
    launch: Launch, people: People, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    people(20)
    batch = launch()
    answered = Exchange.answered
    params = connection.get_connection_params()
    wanted = ("host", "port", "user", "password", "dbname")
    other = psycopg2.connect(**{name: params[name] for name in wanted if name in params})
    other.autocommit = True
    own = connection.connection.info.backend_pid
    seen: list[Any] = []

    def looking(self: Exchange, *args: Any) -> None:
        with other.cursor() as cursor:
            cursor.execute("SELECT xact_start FROM pg_stat_activity WHERE pid = %s", [own])
            seen.append(cursor.fetchone()[0])
        answered(self, *args)

    monkeypatch.setattr(Exchange, "answered", looking)

    send_all()

    other.close()
    assert seen == [None] * 20
    assert states(batch) == {("accepted", ""): 20}


def test_a_window_is_recorded_by_as_many_statements_whatever_its_size(
    launch: Launch, people: People, settings: Any
):
    counts = []
    for size in (2, 400):
        settings.SEND_WINDOW = size
        people(size)
        launch(request_key=f"of {size}")
        exchange = exchanged(Exchange(prepare(claim_soon())))
        assert len(exchange.told) == size
        with CaptureQueriesContext(connection) as queries:
            record(exchange)
        counts.append(len(queries))
        send_all()

    assert counts[0] == counts[1]


def test_recording_a_window_writes_no_index_of_messages(launch: Launch, people: People):
    """Updates are HOT as long as no index stands on what changes and pages have room for them."""
    people(300)
    launch()

    def updates() -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t) "
                "FROM (SELECT 'messaging_message'::regclass::oid AS t) t"
            )
            return cursor.fetchone()

    before = updates()
    assert serve_soon() == 300

    written, hot = (after - old for after, old in zip(updates(), before, strict=True))
    assert written == 300
    assert hot >= 250  # the others found their page full


@pytest.mark.django_db(transaction=True)
def test_a_window_that_could_not_be_made_ready_is_given_back_and_nobody_is_in_doubt(
    launch: Launch, people: People, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    people(5)
    batch = launch()

    def away(*_: Any) -> None:
        raise OperationalError("terminating connection due to administrator command")

    with monkeypatch.context() as patched:
        patched.setattr("messaging.sending.window._render", away)
        with pytest.raises(OperationalError):
            serve_soon()

    assert Chunk.objects.get().state == ChunkState.READY
    send_all()
    assert sim.summary()["most_to_one"] == 1
    assert states(batch) == {("accepted", ""): 5}
    assert Attempt.objects.count() == 5
