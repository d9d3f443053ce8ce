"""Blasts that repeat at the local time of each recipient: each once a day, on their own clock."""

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, AuditEvent, User
from campaigns import planned, services
from campaigns.choices import BlastState, SeriesState
from campaigns.models import Blast, Series
from campaigns.recurring import Rule
from campaigns.tasks import launch_due
from contacts.models import Contact
from messaging.models import Chunk
from messaging.timetable import wall_moment

# Monday 09:00 in New York, where the account is; 06:00 in California.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LOCALLY = Rule("day", time(10), TODAY, is_local=True)


@pytest.fixture
def _two_are_in_california(draft: Blast) -> None:
    """Of the five who are texted; numbers with 202 are in Washington."""
    pks = Contact.objects.order_by("-pk").values_list("pk", flat=True)[:2]
    Contact.objects.filter(pk__in=list(pks)).update(timezone="America/Los_Angeles")


@pytest.fixture
def series(account: Account, alice: User, draft: Blast, _two_are_in_california: None) -> Series:
    """Every day at ten on the clock of each, from today."""
    with time_machine.travel(MORNING, tick=False):
        return services.series_start(account=account, actor=alice, blast=draft, rule=LOCALLY)


def tick(at: datetime) -> None:
    """What beat does then, twice over."""
    with time_machine.travel(at, tick=False):
        launch_due()
        launch_due()


def turns(blast: Blast) -> list[tuple[int, datetime | None]]:
    chunks = Chunk.objects.filter(batch=blast.batch).order_by("first_no")
    return [(chunk.last_no - chunk.first_no + 1, chunk.not_before) for chunk in chunks]


@pytest.mark.django_db
def test_each_occurrence_is_launched_at_the_first_turn_and_texts_each_at_theirs(
    series: Series, account: Account
) -> None:
    assert (series.next_on, series.next_at) == (TODAY, MORNING + HOUR)
    assert series.clocks == [("America/Los_Angeles",), ("America/New_York",)]

    tick(MORNING + HOUR - timedelta(seconds=1))
    assert not Blast.objects.filter(series=series).exists()
    tick(MORNING + HOUR)
    tick(MORNING + HOUR + DAY)

    first, second = Blast.objects.filter(series=series).order_by("occurrence_on")
    assert (first.wall, first.state) == (datetime.combine(TODAY, time(10)), BlastState.LAUNCHED)
    assert turns(first) == [(4, MORNING + HOUR), (2, MORNING + 4 * HOUR)]
    assert turns(second) == [(4, MORNING + HOUR + DAY), (2, MORNING + 4 * HOUR + DAY)]
    series.refresh_from_db()
    assert (series.next_on, series.next_at) == (TODAY + 2 * DAY, MORNING + HOUR + 2 * DAY)


@pytest.mark.django_db
def test_time_to_give_up_counts_from_the_last_turn_of_each_occurrence(
    account: Account, alice: User, draft: Blast, series: Series
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, give_up_hours=4)
    tick(MORNING + HOUR)
    tick(MORNING + HOUR + DAY)

    ends = series.occurrences.order_by("occurrence_on").values_list("batch__expires_at", flat=True)
    assert list(ends) == [MORNING + 8 * HOUR, MORNING + 8 * HOUR + DAY]


@pytest.mark.django_db
def test_where_the_easternmost_left_it_waits_for_the_next_clock(series: Series) -> None:
    Contact.objects.all().update(timezone="America/Los_Angeles")

    tick(MORNING + HOUR)
    assert not Blast.objects.filter(series=series).exists()
    series.refresh_from_db()
    assert (series.next_on, series.next_at) == (TODAY, MORNING + 4 * HOUR)

    tick(MORNING + 4 * HOUR)
    (blast,) = Blast.objects.filter(series=series)
    assert turns(blast) == [(6, MORNING + 4 * HOUR)]


@pytest.mark.django_db
def test_a_day_that_has_begun_for_somebody_is_left_to_the_next(
    account: Account, alice: User, draft: Blast
) -> None:
    """In Auckland Monday's ten o'clock passed before Monday's nine in New York."""
    Contact.objects.filter(first_name="Eve").update(timezone="Pacific/Auckland")
    with time_machine.travel(MORNING, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=LOCALLY)

    assert series.next_on == TODAY + DAY
    assert series.next_at == datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_whoever_is_west_of_the_account_still_has_the_day_before(
    account: Account, alice: User, draft: Blast
) -> None:
    """At 00:30 on Tuesday in New York it is 19:30 on Monday in Honolulu."""
    Contact.objects.all().update(timezone="Pacific/Honolulu")
    rule = Rule("day", time(20), TODAY, is_local=True)
    with time_machine.travel(datetime(2026, 11, 24, 5, 30, tzinfo=UTC), tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)

    assert (series.next_on, series.next_at) == (TODAY, datetime(2026, 11, 24, 6, 0, tzinfo=UTC))


