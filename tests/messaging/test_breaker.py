"""When a blast pauses by itself, what it says then, and that resuming starts it afresh."""

import threading
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, AuditEvent, User
from messaging.breaker import WORSENING, Counts, Trip, batches_judge, judge, sentence, window_for
from messaging.choices import BatchState, MessageState, Reason
from messaging.models import Batch
from messaging.services import batch_cancel, batch_pause, batch_resume
from messaging.tally import TallyMoves, tally_move
from tests.messaging.conftest import Launch, People

pytestmark = pytest.mark.django_db

FILTERED = (MessageState.UNDELIVERED, Reason.FILTERED)
LANDLINE = (MessageState.UNDELIVERED, Reason.LANDLINE)
DELIVERED = (MessageState.DELIVERED, "")


def come_to(batch: Batch, ends: dict[tuple[str, str], int]) -> None:
    """So many of the batch's waiting messages come to these ends, as its kept counts tell."""
    moves = TallyMoves()
    for (state, reason), count in ends.items():
        moves.leave(batch.pk, MessageState.PENDING, "", messages=count)
        moves.enter(batch.pk, state, reason, messages=count)
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)


@pytest.fixture
def batch(launch: Launch, people: People) -> Batch:
    """A running blast to 2,000 people."""
    people(2000)
    return launch()


@pytest.mark.parametrize(
    ("causes", "trip"),
    [
        ({"filtered": 50}, None),
        ({"filtered": 51}, Trip("filtered", 51, 500)),
        ({"filtered": 30, "blocked": 30}, None),
        ({"filtered": 51, "rate": 60}, Trip("rate", 60, 500)),
        ({"landline": 55}, None),
        ({"landline": 150}, None),
        ({"landline": 151}, Trip("landline", 151, 500)),
        ({"other": 100}, None),
    ],
)
def test_only_more_than_the_share_of_one_cause_trips(
    causes: dict[str, int], trip: Trip | None
) -> None:
    assert judge(Counts(500, causes), Counts()) == trip


def test_only_what_came_since_the_last_look_counts() -> None:
    before = Counts(5000, {"filtered": 400})

    assert judge(Counts(5500, {"filtered": 450}), before) is None
    assert judge(Counts(5500, {"filtered": 451}), before) == Trip("filtered", 51, 500)
    # Messages that are tried again leave their counts.
    assert judge(Counts(4800, {"filtered": 300}), before) is None
    assert judge(Counts(5000, {"filtered": 400}), before) is None


def test_a_small_blast_is_judged_by_a_hundred() -> None:
    assert [window_for(texted) for texted in (100, 499, 500, 1_000_000)] == [100, 100, 500, 500]


@pytest.mark.parametrize("reason", Reason.values)
def test_every_cause_has_a_sentence_that_fits_and_says_what_to_do(reason: str) -> None:
    told = sentence(Trip(reason, 1_000_000, 1_000_000))

    assert told.startswith("1,000,000 of the last 1,000,000 texts ")
    assert "nobody is lost" in told
    assert len(told) <= 300
    assert told.endswith(".")


def test_a_bad_lists_causes_are_not_among_those_that_going_on_makes_worse() -> None:
    assert {"landline", "invalid_number", "unreachable", "opted_out"}.isdisjoint(WORSENING)


def test_a_blast_pauses_by_itself_and_says_why(batch: Batch, account: Account) -> None:
    come_to(batch, {DELIVERED: 449, FILTERED: 51})

    assert batches_judge() == 1

    batch.refresh_from_db()
    assert batch.state == BatchState.PAUSED
    assert batch.state_reason == (
        "51 of the last 500 texts were filtered as spam. Whoever has not been texted yet waits,"
        " nobody is lost. Cancel the rest and send them a calmer text that names you and says how"
        " to opt out."
    )
    event = AuditEvent.objects.get(account=account, action="batch.paused")
    assert (event.actor, event.subject) == (None, "Flowers")
    assert event.data == {
        "batch": batch.pk,
        "reason": batch.state_reason,
        "cause": "filtered",
        "failed": 51,
        "ended": 500,
    }


