"""The queue of events: a row holds what one commit stored; it is taken whole, in part or not."""

import pytest
from django.db import connection, transaction

from messaging.choices import EventEnd, EventKind, MessageState
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue
from messaging.receipts.queue import take
from messaging.receipts.statuses import statuses_apply
from smsplatform.edge.stores import PREPARE_EVENTS, EventRow, Said, write_events
from tests.races import in_thread
from tests.receipts.conftest import MakeBatch, Queue, recount, sid, tally

pytestmark = pytest.mark.django_db


def rows() -> list[list[int]]:
    """What waits, row by row."""
    return list(CarrierEventQueue.objects.order_by("id").values_list("event_ids", flat=True))


def taken(*, limit: int, statuses: bool = True) -> list[int]:
    with connection.cursor() as cursor:
        return take(cursor, statuses=statuses, limit=limit)


def wait(*row: int, kind: EventKind = EventKind.STATUS) -> None:
    CarrierEventQueue.objects.create(event_ids=list(row), kind=kind)


def test_a_row_is_taken_in_part_and_keeps_its_place() -> None:
    wait(1, 2, 3, 4, 5)
    wait(6, 7)

    assert taken(limit=2) == [1, 2]
    assert rows() == [[3, 4, 5], [6, 7]]
    assert taken(limit=4) == [3, 4, 5, 6]
    assert rows() == [[7]]
    assert taken(limit=4) == [7]
    assert rows() == []
    assert taken(limit=4) == []


def test_texts_overtake_and_are_not_taken_with_statuses() -> None:
    wait(1, 2)
    wait(3, kind=EventKind.INBOUND)
    wait(4, kind=EventKind.CLICK)

    assert taken(limit=1, statuses=False) == [3]
    assert taken(limit=9) == [1, 2]
    assert rows() == [[4]]


def test_many_small_rows_are_one_batch() -> None:
    for number in range(1, 301):
        wait(number)

    assert taken(limit=250) == list(range(1, 251))
    assert rows() == [[number] for number in range(251, 301)]


@pytest.mark.django_db(transaction=True)
def test_rows_another_worker_holds_are_skipped() -> None:
    wait(1, 2)

    with transaction.atomic():
        assert taken(limit=1) == [1]
        wait(3)
        found: list[list[int]] = []
        in_thread(lambda: found.append(taken(limit=9))).join(30)
        assert found == [[]]

    assert taken(limit=9) == [2, 3]


@pytest.mark.django_db(transaction=True)
def test_a_slow_text_holds_no_other_from_another_worker() -> None:
    for number in (1, 2, 3):
        wait(number, kind=EventKind.INBOUND)

    with transaction.atomic():
        assert taken(limit=1, statuses=False) == [1]
        found: list[list[int]] = []
        in_thread(lambda: found.append(taken(limit=1, statuses=False))).join(30)
        assert found == [[2]]

    assert rows() == [[3]]


def store(events: list[EventRow]) -> None:
    """As the edge does."""
    with connection.cursor() as cursor:
        cursor.cursor.execute(PREPARE_EVENTS)
        write_events(cursor.cursor, events)
        cursor.execute("DEALLOCATE store_events")


def test_texts_of_one_commit_are_queued_in_the_order_they_came(carrier: CarrierAccount) -> None:
    said = Said(str(carrier.pk), EventKind.INBOUND, "AC0")

    store([EventRow(said, "0", "0", f"SM{n}", "{}") for n in range(60)])

    ids = dict(CarrierEvent.objects.values_list("carrier_id", "id"))
    assert rows() == [[ids[f"SM{n}"]] for n in range(60)]


def test_a_commit_of_the_edge_is_one_row_of_statuses_and_a_row_for_each_text(
    carrier: CarrierAccount,
) -> None:
    kinds = ["status", "inbound", "status", "inbound", "click", "status"]
    events = [
        EventRow(Said(str(carrier.pk), kind, f"AC{n % 2}"), "0", "0", f"SM{n}", "{}")
        for n, kind in enumerate(kinds)
    ]

    store(events)

    assert list(
        CarrierEvent.objects.order_by("id").values_list("carrier_id", "kind", "account_ref")
    ) == [(f"SM{n}", kind, f"AC{n % 2}") for n, kind in enumerate(kinds)]
    ids = dict(CarrierEvent.objects.values_list("carrier_id", "id"))
    queued = sorted(CarrierEventQueue.objects.values_list("event_ids", "kind"))
    assert queued == [
        ([ids["SM0"], ids["SM2"], ids["SM5"]], "status"),
        ([ids["SM1"]], "inbound"),
        ([ids["SM3"]], "inbound"),
        ([ids["SM4"]], "click"),
    ]


def test_a_poisoned_event_does_not_take_those_of_its_row_along(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(30, state=MessageState.UNKNOWN)
    events = [queue(message, "delivered") for message in messages]
    CarrierEventQueue.objects.all().delete()
    wait(*(event.pk for event in events))
    # Two attempts cannot have one carrier id: the unique constraint refuses this one.
    CarrierEvent.objects.filter(pk=events[17].pk).update(carrier_id=sid(messages[3].pk))

    applied = 0
    while step := statuses_apply():
        applied += step

    assert applied == 30
    assert tally(messages[0].batch_id) == recount(messages[0].batch_id)
    assert recount(messages[0].batch_id) == {("delivered", ""): 29, ("unknown", ""): 1}
    assert CarrierEvent.objects.get(ended=EventEnd.SET_ASIDE).pk == events[17].pk
    assert rows() == []
