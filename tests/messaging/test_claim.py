"""Whose turn it is: accounts in turn, replies before bulk, nobody held up by a dry sender."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from accounts.models import Account
from carriersim.client import Client
from contacts.choices import ConsentSource
from contacts.models import OptOut
from messaging.choices import BatchKind, ChunkState, Priority
from messaging.models import Batch, Chunk, Message, SenderNumber
from messaging.sending.claim import claim
from messaging.sending.drain import serve_window
from messaging.services import message_send
from tests.messaging.conftest import (
    Launch,
    People,
    claim_soon,
    make_sender,
    serve_soon,
    states,
)

pytestmark = pytest.mark.django_db

Reply = Callable[..., Message]


@pytest.fixture
def reply(account: Account, sender: SenderNumber) -> Reply:
    """`reply()`: a reply from Alice's inbox."""

    def make(key: str = "r", **fields: Any) -> Message:
        return message_send(
            **{
                "account": account,
                "actor": None,
                "phone": "+14155550101",
                "body": "See you at nine",
                "kind": BatchKind.REPLY,
                "request_key": key,
                "priority": Priority.REPLY,
                "sender": sender,
                **fields,
            }
        )

    return make


def batches_of(window: Any) -> list[int]:
    return [lease.batch.id for lease in window.leases]


def test_a_window_is_no_larger_than_it_may_be(launch: Launch, people: People, settings: Any):
    settings.SEND_WINDOW = 30
    people(100)
    launch()

    window = claim_soon()

    (lease,) = window.leases
    chunk = Chunk.objects.get()
    assert [item.no for item in lease.items] == list(range(1, 31))
    assert (chunk.state, chunk.window_last_no) == (ChunkState.LEASED, 30)
    assert chunk.lease_token == window.token


def test_a_leased_chunk_is_not_taken_again(launch: Launch, people: People):
    people(10)
    launch()
    claim_soon()

    assert claim() is None


def test_accounts_take_turns_however_much_one_of_them_has(
    launch: Launch,
    people: People,
    account: Account,
    other_account: Account,
    sim: Client,
    settings: Any,
):
    settings.SEND_WINDOW = 50
    theirs = make_sender(other_account, sim, phone="+12025550177")
    people(3000)
    people(phones=[f"+1212555{at:04}" for at in range(10)], account=other_account)
    big = launch()
    serve_soon()
    small = launch(account=other_account, sender=theirs)

    for _ in range(2):
        serve_soon()

    done = Message.objects.filter(state="accepted")
    assert done.filter(batch=small).count() == 10
    assert 50 <= done.filter(batch=big).count() <= 150


def test_replies_go_before_bulk(launch: Launch, people: People, reply: Reply, settings: Any):
    settings.SEND_WINDOW = 20
    people(100)
    bulk = launch()
    serve_soon()
    answer = reply()

    window = claim_soon()

    assert batches_of(window) == [answer.batch_id, bulk.pk]
    assert len(window.leases[0].items) == 1


def test_older_work_goes_first(launch: Launch, people: People, settings: Any):
    settings.SEND_WINDOW = 5
    people(10)
    first = launch(request_key="a")
    launch(request_key="b")

    assert batches_of(claim_soon()) == [first.pk]


def test_senders_of_an_account_take_turns(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 5
    second = make_sender(account, sim, phone="+12025550122", rate_per_s=5_000)
    people(10)
    old = launch(request_key="old")
    new = launch(request_key="new", sender=second)

    serve_soon()

    assert Message.objects.filter(batch=old, state="accepted").count() == 5
    assert batches_of(claim_soon()) == [new.pk]


def test_a_dry_sender_is_left_alone_and_the_next_is_served(
    launch: Launch, people: People, account: Account, sim: Client
):
    slow = make_sender(account, sim, phone="+12025550122", rate_per_s=0.5)
    people(20)
    stuck = launch(request_key="slow", sender=slow)
    quick = launch(request_key="quick")

    serve_soon()

    slow.lane.refresh_from_db()
    assert Message.objects.filter(batch=quick, state="accepted").count() == 20
    assert Message.objects.filter(batch=stuck, state="pending").count() == 20
    assert slow.lane.not_before > slow.lane.served_at


def test_no_more_is_sent_than_the_sender_has_tokens_for(
    launch: Launch, people: People, account: Account, sim: Client
):
    slow = make_sender(account, sim, phone="+12025550122", rate_per_s=8)
    people(100)
    batch = launch(sender=slow, body="x" * 200)

    sent = serve_soon()

    assert 1 <= sent <= 4  # two segments each, at most eight a second
    assert sim.summary()["accepted"] == sent
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.next_no) == (ChunkState.READY, sent + 1)
    assert Message.objects.filter(batch=batch, state="pending").count() == 100 - sent


def test_without_redis_nothing_is_claimed(
    launch: Launch, people: People, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    from messaging import rate
    from messaging.errors import LimiterAway
    from messaging.sending.drain import drain

    def away(*_: Any, **__: Any) -> None:
        raise LimiterAway

    people(5)
    launch()
    monkeypatch.setattr(rate, "peek", away)

    assert drain(shift_s=1) == 0

    assert sim.summary()["accepted"] == 0
    assert Chunk.objects.get().state == ChunkState.READY


def test_a_window_is_given_back_when_redis_goes_away_after_the_claim(
    launch: Launch, people: People, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    from messaging import rate
    from messaging.errors import LimiterAway

    def away(*_: Any, **__: Any) -> None:
        raise LimiterAway

    people(5)
    launch()
    monkeypatch.setattr(rate, "take", away)

    with pytest.raises(LimiterAway):
        serve_soon()

    assert sim.summary()["accepted"] == 0
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.next_no, chunk.lease_token) == (ChunkState.READY, 1, None)


def test_a_lane_with_nothing_to_do_does_not_hide_the_others(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    people(2)
    paused = []
    for at in range(60):
        number = make_sender(account, sim, phone=f"+1202556{at:04}")
        paused.append(launch(request_key=f"p{at}", sender=number).pk)
    Batch.objects.filter(pk__in=paused).update(state="paused")
    alive = launch(request_key="alive")

    assert batches_of(claim_soon()) == [alive.pk]


def test_a_sender_that_was_served_is_left_alone_until_it_may_go_on(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    slow = make_sender(account, sim, phone="+12025550122", rate_per_s=0.01)
    people(20)
    launch(sender=slow)
    fill_bucket(settings.REDIS_URL, slow)

    assert serve_window() == 1

    slow.lane.refresh_from_db()
    wait = slow.lane.not_before - slow.lane.served_at
    assert 98 < wait.total_seconds() < 101  # one token at 0.01 a second
    assert serve_window() is None


def test_people_who_are_skipped_cost_a_slow_sender_no_time(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    slow = make_sender(account, sim, phone="+12025550122", rate_per_s=0.01)
    contacts = people(20)
    batch = launch(sender=slow)
    for contact in contacts:
        OptOut.objects.create(account=account, phone=contact.phone, source=ConsentSource.MANUAL)
    fill_bucket(settings.REDIS_URL, slow)

    windows = [serve_window() for _ in range(20)]

    assert windows == [0] * 20
    assert states(batch) == {("skipped", "opted_out"): 20}


def fill_bucket(redis_url: str, sender: SenderNumber) -> None:
    """Let the sender have one token now."""
    with Redis.from_url(redis_url) as redis:
        redis.hset(f"rate:{sender.pk}", mapping={"tokens": 1, "at": time.time()})