@pytest.mark.parametrize(
    "ends",
    [
        {DELIVERED: 450, FILTERED: 50},  # exactly a tenth
        {DELIVERED: 445, LANDLINE: 55},  # 11 % landlines
        {DELIVERED: 0, FILTERED: 499},  # too few to judge
        {FILTERED: 40, (MessageState.SENT, ""): 1500},  # nothing has come of most of them
    ],
)
def test_it_goes_on_otherwise(batch: Batch, ends: dict[tuple[str, str], int]) -> None:
    come_to(batch, ends)

    assert batches_judge() == 0

    batch.refresh_from_db()
    assert (batch.state, batch.state_reason) == (BatchState.RUNNING, "")
    assert not AuditEvent.objects.filter(action="batch.paused").exists()


def test_a_share_that_rises_late_is_not_hidden_by_a_good_beginning(batch: Batch) -> None:
    come_to(batch, {DELIVERED: 1000})
    assert batches_judge() == 0
    come_to(batch, {DELIVERED: 400, FILTERED: 60})
    assert batches_judge() == 0

    come_to(batch, {DELIVERED: 40})
    assert batches_judge() == 1

    batch.refresh_from_db()
    assert "60 of the last 500 texts were filtered as spam" in batch.state_reason


def test_resuming_does_not_trip_on_what_was_before(
    batch: Batch, account: Account, alice: User
) -> None:
    come_to(batch, {DELIVERED: 400, FILTERED: 100})
    assert batches_judge() == 1
    # What was with the carrier at that moment comes in while it is paused.
    come_to(batch, {FILTERED: 200})

    batch_resume(account=account, actor=alice, batch=batch)

    assert batches_judge() == 0
    come_to(batch, {DELIVERED: 450, FILTERED: 49})
    assert batches_judge() == 0
    come_to(batch, {FILTERED: 1})
    assert batches_judge() == 0
    batch.refresh_from_db()
    assert (batch.state, batch.state_reason) == (BatchState.RUNNING, "")
    come_to(batch, {DELIVERED: 400, FILTERED: 100})
    assert batches_judge() == 1


@pytest.mark.parametrize("act", [batch_pause, batch_cancel])
def test_what_does_not_run_is_left_alone(batch: Batch, account: Account, act: Any) -> None:
    come_to(batch, {FILTERED: 600})
    act(account=account, actor=None, batch=batch)
    before = AuditEvent.objects.count()

    assert batches_judge() == 0

    batch.refresh_from_db()
    assert batch.state != BatchState.RUNNING
    assert batch.state_reason == ""
    assert AuditEvent.objects.count() == before


def test_a_blast_that_has_gone_out_is_not_paused(batch: Batch) -> None:
    come_to(batch, {FILTERED: 2000})

    assert batches_judge() == 0

    assert Batch.objects.get().state == BatchState.RUNNING


def test_a_blast_to_three_hundred_pauses_after_a_hundred(launch: Launch, people: People) -> None:
    people(300)
    batch = launch()
    come_to(batch, {DELIVERED: 60, FILTERED: 39})
    assert batches_judge() == 0

    come_to(batch, {FILTERED: 1})

    assert batches_judge() == 1


def test_a_look_at_nothing_to_judge_is_one_query(
    batch: Batch, django_assert_num_queries: Any
) -> None:
    come_to(batch, {DELIVERED: 100})

    with django_assert_num_queries(1):
        batches_judge()


@pytest.mark.django_db(transaction=True)
def test_two_that_look_at_once_pause_once(batch: Batch) -> None:
    come_to(batch, {DELIVERED: 400, FILTERED: 100})
    paused: list[int] = []
    start = threading.Barrier(2)

    def look() -> None:
        start.wait()
        try:
            paused.append(batches_judge())
        finally:
            connection.close()

    beats = [threading.Thread(target=look) for _ in range(2)]
    for beat in beats:
        beat.start()
    for beat in beats:
        beat.join()

    assert sorted(paused) == [0, 1]
    assert AuditEvent.objects.filter(action="batch.paused").count() == 1
    assert Batch.objects.get().state == BatchState.PAUSED
