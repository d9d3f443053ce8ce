"""Any occurrence of a blast that repeats can be left out, and brought back until its time."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from campaigns import planned, services
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import OccurrenceFar, OccurrenceGone, OccurrenceSent, SeriesOver
from campaigns.models import Blast, Series
from campaigns.recurring import Rule
from campaigns.tasks import launch_due
from tests.campaigns.conftest import Browse

pytestmark = pytest.mark.django_db


# Monday 09:00 in New York.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAILY = Rule("day", time(10), TODAY)


@pytest.fixture
def series(account: Account, alice: User, draft: Blast) -> Series:
    """Every day at ten, from today."""
    with time_machine.travel(MORNING, tick=False):
        return services.series_start(account=account, actor=alice, blast=draft, rule=DAILY)


@pytest.fixture
def who(account: Account, alice: User, series: Series) -> dict[str, Any]:
    """What every act takes."""
    return {"account": account, "actor": alice, "series": series}


def at(moment: datetime, act: Callable[..., Series], **given: Any) -> Series:
    """`act`, done then."""
    with time_machine.travel(moment, tick=False):
        return act(**given)


def run_days(days: int) -> list[int]:
    """What beat makes of so many mornings at ten: the days of the month that went out."""
    for n in range(days):
        with time_machine.travel(MORNING + HOUR + n * DAY, tick=False):
            launch_due()
    made = Blast.objects.filter(series__isnull=False).order_by("occurrence_on")
    return [blast.occurrence_on.day for blast in made if blast.occurrence_on]


def test_any_day_is_left_out_and_the_others_go(who: dict[str, Any], series: Series):
    skipped = at(MORNING, services.series_skip, **who, day=TODAY + 2 * DAY)
    assert (skipped.next_on, skipped.skipped_on) == (TODAY, [TODAY + 2 * DAY])
    at(MORNING, services.series_skip, **who, day=TODAY + 2 * DAY)
    at(MORNING, services.series_skip, **who)  # today's

    assert run_days(4) == [24, 26]
    series.refresh_from_db()
    assert (series.next_on, series.skipped_on) == (TODAY + 4 * DAY, [])
    told = AuditEvent.objects.filter(action="series.skipped").order_by("pk")
    assert [one.data["day"] for one in told] == ["2026-11-25", "2026-11-23"]


def test_what_was_skipped_can_be_brought_back_until_its_time(who: dict[str, Any], series: Series):
    for n in range(3):
        at(MORNING, services.series_skip, **who, day=TODAY + n * DAY)
    assert at(MORNING, services.series_unskip, **who, day=TODAY).next_at == MORNING + HOUR
    at(MORNING, services.series_unskip, **who, day=TODAY + 2 * DAY)

    assert run_days(2) == [23]
    with pytest.raises(OccurrenceGone):
        at(MORNING + DAY + 2 * HOUR, services.series_unskip, **who, day=TODAY + DAY)
    assert run_days(4) == [23, 25, 26]


@pytest.mark.parametrize(("days", "error"), [(-1, OccurrenceGone), (367, OccurrenceFar)])
def test_a_day_on_which_nothing_could_go_is_not_skipped(
    who: dict[str, Any], series: Series, days: int, error: type[Exception]
):
    with pytest.raises(error):
        at(MORNING, services.series_skip, **who, day=TODAY + days * DAY)

    series.refresh_from_db()
    assert series.skipped_on == []
    assert not AuditEvent.objects.filter(action="series.skipped").exists()


def test_a_day_that_the_rule_has_not_is_no_occurrence(who: dict[str, Any], series: Series):
    at(MORNING, services.series_change, **who, rule=Rule("week", time(10), TODAY, weekdays=(4,)))
    with pytest.raises(OccurrenceGone):
        at(MORNING, services.series_skip, **who, day=TODAY + 3 * DAY)

    friday = TODAY + 4 * DAY
    assert at(MORNING, services.series_skip, **who, day=friday).next_on == friday + 7 * DAY


def test_skipped_days_count_among_so_many_times_and_skipping_the_last_ends_it(
    who: dict[str, Any], series: Series
):
    rule = Rule("day", time(10), TODAY, count=3)
    at(MORNING, services.series_change, **who, rule=rule)
    at(MORNING, services.series_skip, **who, day=TODAY + DAY)
    assert run_days(1) == [23]

    ended = at(MORNING + 2 * HOUR, services.series_skip, **who, day=TODAY + 2 * DAY)

    assert (ended.state, ended.next_on) == (SeriesState.ENDED, None)
    at(MORNING + 2 * HOUR, services.series_skip, **who, day=TODAY + 2 * DAY)
    with pytest.raises(SeriesOver):
        at(MORNING + 2 * HOUR, services.series_skip, **who, day=TODAY + 3 * DAY)
    assert run_days(4) == [23]
    with pytest.raises(OccurrenceGone):
        at(MORNING + 3 * DAY, services.series_unskip, **who, day=TODAY + 2 * DAY)
    series.refresh_from_db()
    assert series.state == SeriesState.ENDED


def test_the_last_one_is_brought_back_though_the_others_are_over(
    who: dict[str, Any], series: Series, alice: User, draft: Blast, browse: Browse
):
    at(MORNING, services.series_change, **who, rule=Rule("day", time(10), TODAY, count=3))
    at(MORNING, services.series_skip, **who, day=TODAY + 2 * DAY)
    assert run_days(2) == [23, 24]
    series.refresh_from_db()
    assert (series.state, series.next_on) == (SeriesState.ENDED, None)
    later = MORNING + DAY + 2 * HOUR
    with time_machine.travel(later, tick=False):
        client = browse(alice)
        page = client.get(reverse("blast_report", args=[draft.pk]))
        calendar = client.get(reverse("blast_calendar"))
        client.post(reverse("blast_series", args=[draft.pk]), {"act": "unskip", "on": "2026-11-25"})

    assert [(one.day.day, one.is_skipped) for one in page.context["coming"]] == [(25, True)]
    assert "one that was skipped can be brought back" in page.content.decode()
    assert f'value="{draft.pk}:2026-11-25"' in calendar.content.decode()
    series.refresh_from_db()
    assert (series.state, series.next_on) == (SeriesState.RUNNING, TODAY + 2 * DAY)
    assert (series.next_at, series.skipped_on) == (MORNING + HOUR + 2 * DAY, [])
    assert run_days(5) == [23, 24, 25]
    series.refresh_from_db()
    assert series.state == SeriesState.ENDED


@pytest.mark.parametrize("is_last", [False, True])
def test_ended_by_a_person_it_brings_nothing_back(who: dict[str, Any], is_last: bool):
    if is_last:
        at(MORNING, services.series_change, **who, rule=Rule("day", time(10), TODAY, count=1))
    at(MORNING, services.series_skip, **who, day=TODAY)

    for _ in range(2):
        ended = at(MORNING, services.series_stop, **who)

    assert (ended.state, ended.skipped_on) == (SeriesState.ENDED, [])
    assert AuditEvent.objects.filter(action="series.ended").count() == 1
    with pytest.raises(SeriesOver):
        at(MORNING, services.series_unskip, **who, day=TODAY)
    assert run_days(2) == []


@pytest.mark.parametrize("count", [None, 1])
def test_what_goes_out_at_this_moment_is_held_on_its_report(who: dict[str, Any], count: int | None):
    at(MORNING, services.series_change, **who, rule=Rule("day", time(10), TODAY, count=count))
    run_days(1)

    for refused in (services.series_skip, services.series_unskip):
        with pytest.raises(OccurrenceSent, match="open its report to pause or cancel it"):
            at(MORNING + HOUR, refused, **who, day=TODAY)


def test_what_could_not_be_sent_is_not_said_to_go_out(who: dict[str, Any], series: Series):
    run_days(1)
    Blast.objects.filter(series=series).update(state=BlastState.FAILED)

    with pytest.raises(OccurrenceGone, match="Nothing of this goes out on that day any more"):
        at(MORNING + HOUR, services.series_skip, **who, day=TODAY)


def test_what_will_not_go_is_not_said_to_go_after_all(who: dict[str, Any], series: Series):
    tuesday, fridays = TODAY + DAY, Rule("week", time(10), TODAY, weekdays=(4,))
    at(MORNING, services.series_skip, **who, day=tuesday)
    at(MORNING, services.series_change, **who, rule=fridays)
    for day in (TODAY - DAY, TODAY, tuesday):
        with pytest.raises(OccurrenceGone):
            at(MORNING, services.series_unskip, **who, day=day)
    at(MORNING, services.series_pause, **who)
    with pytest.raises(OccurrenceGone):
        at(MORNING + 5 * DAY, services.series_unskip, **who, day=TODAY + 4 * DAY)

    series.refresh_from_db()
    assert series.skipped_on == [tuesday]
    assert not AuditEvent.objects.filter(action="series.brought_back").exists()


def test_of_a_paused_one_the_page_says_that_it_waits(
    who: dict[str, Any], alice: User, draft: Blast, browse: Browse
):
    at(MORNING, services.series_skip, **who, day=TODAY + 2 * DAY)
    at(MORNING, services.series_pause, **who)
    url, asked = reverse("blast_series", args=[draft.pk]), {"act": "unskip", "on": "2026-11-25"}
    with time_machine.travel(MORNING):
        paused = browse(alice).post(url, asked, follow=True).content.decode()
        services.series_resume(**who)
        resumed = browse(alice).post(url, asked, follow=True).content.decode()

    assert "It goes out on Wed 25 Nov 2026 once it is resumed." in paused
    assert "It goes out on Wed 25 Nov 2026 after all." in resumed


def test_the_calendar_offers_none_whose_time_has_passed(who: dict[str, Any], series: Series):
    def offered(moment: datetime) -> list[int]:
        with time_machine.travel(moment, tick=False):
            last = TODAY + 2 * DAY
            days = planned.calendar_days(account=who["account"], first=TODAY, last=last)
            return [entry.at.day for entry in planned.occurrences_to_come(days)]

    at(MORNING, services.series_skip, **who, day=TODAY)

    assert offered(MORNING + HOUR) == [23, 24, 25]
    assert offered(MORNING + HOUR + timedelta(minutes=1)) == [24, 25]
    assert offered(MORNING + HOUR + DAY + timedelta(minutes=1)) == [25]


def test_skipped_days_stay_so_whatever_becomes_of_the_rule(who: dict[str, Any]):
    at(MORNING, services.series_skip, **who, day=TODAY + DAY)
    at(MORNING, services.series_change, **who, rule=Rule("day", time(9, 30), TODAY))
    at(MORNING, services.series_pause, **who)
    resumed = at(MORNING, services.series_resume, **who)

    assert (resumed.next_on, resumed.skipped_on) == (TODAY, [TODAY + DAY])
    assert run_days(3) == [23, 25]


def test_an_hour_that_clocks_skip_or_repeat_moves_no_occurrence(
    account: Account, alice: User, draft: Blast
):
    before = datetime(2026, 10, 31, 14, 0, tzinfo=UTC)
    rule = Rule("day", time(1, 30), date(2026, 11, 1))  # 01:30 comes twice that night
    with time_machine.travel(before, tick=False):
        made = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    assert made.next_at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    given = {"account": account, "actor": alice, "series": made, "day": date(2026, 11, 1)}

    skipped = at(before, services.series_skip, **given)
    assert skipped.next_at == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
    back = at(before, services.series_unskip, **given)
    assert back.next_at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_the_page_and_the_calendar_skip_and_bring_back(
    alice: User, series: Series, draft: Blast, browse: Browse
):
    page, wednesday = reverse("blast_report", args=[draft.pk]), "2026-11-25"
    with time_machine.travel(MORNING):
        client = browse(alice)
        answer = client.post(
            reverse("blast_series", args=[draft.pk]), {"act": "skip", "on": wednesday}, follow=True
        )
        assert "Nothing goes out on Wed 25 Nov 2026." in answer.content.decode()
        coming = client.get(page).context["coming"]
        assert [(one.day.day, one.is_skipped) for one in coming[:4]] == [
            (23, False), (24, False), (25, True), (26, False),
        ]  # fmt: skip
        days = planned.calendar_days(account=series.account, first=TODAY, last=TODAY + 3 * DAY)
        assert {day.day: [one.state for one in found] for day, found in days.items()} == {
            23: ["running"], 24: ["running"], 25: ["skipped"], 26: ["running"],
        }  # fmt: skip
        calendar = client.get(reverse("blast_calendar")).content.decode()
        assert f'value="{draft.pk}:{wednesday}"' in calendar
        answer = client.post(
            reverse("blast_occurrence"), {"act": "unskip", "occurrence": f"{draft.pk}:{wednesday}"}
        )
        assert answer.headers["Location"] == "/campaigns/calendar?month=2026-11"
        client.post(reverse("blast_occurrence"), {"act": "stop", "occurrence": f"{draft.pk}:x"})

    series.refresh_from_db()
    assert (series.state, series.skipped_on) == (SeriesState.RUNNING, [])


def test_a_viewer_and_another_account_skip_nothing(
    account: Account, other_account: Account, bob: User, charlie: User, series: Series,
    draft: Blast, browse: Browse,
):  # fmt: skip
    Membership.objects.filter(account=account, user=bob).update(role=Role.VIEWER)
    asked = {"act": "skip", "occurrence": f"{draft.pk}:2026-11-25"}
    with time_machine.travel(MORNING):
        answers = [
            browse(person).post(reverse("blast_occurrence"), asked).status_code
            for person in (bob, charlie)
        ]

        garbage = [
            browse(charlie).post(reverse("blast_occurrence"), {**asked, "occurrence": typed})
            for typed in ("", ":", "x:2026-11-25", f"{'9' * 5000}:2026-11-25")
        ]

    series.refresh_from_db()
    assert (answers, series.skipped_on) == ([403, 404], [])
    assert [answer.status_code for answer in garbage] == [404] * 4


def test_the_api_skips_a_day_and_brings_it_back(api: Any, draft: Blast, series: Series):
    url = f"/api/v1/blasts/{draft.pk}/series/"

    def post(**asked: str) -> Any:
        return api.post(url, asked, content_type="application/json")

    with time_machine.travel(MORNING):
        skipped = post(act="skip", on="2026-11-23").json()["repeats"]
        back = post(act="unskip", on="2026-11-23").json()["repeats"]
        wrong = [
            post(act="unskip").status_code,
            post(act="pause", on="2026-11-23").status_code,
            post(act="skip", on="2026-11-22").status_code,
        ]

    assert (skipped["next_on"], skipped["skipped_on"]) == ("2026-11-24", ["2026-11-23"])
    assert (back["next_on"], back["skipped_on"]) == ("2026-11-23", [])
    assert wrong == [422, 422, 409]
