"""Which days of what repeats count as skipped from before skipped days were kept."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
import time_machine
from django.db import connection

from accounts.models import Account, User
from campaigns import services
from campaigns.choices import SeriesState
from campaigns.models import Blast, Series
from campaigns.recurring import Rule

pytestmark = pytest.mark.django_db

# 10:00 and 20:00 in New York.
TEN, EIGHT = (datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in ((23, 15), (24, 1)))
TODAY = date(2026, 11, 23)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("at", "begun", "next_on", "skipped"),
    [
        # Begun after today's hour: nobody skipped today.
        (time(10), TEN + HOUR, TODAY + DAY, []),
        (time(10), TEN + HOUR, TODAY + 3 * DAY, [TODAY + DAY, TODAY + 2 * DAY]),
        (time(10), TEN - HOUR, TODAY + DAY, [TODAY]),
        (time(10), TEN - HOUR, TODAY, []),
        # In UTC it is tomorrow.
        (time(21), EIGHT, TODAY + DAY, [TODAY]),
        (time(19), EIGHT, TODAY + DAY, []),
    ],
)
def test_what_was_passed_over_before_its_moment_was_skipped(
    account: Account,
    alice: User,
    draft: Blast,
    migrate: Callable[..., None],
    at: time,
    begun: datetime,
    next_on: date,
    skipped: list[date],
):
    rule = Rule("day", at, TODAY - 3 * DAY)
    with time_machine.travel(begun, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
        Series.objects.filter(pk=series.pk).update(next_on=next_on)
        migrate("campaigns", "0015_skipped_days", back=True)
        migrate("campaigns", "0015_skipped_days")

    series.refresh_from_db()
    assert series.skipped_on == skipped


def test_on_clocks_of_recipients_a_day_is_over_with_its_first_turn(
    account: Account, alice: User, draft: Blast, migrate: Callable[..., None]
):
    rule = Rule("day", time(10), TODAY, is_local=True)
    with time_machine.travel(TEN - HOUR, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
        Series.objects.filter(pk=series.pk).update(
            next_on=TODAY + 2 * DAY, clocks=[["Europe/Berlin"], ["America/New_York"]]
        )
        migrate("campaigns", "0015_skipped_days", back=True)
        migrate("campaigns", "0015_skipped_days")

    series.refresh_from_db()
    assert series.skipped_on == [TODAY + DAY]


@pytest.mark.parametrize(("count", "kept"), [(None, []), (3, [TODAY + 2 * DAY])])
def test_what_a_person_had_ended_offers_no_skipped_day_any_more(
    account: Account,
    alice: User,
    draft: Blast,
    migrate: Callable[..., None],
    count: int | None,
    kept: list[date],
):
    """Ending has not always forgotten them. What ended by itself keeps those to come."""
    rule = Rule("day", time(10), TODAY, count=count)
    with time_machine.travel(TEN + HOUR, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
        Series.objects.filter(pk=series.pk).update(
            state=SeriesState.ENDED, next_on=None, next_at=None, skipped_on=[TODAY + 2 * DAY]
        )
        migrate("campaigns", "0016_skipped_days_default")

    series.refresh_from_db()
    assert series.skipped_on == kept


def test_processes_of_the_version_before_go_on_making_series(
    account: Account, alice: User, draft: Blast
):
    """They know nothing of skipped days, and insert without them."""
    columns = "account_id, blast_id, state, every, at, starts_on, interval, weekdays, is_local, "
    columns += "clocks, created_at"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO campaigns_series ({columns}) VALUES "
            "(%s, %s, 'running', 'day', '10:00', '2026-11-23', 1, '{}', false, '[]', now())",
            [account.pk, draft.pk],
        )

    assert Series.objects.get().skipped_on == []
