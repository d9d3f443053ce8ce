"""The sentence beside the curves says how soon things happened, to the second."""

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.models import Account
from campaigns.timeline import over_time
from common.clock import now
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


def test_half_is_found_among_the_rows(make_batch: MakeBatch, account: Account) -> None:
    messages = make_batch(5, state="delivered")
    batch = messages[0].batch
    assert batch is not None
    for place, message in enumerate(messages):
        Message.objects.filter(pk=message.pk).update(
            final_at=batch.launched_at + timedelta(seconds=[3, 1, 2, 600, 900][place])
        )
    Message.objects.filter(pk=messages[4].pk).update(state="failed", final_at=F("final_at"))

    half = half_delivered_after(batch.pk, since=batch.launched_at)

    assert half == timedelta(seconds=2)
    assert half_delivered_after(0, since=now()) is None
