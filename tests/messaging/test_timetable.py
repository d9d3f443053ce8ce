"""Texts at the local time of each recipient: moments, chunks, and what was announced."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from dateutil import tz
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact
from messaging.gate import blast_rules
from messaging.hours import zones_of
from messaging.models import CarrierAccount, Chunk, Message, SenderNumber
from messaging.services import estimate, timing, timing_people
from messaging.timetable import Place, Timetable, wall_moment
from tests.messaging.conftest import Launch, People, make_sender, serve_soon, states

NEW_YORKER, CALIFORNIAN, ALASKAN = "+12125550101", "+14155550101", "+19075550101"
# 09:00 in New York, 06:00 in California.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
wall = datetime.fromisoformat
TEN = wall("2026-11-23T10:00")
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Phoenix", "UTC")


# --- Moments ---


@pytest.mark.parametrize(
    ("shown", "zone", "moment"),
    [
        # 02:30 is skipped: clocks go from 02:00 to 03:00 at 07:00 UTC.
        (wall("2026-03-08T02:30"), "America/New_York", wall("2026-03-08T07:00")),
        (wall("2026-03-08T02:00"), "America/New_York", wall("2026-03-08T07:00")),
        (wall("2026-03-08T03:00"), "America/New_York", wall("2026-03-08T07:00")),
        # 01:30 comes twice: the first is summer time's.
        (wall("2026-11-01T01:30"), "America/New_York", wall("2026-11-01T05:30")),
        # Half an hour is skipped.
        (wall("2026-10-04T02:15"), "Australia/Lord_Howe", wall("2026-10-03T15:30")),
        (wall("2026-07-01T10:00"), "Europe/Berlin", wall("2026-07-01T08:00")),
    ],
)
def test_a_skipped_hour_is_the_next_moment_and_a_repeated_one_its_first(
    shown: datetime, zone: str, moment: datetime
):
    assert wall_moment(shown, zone) == moment.replace(tzinfo=UTC)


@given(
    day=st.dates(date(2024, 1, 1), date(2037, 12, 31)),
    at=st.times().map(lambda found: found.replace(microsecond=0)),
    zone=st.sampled_from(ZONES),
)
def test_moments_agree_with_another_library(day: date, at: time, zone: str):
    set_for, theirs = datetime.combine(day, at), tz.gettz(zone)
    assert theirs is not None

    moment = wall_moment(set_for, zone)

    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    aware = set_for.replace(tzinfo=theirs)
    if tz.datetime_exists(aware):
        assert shown == set_for
        assert moment == aware.astimezone(UTC)
    else:
        second = timedelta(seconds=1)
        before = (moment - second).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert before < set_for < shown
        assert tz.resolve_imaginary(aware).replace(tzinfo=None) >= shown


def test_zones_hang_on_no_more_digits_than_people_are_told_apart_by():
    for digits in TIMEZONE_DATA:
        phone = f"+{digits:0<11}"
        kept = phone[:5] if digits.startswith("1") else phone[:10]
        assert zones_of(phone=kept, own="", default="") == zones_of(phone=phone, own="", default="")


# --- Launch ---


@pytest.mark.django_db
def test_each_is_texted_at_ten_where_they_are(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[CALIFORNIAN, NEW_YORKER, ALASKAN, "+12125550102"])
    Contact.objects.filter(phone="+12125550102").update(timezone="America/Los_Angeles")

    with time_machine.travel(MORNING, tick=False):
        batch = launch(wall=TEN)

    rows = Message.objects.filter(batch=batch).order_by("recipient_no")
    assert [row.phone for row in rows] == [NEW_YORKER, CALIFORNIAN, "+12125550102", ALASKAN]
    chunks = Chunk.objects.filter(batch=batch).order_by("id")
    hours = timedelta(hours=1)
    # The number may be in Adak, an hour after Anchorage: both must show ten.
    assert [(one.first_no, one.last_no, one.not_before) for one in chunks] == [
        (1, 1, MORNING + hours),
        (2, 3, MORNING + 4 * hours),
        (4, 4, MORNING + 6 * hours),
    ]

    Chunk.objects.exclude(first_no=2).update(not_before=now() + timedelta(days=1))
    serve_soon()
    assert sim.recipients() == {CALIFORNIAN: 1, "+12125550102": 1}
    assert states(batch) == {("accepted", ""): 2, ("pending", ""): 2}


@pytest.mark.django_db
def test_whose_time_has_passed_is_texted_at_once(launch: Launch, people: People):
    people(phones=[NEW_YORKER, CALIFORNIAN])

    with time_machine.travel(MORNING + timedelta(hours=2), tick=False):
        batch = launch(wall=TEN)

    first, second = Chunk.objects.filter(batch=batch).order_by("id")
    assert first.not_before == MORNING + timedelta(hours=2)
    assert second.not_before == MORNING + timedelta(hours=4)


@pytest.mark.django_db
def test_several_numbers_each_have_the_moments_of_their_own_people(
    launch: Launch, people: People, account: Account, sim: Client
):
    people(phones=[f"+1212555010{n}" for n in range(4)] + [f"+1415555010{n}" for n in range(4)])
    other = make_sender(account, sim, phone="+12025550101")

    with time_machine.travel(MORNING, tick=False):
        batch = launch(wall=TEN, also_from=[other])

    sent = {row.recipient_no or 0: row for row in Message.objects.filter(batch=batch)}
    assert sorted(sent) == list(range(1, 9))
    for chunk in Chunk.objects.filter(batch=batch):
        rows = [sent[no] for no in range(chunk.first_no, chunk.last_no + 1)]
        assert {row.our_number for row in rows} == {chunk.sender.phone}
        [zone] = {row.phone[:5] for row in rows}
        hours = {"+1212": 1, "+1415": 4}[zone]
        assert chunk.not_before == MORNING + timedelta(hours=hours)


# --- What is announced ---


@pytest.mark.django_db
def test_now_later_and_not_add_up_and_open_their_people(
    account: Account, people: People, sender: SenderNumber
):
    CarrierAccount.objects.update(is_simulated=False)
    account.quiet_start, account.quiet_end = time(21), time(8)
    account.save()
    people(phones=[NEW_YORKER, CALIFORNIAN, ALASKAN, "+12125550102"])
    Contact.objects.filter(phone="+12125550102").update(line_type="landline")
    asked: dict[str, Any] = {
        "account": account,
        "body": "Hi",
        "audience": Contact.objects.filter(account=account),
        "start": MORNING,
    }

    found, told = timing(**asked), estimate(account=account, body="Hi", audience=asked["audience"])

    hours = timedelta(hours=1)
    assert (told.people, told.texted_now, found.people_later) == (4, 3, 2)
    assert told.not_texted == {"landline": 1}
    assert [(slot.at, slot.people) for slot in found.later] == [
        (MORNING + 2 * hours, 1),
        (MORNING + 4 * hours, 1),
    ]
    assert found.later[0].zones == ("America/Los_Angeles",)

    def phones(**which: Any) -> list[str]:
        return [contact.phone for contact in timing_people(**asked, **which)]

    assert phones() == [NEW_YORKER]
    assert phones(until=MORNING + 2 * hours) == [CALIFORNIAN]
    assert phones(until=MORNING + 4 * hours) == [ALASKAN]
    assert phones(reason="landline") == ["+12125550102"]


@pytest.mark.django_db
def test_local_times_are_announced_as_they_are_launched(
    account: Account, people: People, sender: SenderNumber
):
    people(phones=[NEW_YORKER, CALIFORNIAN, "+12125550102"])
    everybody = Contact.objects.filter(account=account)

    found = timing(account=account, body="Hi", audience=everybody, start=MORNING, wall=TEN)

    hours = timedelta(hours=1)
    assert found.people_later == 3
    assert [(slot.at, slot.people) for slot in found.later] == [
        (MORNING + hours, 2),
        (MORNING + 4 * hours, 1),
    ]


@pytest.mark.django_db
def test_a_local_time_before_allowed_hours_waits_for_them(account: Account):
    account.quiet_start, account.quiet_end = time(21), time(8)
    rules = blast_rules(account, None)
    early = wall("2026-11-24T06:00")

    timetable = Timetable(rules, start=MORNING, wall=early)

    place = Place("", NEW_YORKER[:8])
    assert timetable.starts_at(place) == datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    assert timetable.goes_at(place) == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
