"""What the law allows, by area code: federal hours and the states' stricter ones."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.geodata import GEOCODE_DATA

from messaging.hours import opens_at, zones_of
from messaging.hours_law import SEED, Law, Rule
from messaging.hours_regions import FEDERAL, STATES, region_of

# By state: an area code, its zone, the hours of a Wednesday, a Saturday and a Sunday.
HOURS = {
    "+12125550100": ("America/New_York", (8, 21), (8, 21), (8, 21)),
    "+13055550100": ("America/New_York", (8, 20), (8, 20), (8, 20)),  # Florida
    "+15615550100": ("America/New_York", (8, 20), (8, 20), (8, 20)),  # Palm Beach, Florida
    "+15125550100": ("America/Chicago", (9, 21), (9, 21), (12, 21)),  # Texas
    "+12105550100": ("America/Chicago", (9, 21), (9, 21), (12, 21)),  # San Antonio, Texas
    "+12065550100": ("America/Los_Angeles", (8, 20), (8, 20), (8, 20)),  # Washington
    "+14055550100": ("America/Chicago", (8, 20), (8, 20), (8, 20)),  # Oklahoma
    "+13015550100": ("America/New_York", (8, 20), (8, 20), (8, 20)),  # Maryland
    "+16015550100": ("America/Chicago", (8, 20), (8, 20), (8, 20)),  # Mississippi
    "+12055550100": ("America/Chicago", (8, 20), (8, 20), (8, 20)),  # Alabama
    "+15045550100": ("America/Chicago", (8, 20), (8, 20), (8, 20)),  # Louisiana
    "+16175550100": ("America/New_York", (8, 20), (8, 20), (8, 20)),  # Massachusetts
    "+12015550100": ("America/New_York", (8, 20), (8, 20), (8, 20)),  # New Jersey
    "+18605550100": ("America/New_York", (9, 20), (9, 20), (9, 20)),  # Connecticut
    "+15025550100": ("America/New_York", (10, 21), (10, 21), (10, 21)),  # Kentucky
    "+14015550100": ("America/New_York", (9, 18), (10, 17), (10, 17)),  # Rhode Island
    "+18005550100": ("America/New_York", (8, 21), (8, 21), (8, 21)),  # toll-free
}
LAW = Law(SEED)
DAYS = (date(2026, 11, 25), date(2026, 11, 28), date(2026, 11, 29))


def opens(phone: str, at: datetime, zone: str = "America/New_York") -> datetime | None:
    """With no quiet hours of the account's own."""
    return opens_at(
        zones=zones_of(phone=phone, own="", default=zone),
        at=at,
        quiet_start=time(0),
        quiet_end=time(0),
        rules=LAW.of(phone),
    )


@pytest.mark.parametrize("phone", HOURS)
def test_the_hours_of_each_state_to_the_minute(phone: str):
    zone, *days = HOURS[phone]

    for day, (first, last) in zip(DAYS, days, strict=True):
        begin = datetime.combine(day, time(first), tzinfo=ZoneInfo(zone))
        end = datetime.combine(day, time(last), tzinfo=ZoneInfo(zone))
        assert opens(phone, begin - timedelta(minutes=1)) == begin
        assert opens(phone, begin) is None
        assert opens(phone, end - timedelta(minutes=1)) is None
        after = opens(phone, end)
        assert after is not None
        assert after.astimezone(ZoneInfo(zone)).date() == day + timedelta(days=1)


@pytest.mark.parametrize(
    "phone", ["+14165550100", "+16045550100", "+493012345678", "+442071838750"]
)
def test_elsewhere_only_the_accounts_own_hours_hold(phone: str):
    assert LAW.of(phone) == ()


def test_texas_began_in_september_2025():
    assert opens("+15125550100", datetime(2025, 8, 31, 15, tzinfo=UTC)) is None  # Sunday, 10:00
    assert opens("+15125550100", datetime(2025, 9, 7, 15, tzinfo=UTC)) == datetime(
        2025, 9, 7, 17, tzinfo=UTC
    )


def test_the_accounts_own_hours_come_on_top():
    evening = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)  # 19:30 in New York

    found = opens_at(
        zones=("America/New_York",),
        at=evening,
        quiet_start=time(19),
        quiet_end=time(7),
        rules=LAW.of("+12125550100"),
    )

    assert found == datetime(2026, 11, 26, 13, tzinfo=UTC)


def _is_lawful(zone: str, at: datetime, rules: tuple[Rule, ...]) -> bool:
    local = at.astimezone(ZoneInfo(zone))
    return all(
        rule.opens <= local.time() < rule.closes
        for rule in rules
        if local.weekday() in rule.weekdays
        and rule.valid_from <= local.date() <= (rule.valid_until or date.max)
    )


@given(
    minutes=st.integers(0, 3 * 365 * 24 * 60),
    zone=st.sampled_from(
        ["America/New_York", "America/Phoenix", "America/Indiana/Indianapolis", "Pacific/Honolulu"]
    ),
    region=st.sampled_from(sorted({rule.region for rule in SEED})),
)
def test_it_opens_at_the_first_lawful_minute(minutes: int, zone: str, region: str):
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    rules = tuple(rule for rule in SEED if rule.region in (FEDERAL, region))

    found = opens_at(zones=(zone,), at=at, quiet_start=time(0), quiet_end=time(0), rules=rules)

    minute = at
    while not _is_lawful(zone, minute, rules):
        minute += timedelta(minutes=1)
    assert (found or at) == minute


HOUR = st.integers(0, 23)


@given(
    minutes=st.integers(0, 60 * 24 * 60),
    hours=st.lists(
        st.tuples(HOUR, st.integers(1, 6), st.sets(st.integers(0, 6), min_size=1), HOUR, HOUR),
        min_size=1,
        max_size=3,
    ),
)
def test_rules_that_end_and_begin_open_at_the_first_lawful_minute(
    minutes: int, hours: list[tuple[int, int, set[int], int, int]]
):
    first, zone = date(2026, 3, 1), "America/New_York"
    at = datetime(2026, 2, 20, tzinfo=UTC) + timedelta(minutes=minutes)
    rules = tuple(
        Rule(
            "NY",
            time(min(opens, 22)),
            time(min(min(opens, 22) + length, 23)),
            "a test",
            frozenset(days),
            first + timedelta(days=begins),
            first + timedelta(days=begins + lasts),
        )
        for opens, length, days, begins, lasts in hours
    )

    found = opens_at(zones=(zone,), at=at, quiet_start=time(0), quiet_end=time(0), rules=rules)

    minute = at
    for _ in range(60 * 24 * 60):
        if _is_lawful(zone, minute, rules):
            break
        minute += timedelta(minutes=1)
    assert (found or at) == minute


def test_every_area_code_of_the_metadata_is_a_states_or_canadas():
    states, canada = set[str](), set[str]()
    for digits in (digits for digits in GEOCODE_DATA if len(digits) == 4 and digits[0] == "1"):
        region = region_of(f"+{digits}5550100")
        (states if region else canada).add(region or GEOCODE_DATA[digits]["en"])

    assert states == set(STATES)
    assert "Ontario" in canada
    assert canada.isdisjoint(STATES.values())
    assert [region_of(phone) for phone in ("+18005550100", "+18765550100", "+442071838750")] == [
        FEDERAL,
        FEDERAL,
        "",
    ]