@pytest.mark.django_db
def test_the_page_offers_the_day_that_is_over_only_where_the_account_is(
    account: Account, alice: User, draft: Blast
) -> None:
    """Monday's ten o'clock in the evening in Honolulu is three on Tuesday morning in New York."""
    Contact.objects.all().update(timezone="Pacific/Honolulu")
    client = Client()
    rule = Rule("day", time(22), TODAY, is_local=True)

    def offered() -> list[str]:
        client.force_login(alice)
        page = client.get(reverse("blast_report", args=[draft.pk])).content.decode()
        return re.findall(r'name="on" value="([^"]+)"', page)

    with time_machine.travel(MORNING, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    with time_machine.travel(datetime(2026, 11, 24, 7, 59, tzinfo=UTC), tick=False):
        before = offered()
        services.series_skip(account=account, actor=alice, series=series, day=TODAY)
        skipped = offered()
    with time_machine.travel(datetime(2026, 11, 24, 8, 1, tzinfo=UTC), tick=False):
        after = offered()

    days = [f"{TODAY + n * DAY:%Y-%m-%d}" for n in range(11)]
    assert before == skipped == days[:10]
    assert after == days[1:]


@pytest.mark.django_db
def test_a_day_that_went_out_does_not_come_again_under_another_rule(
    account: Account, alice: User, series: Series
) -> None:
    tick(MORNING + HOUR)
    later = Rule("day", time(15), TODAY)
    with time_machine.travel(MORNING + 2 * HOUR, tick=False):
        changed = services.series_change(account=account, actor=alice, series=series, rule=later)

    assert (changed.next_on, changed.next_at) == (TODAY + DAY, MORNING + 6 * HOUR + DAY)
    assert (changed.is_local, changed.clocks) == (False, [])


@pytest.mark.django_db
def test_what_was_missed_long_ago_is_left_out(series: Series) -> None:
    tick(MORNING + 8 * HOUR)

    assert not Blast.objects.filter(series=series).exists()
    series.refresh_from_db()
    assert series.next_on == TODAY + DAY
    assert AuditEvent.objects.filter(action="series.missed").count() == 1


@pytest.mark.django_db
def test_an_occurrence_without_a_text_says_so(
    account: Account, alice: User, draft: Blast, series: Series
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, body="Hi {{first_name")
    tick(MORNING + HOUR)

    (blast,) = Blast.objects.filter(series=series)
    assert (blast.state, blast.batch) == (BlastState.FAILED, None)


@pytest.mark.django_db
def test_the_calendar_shows_the_day_on_recipients_clocks(series: Series, account: Account) -> None:
    days = planned.calendar_days(account=account, first=TODAY, last=TODAY + DAY)

    assert [(day, entry.at, entry.words) for day, entries in days.items() for entry in entries] == [
        (TODAY, datetime.combine(TODAY, time(10)), "Repeats, local time"),
        (TODAY + DAY, datetime.combine(TODAY + DAY, time(10)), "Repeats, local time"),
    ]


def form_of(draft: Blast, **more: Any) -> dict[str, Any]:
    return {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "when": "repeat",
        "scheduled_at": "2026-11-23T10:00",
        "every": "week",
        "interval": "2",
        "weekdays": ["0", "4"],
        "is_local": "on",
        **more,
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_are_in_california")
def test_the_composer_shows_the_first_timetable_and_says_each_time(
    alice: User, draft: Blast
) -> None:
    with time_machine.travel(MORNING):
        client = Client()
        client.force_login(alice)
        told = client.post(reverse("blast_count"), form_of(draft)).content.decode()

    assert "When, the first time" in told
    assert "Mon 23 Nov 10:00" in told
    assert "Mon 23 Nov 13:00" in told
    assert "Each text goes when it is 10:00 there" in told
    assert "Send each time, first to about 5 people, 5 credits" in told
    assert "Every 2 weeks on Monday and Friday at 10:00 on the clock of each recipient." in told


@pytest.mark.django_db
def test_a_draft_keeps_its_rule_until_it_is_meant_to_go_once(alice: User, draft: Blast) -> None:
    with time_machine.travel(MORNING):
        client = Client()
        client.force_login(alice)
        edit = reverse("blast_edit", args=[draft.pk])
        client.post(edit, form_of(draft, act="save", count="6"))
        draft.refresh_from_db()
        assert (draft.state, draft.repeats.state) == (BlastState.DRAFT, SeriesState.DRAFT)
        assert draft.repeats.rule == Rule(
            "week", time(10), TODAY, interval=2, weekdays=(0, 4), count=6, is_local=True
        )
        page = client.get(edit).content.decode()
        assert 'value="repeat" checked' in page
        assert 'name="is_local" value="on" checked' in page
        assert 'value="2026-11-23T10:00"' in page
        tick(MORNING + 9 * DAY)
        assert Blast.objects.count() == 1
        client.force_login(alice)
        client.post(edit, form_of(draft, act="save", when="later"))

    assert Series.objects.count() == 0


@pytest.mark.django_db
def test_a_kept_rule_starts_from_the_draft_and_sending_once_drops_it(
    account: Account, alice: User, draft: Blast
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice}
    other = services.blast_duplicate(**who, blast=draft)
    for blast in (draft, other):
        services.series_keep(account=account, blast=blast, rule=LOCALLY)
    with time_machine.travel(MORNING, tick=False):
        series = services.series_start(**who, blast=draft, rule=LOCALLY)
        services.blast_schedule(**who, blast=other)

    assert list(Series.objects.values_list("pk", "state")) == [(series.pk, SeriesState.RUNNING)]


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_are_in_california")
def test_the_api_repeats_at_local_times(api: Any, draft: Blast) -> None:
    rule = {"every": "day", "at": "10:00", "starts_on": "2026-11-23", "is_local": True}
    with time_machine.travel(MORNING):
        told = api.post(
            f"/api/v1/blasts/{draft.pk}/repeat/", rule, content_type="application/json"
        ).json()["repeats"]

    assert (told["is_local"], told["next_on"]) == (True, "2026-11-23")
    assert told["next_at"] == "2026-11-23T15:00:00Z"


# --- Over changes of clocks ---

zones = st.sampled_from(
    (
        *("America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Europe/Berlin"),
        *("Australia/Lord_Howe", "Pacific/Auckland", "America/Santiago", "Asia/Kathmandu"),
    )
)


@given(
    start=st.dates(date(2024, 1, 1), date(2035, 1, 1)),
    at=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    clocks=st.lists(st.lists(zones, min_size=1, max_size=2), min_size=1, max_size=5),
)
def test_every_day_is_launched_once_and_nobodys_turn_is_before_it(
    start: date, at: time, clocks: list[list[str]]
) -> None:
    account = Account(timezone="America/New_York")
    series = Series(account=account, clocks=clocks)
    series.rule_set(Rule("day", at, start, is_local=True))
    days = list(islice(series.rule.days(), 380))

    launches = [series.moment_on(day) for day in days]

    assert [day - start for day in days] == [n * DAY for n in range(380)]
    # Clocks move by two hours at most, where the first of them does.
    assert all(21 * HOUR <= late - early <= 27 * HOUR for early, late in pairwise(launches))
    for day, launch in zip(days, launches, strict=True):
        theirs = [
            max(wall_moment(datetime.combine(day, at), zone) for zone in one) for one in clocks
        ]
        assert min(theirs) == launch


@given(
    start=st.dates(date(2024, 1, 1), date(2035, 1, 1)),
    at=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    zone=zones,
    hours=st.integers(0, 24 * 400),
)
def test_the_next_is_the_first_day_that_is_still_to_come_there(
    start: date, at: time, zone: str, hours: int
) -> None:
    series = Series(account=Account(timezone="America/New_York"), clocks=[[zone]])
    series.rule_set(Rule("day", at, start, is_local=True))
    since = datetime.combine(start, time(), UTC) + hours * HOUR

    series.move_on(since=since)

    assert series.next_on is not None
    assert series.next_at is not None
    assert series.next_at >= since
    before = series.next_on - DAY
    assert before < start or series.moment_on(before) < since
    shown = series.next_at.astimezone(ZoneInfo(zone))
    assert shown.date() == series.next_on
