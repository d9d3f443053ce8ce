from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from messaging.hours import opens_at, zones_of

EVENING, MORNING = time(21), time(8)
NEW_YORK, CHICAGO = "America/New_York", "America/Chicago"
LOS_ANGELES = "America/Los_Angeles"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("phone", "own", "zones"),
    [
        ("+12125550100", "", (NEW_YORK,)),
        ("+14155550100", "", (LOS_ANGELES,)),
        (
            "+19075550100",
            "",
            ("America/Adak", "America/Anchorage", "America/Juneau", "Pacific/Honolulu"),
        ),
        # Zones that end within an area code, whichever exchange: western Kentucky and its overlay,
        # the Florida panhandle and its own, Chattanooga, Gary, Malheur County, the Navajo Nation.
        ("+12705550100", "", (CHICAGO, NEW_YORK)),
        ("+13645550100", "", (CHICAGO, NEW_YORK)),
        ("+18505550100", "", (CHICAGO, NEW_YORK)),
        ("+14485550100", "", (CHICAGO, NEW_YORK)),
        ("+14235550100", "", (CHICAGO, NEW_YORK)),
        ("+12195550100", "", (CHICAGO, NEW_YORK)),
        ("+14585550100", "", ("America/Denver", LOS_ANGELES)),
        ("+19285550100", "", ("America/Denver", "America/Phoenix")),
        ("+16725550100", "", ("America/Edmonton", "America/Vancouver")),
        ("+17875550100", "", ("America/Puerto_Rico",)),
        ("+16715550100", "", ("Pacific/Guam",)),
        ("+18085550100", "", ("Pacific/Honolulu",)),
        ("+17095550100", "", ("America/Halifax", "America/Puerto_Rico", "America/St_Johns")),
        ("+14155550100", "Europe/Berlin", ("Europe/Berlin",)),
        ("+18005550100", "", ("America/Chicago",)),  # toll-free: nowhere in particular
        ("+15555550100", "", ("America/Chicago",)),  # no such area code
        ("+493012345678", "", ("Europe/Berlin",)),
    ],
)
def test_zones_of_a_number(phone: str, own: str, zones: tuple[str, ...]):
    assert zones_of(phone=phone, own=own, default="America/Chicago") == zones


def test_no_zone_that_the_metadata_names_for_a_number_is_left_out():
    numbers = {f"+{digits}": set(zones) for digits, zones in TIMEZONE_DATA.items() if digits[3:]}

    missing = [
        phone
        for phone, named in numbers.items()
        if len(named) <= 6 and named - set(zones_of(phone=phone, own="", default=""))
    ]

    assert len(numbers) > 2_000
    assert missing == []


@pytest.mark.parametrize(
    ("zones", "at", "opens"),
    [
        ([NEW_YORK], "2026-11-23 18:00", None),  # 13:00
        ([NEW_YORK], "2026-11-23 12:59:59", "2026-11-23 13:00"),  # 07:59:59
        ([NEW_YORK], "2026-11-23 13:00", None),  # 08:00
        ([NEW_YORK], "2026-11-24 01:59:59", None),  # 20:59:59
        ([NEW_YORK], "2026-11-24 02:00", "2026-11-24 13:00"),  # 21:00
        ([LOS_ANGELES], "2026-11-23 14:00", "2026-11-23 16:00"),  # 06:00
        # Open in New York, not yet in Los Angeles; later the other way round.
        ([NEW_YORK, LOS_ANGELES], "2026-11-23 14:00", "2026-11-23 16:00"),
        ([NEW_YORK, LOS_ANGELES], "2026-11-24 03:00", "2026-11-24 16:00"),
        ([NEW_YORK, LOS_ANGELES], "2026-11-23 20:00", None),
        # Arizona keeps standard time: in summer 08:00 there is 15:00 UTC.
        (["America/Phoenix"], "2026-07-01 14:59", "2026-07-01 15:00"),
        # Clocks go back at 2 a.m. on 1 November 2026, forward on 8 March.
        ([NEW_YORK], "2026-11-01 05:30", "2026-11-01 13:00"),
        ([NEW_YORK], "2026-03-08 06:30", "2026-03-08 12:00"),
    ],
)
def test_when_a_text_may_arrive(zones: list[str], at: str, opens: str | None):
    found = opens_at(zones=zones, at=utc(at), quiet_start=EVENING, quiet_end=MORNING)

    assert found == (utc(opens) if opens else None)


def test_quiet_hours_within_a_day():
    at = utc("2026-11-23 18:00")  # 13:00 in New York

    found = opens_at(zones=[NEW_YORK], at=at, quiet_start=time(12), quiet_end=time(14))

    assert found == utc("2026-11-23 19:00")


def test_an_end_that_summer_time_skips_moves_to_the_next_moment():
    at = utc("2026-03-08 06:00")  # 01:00; 02:30 does not exist that night

    found = opens_at(zones=[NEW_YORK], at=at, quiet_start=time(22), quiet_end=time(2, 30))

    assert found == utc("2026-03-08 07:30")


def test_equal_ends_mean_no_quiet_hours():
    at = utc("2026-11-23 05:00")

    assert opens_at(zones=[NEW_YORK], at=at, quiet_start=time(0), quiet_end=time(0)) is None


@given(
    hours=st.integers(0, 24 * 365),
    start=st.times().map(lambda t: t.replace(microsecond=0)),
    end=st.times().map(lambda t: t.replace(microsecond=0)),
    zone=st.sampled_from([NEW_YORK, LOS_ANGELES, "America/Phoenix", "Asia/Kolkata"]),
)
def test_when_it_opens_it_is_open(hours: int, start: time, end: time, zone: str):
    at = utc("2026-01-01 00:00") + timedelta(hours=hours)

    opens = opens_at(zones=[zone], at=at, quiet_start=start, quiet_end=end)

    if opens is not None:
        assert at < opens <= at + timedelta(hours=25)
        assert opens_at(zones=[zone], at=opens, quiet_start=start, quiet_end=end) is None
