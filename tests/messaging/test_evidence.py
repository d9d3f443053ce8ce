"""What proves nothing: clocks that differ, lists that cannot be read, looks that come too early."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from common.crypto import encrypt
from messaging import evidence
from messaging.choices import BatchState
from messaging.evidence import unknown_look_up
from messaging.models import Attempt, Batch, CarrierAccount, SenderNumber
from messaging.services import batch_pause, batch_resume
from messaging.services.finish import batches_finish
from tests.messaging.conftest import Launch, People, send_all, serve_soon, states, tallies
from tests.messaging.doubts import ERROR, ERROR_ONCE, LOST, PLAIN, look
from tests.messaging.test_send import assert_credits_balance

pytestmark = pytest.mark.django_db


def test_looks_are_as_far_apart_as_the_databases_clock_says(launch: Launch, people: People):
    people(phones=[ERROR])
    CarrierAccount.objects.update(list_delay_s=60)
    batch = launch()

    with time_machine.travel(now() - timedelta(hours=2)):  # a worker whose clock is slow
        send_all()
        looks = [unknown_look_up() for _ in range(3)]

    assert looks == [(0, 0)] * 3
    assert states(batch) == {("unknown", ""): 1}
    Attempt.objects.update(looked_up_at=now() - timedelta(seconds=61))
    assert unknown_look_up() == (0, 1)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_text_that_differs_by_the_clock_alone_is_not_thought_absent(
    launch: Launch, people: People, sim: Client, minutes: int
):
    people(phones=[LOST, ERROR])
    batch = launch()
    with time_machine.travel(now() + timedelta(minutes=minutes)):
        send_all()
    Attempt.objects.filter(answered_at__gt=now()).update(answered_at=now() - timedelta(seconds=1))

    assert look(3) == [(0, 0), (0, 1), (0, 0)]
    sim.set(scripts={ERROR: "delivered"})
    send_all()

    assert sim.recipients() == {LOST: 1, ERROR: 1}
    assert states(batch) == tallies(batch) == {("unknown", ""): 1, ("accepted", ""): 1}


@pytest.mark.parametrize(
    "broken",
    [{"api_base_url": "http://127.0.0.1:9"}, {"secret_encrypted": b"of a key that is lost"}],
)
def test_a_carrier_whose_list_cannot_be_read_keeps_nobody_elses_from_being_looked_up(
    launch: Launch,
    people: People,
    sim: Client,
    other_account: Account,
    sender: SenderNumber,
    monkeypatch: pytest.MonkeyPatch,
    broken: dict[str, Any],
):
    sim.add_account("AC" + "7" * 32, "their token")
    carrier = CarrierAccount.objects.create(
        account=other_account,
        name="Their own",
        external_id="AC" + "7" * 32,
        secret_encrypted=encrypt("their token"),
        api_base_url=sim.base_url,
        list_delay_s=0.0,
        is_simulated=True,
    )
    theirs = SenderNumber.objects.create(
        account=other_account, carrier_account=carrier, phone="+12025550177", rate_per_s=50_000
    )
    sim.set(profile={"faults": {"lost_answer": 1.0}})
    people(3)
    people(phones=["+12125550101"], account=other_account)
    ours = launch()
    send_all()
    later = launch(account=other_account, sender=theirs)
    send_all()
    assert (states(ours), states(later)) == ({("unknown", ""): 3}, {("unknown", ""): 1})
    CarrierAccount.objects.exclude(pk=carrier.pk).update(**broken)
    monkeypatch.setattr(evidence, "_AT_ONCE", 2)

    assert look() == [(1, 0)]

    assert (states(ours), states(later)) == ({("unknown", ""): 3}, {("accepted", ""): 1})


def test_texts_are_read_of_those_alone_whose_turn_it_is(
    launch: Launch, people: People, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    sim.set(profile={"faults": {"lost_answer": 1.0}})
    people(9)
    launch()
    send_all()
    monkeypatch.setattr(evidence, "_AT_ONCE", 2)
    with CaptureQueriesContext(connection) as ran:
        assert look() == [(2, 0)]
    (asked,) = (query["sql"] for query in ran if "AS turn" in query["sql"])

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + asked)
        (plan,) = cursor.fetchone()

    in_turn = list(_nodes(plan[0]["Plan"], "WindowAgg"))
    assert len(in_turn) == 1
    assert [column for column in in_turn[0]["Output"] if "body" in column] == []


def _nodes(node: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    if node["Node Type"] == kind:
        yield node
    for below in node.get("Plans", []):
        yield from _nodes(below, kind)


def test_one_process_at_a_time_asks_carriers(launch: Launch, people: People, sim: Client):
    people(phones=[LOST])
    batch = launch()
    send_all()
    asks = psycopg2.connect(**_session())
    with asks.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [evidence._LOCK])

    during = unknown_look_up()
    with asks.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [evidence._LOCK])
    asks.close()

    assert (during, states(batch)) == ((0, 0), {("unknown", ""): 1})
    assert look() == [(1, 0)]


def _session() -> dict[str, Any]:
    return {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in ("host", "port", "user", "password", "dbname")
    }


def test_a_paused_blast_stays_paused_whatever_its_doubts_come_to(
    launch: Launch, people: People, sim: Client, account: Account, alice: User
):
    people(phones=[ERROR_ONCE, PLAIN])
    batch = launch()
    serve_soon()
    batch_pause(account=account, actor=alice, batch=batch)

    batches_finish()
    assert look(2) == [(0, 0), (0, 1)]
    batches_finish()
    send_all()

    batch.refresh_from_db()
    assert (batch.state, batch.finished_at, batch.settled_at) == (BatchState.PAUSED, None, None)
    assert states(batch) == {("pending", ""): 1, ("accepted", ""): 1}
    assert sim.recipients() == {PLAIN: 1}
    batch_resume(account=account, actor=alice, batch=batch)
    send_all()
    assert sim.recipients() == {PLAIN: 1, ERROR_ONCE: 1}
    assert_credits_balance(account, batch)


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_paused_blast_with_nothing_left_to_say_is_over(
    launch: Launch, people: People, sim: Client, account: Account, alice: User, is_resumed: bool
):
    people(phones=[LOST, PLAIN])
    batch = launch()
    serve_soon()
    batch_pause(account=account, actor=alice, batch=batch)
    batches_finish()
    if is_resumed:
        batch_resume(account=account, actor=alice, batch=batch)
        batches_finish()
        assert Batch.objects.get().state == BatchState.DONE
    else:
        assert Batch.objects.get().state == BatchState.PAUSED

    look()
    batches_finish()

    batch.refresh_from_db()
    assert (batch.state, states(batch)) == (BatchState.DONE, {("accepted", ""): 2})
    assert_credits_balance(account, batch)
