"""The overview by hour of the week and by sending number: local hours, exact numbers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import Account, User
from campaigns.heatmap import heat_map
from campaigns.models import Blast
from messaging.choices import Happened
from messaging.listing import ListFilter
from messaging.models import BatchActivity
from messaging.opening import Opens
from messaging.selectors import activity_by_hour, figures_by_number
from tests.campaigns.launched import finished, launched

LOG = Opens("/messages/", ListFilter(kind="blast"))
# Monday 23:30 in New York.
AT = datetime(2026, 5, 5, 3, 30, tzinfo=UTC)


@pytest.fixture
def batch_id(account: Account, alice: User, draft: Blast) -> int:
    """Of a blast whose kept activity is written by hand, from two numbers."""
    blast = launched(account, alice, draft)
    finished(blast)
    assert blast.batch_id is not None
    BatchActivity.objects.all().delete()
    for phone, what, hours, people in (
        ("+15550100001", Happened.ACCEPTED, 0, 90),
        ("+15550100001", Happened.REFUSED, 0, 10),
        ("+15550100001", Happened.DELIVERED, 0, 80),
        ("+15550100001", Happened.CLICKED, 0, 3),
        ("+15550100001", Happened.CLICKED, 1, 8),
        ("+15550100002", Happened.ACCEPTED, 0, 20),
        ("+15550100002", Happened.DELIVERED, 2, 10),
        ("+15550100002", Happened.CLICKED, 7 * 24 + 1, 2),
        ("+15550100002", Happened.REPLIED, 3, 1),
        ("+15550100002", Happened.OPTED_OUT, 3, 2),
    ):
        BatchActivity.objects.create(
            batch_id=blast.batch_id,
            account_id=account.pk,
            our_number=phone,
            what=what,
            slot_at=AT + timedelta(hours=hours),
            people=people,
        )
    return blast.batch_id


def test_hours_are_those_of_the_accounts_zone(batch_id: int) -> None:
    counts = activity_by_hour([batch_id], zone="America/New_York")

    assert counts == {
        "delivered": {(1, 23): 80, (2, 1): 10},
        "clicked": {(1, 23): 3, (2, 0): 10},
        "replied": {(2, 2): 1},
    }
    assert activity_by_hour([], zone="UTC") == {"delivered": {}, "clicked": {}, "replied": {}}


def test_the_map_says_when_most_happened() -> None:
    counts = {"clicked": {(1, 23): 3, (2, 0): 10}, "replied": {}, "delivered": {(7, 9): 1}}

    clicks = heat_map(counts, "clicked", LOG)

    assert clicks.sentence == "Most clicks came on Tuesdays from 00:00 to 01:00: 10 of 13."
    assert [day.name for day in clicks.days][::6] == ["Monday", "Sunday"]
    assert [(cell.people, cell.level) for cell in clicks.days[0].cells[22:]] == [(0, 0), (3, 2)]
    assert clicks.days[1].cells[0].href == "/messages/?kind=blast&hour=clicked-2-00"
    assert (clicks.days[1].cells[0].people, clicks.days[1].cells[0].level) == (10, 4)
    assert heat_map(counts, "nonsense", LOG) == clicks
    assert heat_map(counts, "replied", LOG).sentence == "No replies in this time."
    assert heat_map(counts, "delivered", LOG).days[6].cells[9].level == 4


def test_figures_by_number(batch_id: int) -> None:
    first, second = figures_by_number([batch_id])

    assert (first.phone, first.asked, first.delivery_rate) == ("+15550100001", 100, (80, 100, 0.8))
    assert first.click_rate == (11, 80, 11 / 80)
    assert first.response_rate == (0, 80, 0.0)
    assert (second.phone, second.asked, second.delivery_rate) == ("+15550100002", 20, (10, 20, 0.5))
    assert second.unsubscribe_rate == (2, 10, 0.2)


def test_the_overview_shows_both(
    browse: Callable[[User], Client], alice: User, batch_id: int
) -> None:
    page = browse(alice).get("/?hours=delivered").content.decode()

    assert "By sending number" in page
    assert page.count('data-label="Texts"') == 2
    assert "Most deliveries came on" in page
    assert page.count('class="heat-4"') == 1
