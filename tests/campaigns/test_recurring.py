"""Rules of repetition: held against dateutil's own recurrences and the calendar, over years."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.recurring import Rule
from messaging.timetable import wall_moment

TEN = time(10)
NEW_YORK = "America/New_York"


def first(rule: Rule, most: int) -> list[str]:
    return [day.isoformat() for day in islice(rule.days(), most)]


def test_days_of_each_kind() -> None:
    monday = date(2026, 11, 23)
    daily = Rule("day", TEN, monday, interval=3)
    weekly = Rule("week", TEN, monday, interval=2, weekdays=(0, 3))
    plain = Rule("week", TEN, date(2026, 11, 25), count=2)
    monthly = Rule("month", TEN, date(2027, 1, 31))
    ends = Rule("day", TEN, monday, ends_on=date(2026, 11, 24))

    assert first(daily, 3) == ["2026-11-23", "2026-11-26", "2026-11-29"]
    assert first(weekly, 4) == ["2026-11-23", "2026-11-26", "2026-12-07", "2026-12-10"]
    assert first(plain, 9) == ["2026-11-25", "2026-12-02"]
    assert first(monthly, 4) == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
    assert first(ends, 9) == ["2026-11-23", "2026-11-24"]
    assert ends.next_day(since=date(2026, 11, 25)) is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("day", TEN, date(2026, 1, 5)), "Every day at 10:00"),
        (
            Rule("week", TEN, date(2026, 1, 5), interval=2, weekdays=(0, 3)),
            "Every 2 weeks on Monday and Thursday at 10:00",
        ),
        (
            Rule("month", TEN, date(2026, 1, 31), ends_on=date(2026, 12, 24)),
            "Every month on day 31 or its last at 10:00, until 24 Dec 2026",
        ),
        (Rule("month", TEN, date(2026, 1, 5), count=1), "Every month on day 5 at 10:00, 1 time"),
    ],
)
def test_rules_in_words(rule: Rule, words: str) -> None:
    assert rule.words() == words


days = st.dates(date(2024, 1, 1), date(2035, 12, 31))


@given(start=days, interval=st.integers(1, 12))
def test_months_go_on_the_day_they_began_or_their_last(start: date, interval: int) -> None:
    rule = Rule("month", TEN, start, interval=interval)

    for index, day in enumerate(islice(rule.days(), 30)):
        month = start.month - 1 + index * interval
        year, month = start.year + month // 12, month % 12 + 1
        assert day == date(year, month, min(start.day, monthrange(year, month)[1]))


@given(
    start=days,
    interval=st.integers(1, 4),
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(tuple),
)
def test_weeks_go_on_each_chosen_weekday(
    start: date, interval: int, weekdays: tuple[int, ...]
) -> None:
    rule = Rule("week", TEN, start, interval=interval, weekdays=weekdays)
    monday = start - timedelta(days=start.weekday())

    expected = [
        day
        for offset in range(400)
        if (day := monday + timedelta(days=offset)) >= start
        and day.weekday() in weekdays
        and (offset // 7) % interval == 0
    ]

    assert rule.days_between(start, monday + timedelta(days=399), most=400) == expected


@given(
    start=days,
    at=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    zone=st.sampled_from([NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
)
def test_every_day_has_one_moment_whatever_clocks_do(start: date, at: time, zone: str) -> None:
    rule = Rule("day", at, start)

    moments = [
        wall_moment(datetime.combine(day, at), zone) for day in rule.days_between(start, date.max)
    ]

    shown = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    assert [one.date() for one in shown] == [start + timedelta(days=n) for n in range(100)]
    gaps = {later - earlier for earlier, later in pairwise(moments)}
    hour = timedelta(hours=1)
    assert all(23 * hour <= gap <= 25 * hour for gap in gaps)


def test_the_hours_that_clocks_skip_and_repeat() -> None:
    spring = Rule("day", time(2, 30), date(2026, 3, 7))
    autumn = Rule("day", time(1, 30), date(2026, 10, 31))

    def moments(rule: Rule) -> list[datetime]:
        found = islice(rule.days(), 3)
        return [wall_moment(datetime.combine(day, rule.at), NEW_YORK) for day in found]

    assert moments(spring) == [
        datetime(2026, 3, 7, 7, 30, tzinfo=UTC),
        datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
        datetime(2026, 3, 9, 6, 30, tzinfo=UTC),
    ]
    assert moments(autumn) == [
        datetime(2026, 10, 31, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    ]
