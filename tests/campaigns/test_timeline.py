"""The sentence beside the curves says how soon things happened."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from campaigns.timeline import over_time
from common.clock import now
from messaging.activity import activity_rewrite
from messaging.models import Message
from messaging.selectors import Activity
from messaging.selectors.activity import half_delivered_after
from tests.receipts.conftest import MakeBatch, make_batch

pytestmark = pytest.mark.django_db

__all__ = ["make_batch"]


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (timedelta(seconds=0.4), "a second"),
        (timedelta(seconds=7.2), "8 seconds"),
        (timedelta(seconds=80), "a minute"),
        (timedelta(minutes=12), "12 minutes"),
        (timedelta(hours=3), "3 hours"),
    ],
)
def test_half_of_the_deliveries_as_soon_as_they_came(took: timedelta, words: str) -> None:
    start = now() - timedelta(days=1)
    slots = [Activity(start, 40, 0, 0)]

    chart = over_time(slots, launched_at=start, unit="hour", zone="UTC", half_delivered=took)

    assert chart.sentence == f"Half of the deliveries arrived within {words}."


def test_what_is_not_known_or_too_little_is_not_said() -> None:
    start = now() - timedelta(days=1)

    unknown = over_time([Activity(start, 40, 0, 0)], launched_at=start, unit="hour", zone="UTC")
    few = over_time(
        [Activity(start, 9, 0, 0)],
        launched_at=start,
        unit="hour",
        zone="UTC",
        half_delivered=timedelta(seconds=5),
    )

    assert (unknown.sentence, few.sentence) == ("", "")


def test_half_is_told_to_the_end_of_the_minute_it_came_in(make_batch: MakeBatch) -> None:
    launched_at = datetime(2026, 5, 5, 9, 0, 30, tzinfo=UTC)
    messages = make_batch(5, state="delivered", at=launched_at)
    batch = messages[0].batch
    assert batch is not None
    for place, message in enumerate(messages):
        Message.objects.filter(pk=message.pk).update(
            final_at=launched_at + timedelta(seconds=[3, 100, 200, 600, 900][place])
        )
    Message.objects.filter(pk=messages[4].pk).update(state="failed", final_at=F("final_at"))
    activity_rewrite([batch.pk])

    half = half_delivered_after(batch.pk, since=launched_at)

    assert half == timedelta(seconds=150)  # the second of four arrived at 9:02:10
    assert half_delivered_after(0, since=now()) is None
