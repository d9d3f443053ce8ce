"""Blasts that repeat: each occurrence once, with its own report, to whoever is there then."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.choices import Role, TemplateRule
from accounts.models import Account, AuditEvent, Membership, User
from accounts.services import account_update
from campaigns import services
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import (
    BlastNotEditable,
    BlastRepeats,
    RuleInvalid,
    SeriesNeverDue,
    SeriesNotPaused,
    SeriesOver,
    TextMissing,
)
from campaigns.models import Blast, Series
from campaigns.recurring import Rule
from campaigns.services import launching
from campaigns.services import series as series_services
from campaigns.tasks import launch_due
from common.errors import Conflict
from contacts.models import GroupMember
from tests.campaigns.conftest import Browse, api_client

pytestmark = pytest.mark.django_db


# Monday 09:00 in New York.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
DAILY = Rule("day", time(10), TODAY)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def series(account: Account, alice: User, draft: Blast) -> Series:
    """Every day at ten, from today."""
    with time_machine.travel(MORNING, tick=False):
        return services.series_start(account=account, actor=alice, blast=draft, rule=DAILY)


def tick(at: datetime) -> None:
    """What beat does then, twice over."""
    with time_machine.travel(at, tick=False):
        launch_due()
        launch_due()


def occurrences(series: Series) -> list[tuple[str, str]]:
    found = Blast.objects.filter(series=series).order_by("occurrence_on")
    return [(str(blast.occurrence_on), blast.state) for blast in found]


def test_each_occurrence_is_a_blast_of_its_own_to_whoever_is_there_then(
    series: Series, draft: Blast
) -> None:
    tick(MORNING)
    assert occurrences(series) == []

    tick(MORNING + HOUR)
    GroupMember.objects.filter(contact__first_name="Ann").delete()
    tick(MORNING + HOUR + DAY)

    assert occurrences(series) == [("2026-11-23", "launched"), ("2026-11-24", "launched")]
    first, second = Blast.objects.filter(series=series).order_by("occurrence_on")
    assert first.batch is not None
    assert second.batch is not None
    assert (first.batch.size, second.batch.size) == (6, 5)
    series.refresh_from_db()
    assert (series.next_on, series.next_at) == (date(2026, 11, 25), MORNING + HOUR + 2 * DAY)
    draft.refresh_from_db()
    assert (draft.state, draft.batch) == (BlastState.REPEATING, None)


def test_after_the_last_day_it_has_ended(account: Account, alice: User, draft: Blast) -> None:
    rule = Rule("week", time(10), TODAY, weekdays=(0, 2), count=2)
    with time_machine.travel(MORNING, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)

    tick(MORNING + HOUR)
    tick(MORNING + HOUR + 2 * DAY)
    tick(MORNING + HOUR + 9 * DAY)

    assert [day for day, _ in occurrences(series)] == ["2026-11-23", "2026-11-25"]
    series.refresh_from_db()
    assert (series.state, series.next_at) == (SeriesState.ENDED, None)


def test_what_was_missed_long_ago_is_left_out_and_what_is_late_goes(series: Series) -> None:
    late = MORNING + 2 * DAY + 3 * HOUR
    tick(late)
    tick(late)

    assert occurrences(series) == [("2026-11-25", "launched")]
    missed = AuditEvent.objects.filter(action="series.missed").order_by("pk")
    assert [event.data["day"] for event in missed] == ["2026-11-23", "2026-11-24"]


def test_pause_resume_skip_and_end(account: Account, alice: User, series: Series) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice, "series": series}
    with time_machine.travel(MORNING, tick=False):
        assert services.series_skip(**who).next_on == TODAY + DAY
        services.series_pause(**who)
    tick(MORNING + 2 * DAY)
    assert occurrences(series) == []

    with time_machine.travel(MORNING + 3 * DAY, tick=False):
        resumed = services.series_resume(**who)
        assert (resumed.state, resumed.next_on) == (SeriesState.RUNNING, TODAY + 3 * DAY)
        with pytest.raises(SeriesNotPaused):
            services.series_resume(**who)
        services.series_stop(**who)
        for refused in (services.series_pause, services.series_skip):
            with pytest.raises(SeriesOver):
                refused(**who)
    tick(MORNING + 9 * DAY)
    assert occurrences(series) == []
    actions = AuditEvent.objects.filter(action__startswith="series.").order_by("pk")
    assert [event.action for event in actions] == [
        "series.started",
        "series.skipped",
        "series.paused",
        "series.resumed",
        "series.ended",
    ]


def test_a_change_holds_for_those_to_come(
    account: Account, alice: User, series: Series, draft: Blast
) -> None:
    tick(MORNING + HOUR)
    with time_machine.travel(MORNING + 2 * HOUR, tick=False):
        services.blast_update(account=account, actor=alice, blast=draft, body="Other words")
        rule = Rule("week", time(12), TODAY, weekdays=(4,))
        changed = services.series_change(account=account, actor=alice, series=series, rule=rule)
    assert changed.next_at == datetime(2026, 11, 27, 17, 0, tzinfo=UTC)
    tick(changed.next_at)

    found = Blast.objects.filter(series=series).order_by("occurrence_on")
    assert [blast.body for blast in found] == [draft.body, "Other words"]


def test_an_occurrence_that_cannot_go_says_why_and_the_next_is_tried(
    account: Account, alice: User, series: Series, draft: Blast
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, group_ids=[])
    tick(MORNING + HOUR)
    tick(MORNING + HOUR + DAY)

    assert [state for _, state in occurrences(series)] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"interval": 0}, RuleInvalid),
        ({"count": 0}, RuleInvalid),
        ({"weekdays": (7,)}, RuleInvalid),
        ({"ends_on": TODAY - DAY}, RuleInvalid),
        ({"ends_on": TODAY, "count": 3}, RuleInvalid),
        ({"starts_on": TODAY - 9 * DAY, "ends_on": TODAY - DAY}, SeriesNeverDue),
    ],
)
def test_rules_without_sense_are_refused(
    account: Account, alice: User, draft: Blast, fields: dict[str, Any], error: type[Exception]
) -> None:
    rule = Rule(**{"every": "day", "at": time(10), "starts_on": TODAY, **fields})
    with time_machine.travel(MORNING, tick=False), pytest.raises(error):
        services.series_start(account=account, actor=alice, blast=draft, rule=rule)

    draft.refresh_from_db()
    assert (draft.state, Series.objects.count()) == (BlastState.DRAFT, 0)


def test_what_could_not_be_sent_does_not_repeat(
    account: Account, alice: User, draft: Blast, series: Series
) -> None:
    with pytest.raises(BlastNotEditable):
        services.series_start(account=account, actor=alice, blast=draft, rule=DAILY)
    with pytest.raises(BlastRepeats):
        services.blast_cancel(account=account, actor=alice, blast=draft)
    empty = services.blast_create(account=account, actor=alice, campaign=draft.campaign)
    with pytest.raises(TextMissing):
        services.series_start(account=account, actor=alice, blast=empty, rule=DAILY)


def test_one_rewritten_while_it_is_counted_does_not_start(
    account: Account, alice: User, draft: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = launching.require_sendable

    def count(*args: Any) -> Any:
        """The count, after which somebody writes other words."""
        found = counted(*args)
        services.blast_update(account=account, actor=alice, blast=draft, body="Never counted")
        return found

    monkeypatch.setattr(series_services, "require_sendable", count)
    with time_machine.travel(MORNING, tick=False), pytest.raises(Conflict):
        services.series_start(account=account, actor=alice, blast=draft, rule=DAILY)

    draft.refresh_from_db()
    assert (draft.state, Series.objects.count()) == (BlastState.DRAFT, 0)


def test_in_another_zone_nothing_goes_a_day_late_and_two_never_follow_at_once(
    account: Account, alice: User, draft: Blast
) -> None:
    Account.objects.filter(pk=account.pk).update(timezone="America/Los_Angeles")
    account.refresh_from_db()
    with time_machine.travel(MORNING, tick=False):
        series = services.series_start(account=account, actor=alice, blast=draft, rule=DAILY)
        account_update(account=account, actor=alice, timezone="Pacific/Auckland")
    ten_there = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    assert series.next_at == ten_there

    # In Auckland that is Tuesday at seven; its Monday at ten was 21 hours before.
    tick(ten_there)
    assert occurrences(series) == []
    (missed,) = AuditEvent.objects.filter(action="series.missed")
    assert missed.data["day"] == "2026-11-23"
    tick(ten_there + 3 * HOUR)
    assert occurrences(series) == [("2026-11-24", "launched")]

    # Back again ten o'clock is later than was thought: it waits.
    account_update(account=account, actor=alice, timezone="America/Los_Angeles")
    tick(ten_there + DAY + 3 * HOUR)
    assert occurrences(series) == [("2026-11-24", "launched")]
    tick(ten_there + 2 * DAY)
    assert [day for day, _ in occurrences(series)] == ["2026-11-24", "2026-11-25"]


# --- Pages and API ---


def test_the_composer_starts_a_series_and_changes_it(
    alice: User, draft: Blast, browse: Browse
) -> None:
    client = browse(alice)
    form: dict[str, Any] = {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "when": "repeat",
        "scheduled_at": "2026-11-23T10:00",
        "every": "week",
        "interval": "1",
        "weekdays": ["0", "4"],
        "act": "send",
    }
    with time_machine.travel(MORNING):
        client.force_login(alice)
        edit = reverse("blast_edit", args=[draft.pk])
        assert client.post(edit, form).status_code == 302
        page = client.get(reverse("blast_report", args=[draft.pk])).content.decode()
        assert "Every week on Monday and Friday at 10:00." in page
        assert "Fri 27 Nov 2026, 10:00 EST" in page
        again = client.get(edit).content.decode()
        assert 'value="repeat" checked' in again
        client.post(edit, {**form, "weekdays": ["1"], "body": "New words"})

    series = Series.objects.get()
    assert (series.weekdays, series.next_on) == ([1], date(2026, 11, 24))
    assert series.blast.body == "New words"


def test_its_page_holds_it_and_shows_what_it_sent(
    alice: User, series: Series, draft: Blast, browse: Browse
) -> None:
    tick(MORNING + HOUR)
    with time_machine.travel(MORNING + 2 * HOUR):
        client = browse(alice)
        url = reverse("blast_series", args=[draft.pk])
        assert client.post(url, {"act": "pause"}).status_code == 302
        page = client.get(reverse("blast_report", args=[draft.pk])).content.decode()

    assert "Paused: nothing goes out until somebody resumes it." in page
    assert "Mon 23 Nov 2026" in page
    assert "0 of 6 delivered" in page


def test_its_page_shows_the_text_as_it_will_be_read(
    alice: User, series: Series, draft: Blast, browse: Browse
) -> None:
    body = "It’s {{first_name|there}}, " + "x" * 80
    Blast.objects.filter(pk=draft.pk).update(body=body, smart_encoding=True)

    page = browse(alice).get(reverse("blast_report", args=[draft.pk])).content.decode()

    assert "It&#x27;s Ann, xxx" in page
    assert "It’s" not in page


def test_the_list_of_campaigns_names_what_repeats_until_it_has_ended(
    account: Account, alice: User, series: Series, browse: Browse
) -> None:
    client = browse(alice)
    running = client.get(reverse("campaign_list")).content.decode()
    services.series_pause(account=account, actor=alice, series=series)
    paused = client.get(reverse("campaign_list")).content.decode()
    services.series_stop(account=account, actor=alice, series=series)
    ended = client.get(reverse("campaign_list")).content.decode()

    assert "Every day at 10:00" in running
    assert ("Every day at 10:00" in paused, "Paused" in paused) == (True, True)
    assert "Every day at 10:00" not in ended


def test_the_api_repeats_and_holds(api: Any, draft: Blast) -> None:
    url, rule = f"/api/v1/blasts/{draft.pk}/", {"every": "month", "at": "09:30"}
    with time_machine.travel(MORNING):
        told = api.post(
            f"{url}repeat/", {**rule, "starts_on": "2026-12-31"}, content_type="application/json"
        ).json()
        held = api.post(f"{url}series/", {"act": "pause"}, content_type="application/json").json()
        wrong = api.post(f"{url}series/", {"act": "dance"}, content_type="application/json")

    assert told["repeats"] == {
        "state": "running",
        "next_on": "2026-12-31",
        "next_at": "2026-12-31T14:30:00Z",
        "skipped_on": [],
        "every": "month",
        "at": "09:30:00",
        "starts_on": "2026-12-31",
        "interval": 1,
        "weekdays": [],
        "ends_on": None,
        "count": None,
        "is_local": False,
    }
    assert held["repeats"]["state"] == "paused"
    assert wrong.status_code == 422


def test_a_skipped_day_stays_skipped_when_the_rule_is_kept_or_the_series_resumed(
    account: Account, alice: User, series: Series
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice, "series": series}
    with time_machine.travel(MORNING, tick=False):
        services.series_skip(**who)
        assert services.series_change(**who, rule=DAILY).next_on == TODAY + DAY
        services.series_pause(**who)
        assert services.series_resume(**who).next_on == TODAY + DAY

    tick(MORNING + HOUR)
    assert occurrences(series) == []
    tick(MORNING + HOUR + DAY)
    assert occurrences(series) == [("2026-11-24", "launched")]


def test_a_key_that_may_not_send_changes_nothing_that_goes_out_by_itself(
    account: Account, alice: User, series: Series, draft: Blast
) -> None:
    url, json = f"/api/v1/blasts/{draft.pk}/", "application/json"
    writer = api_client(account, alice, ["read", "write"])
    sender = api_client(account, alice, ["read", "write", "send"])

    refused = [
        writer.patch(url, {"body": "Other words"}, content_type=json).status_code,
        writer.post(f"{url}series/", {"act": "pause"}, content_type=json).status_code,
    ]

    assert refused == [403, 403]
    draft.refresh_from_db()
    series.refresh_from_db()
    assert (draft.body == "Other words", series.state) == (False, SeriesState.RUNNING)
    assert sender.patch(url, {"body": "Other words"}, content_type=json).status_code == 200


def test_whoever_rewrites_a_series_answers_for_its_words(
    account: Account, alice: User, bob: User, series: Series, draft: Blast
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule=TemplateRule.MARKETERS)
    Membership.objects.filter(account=account, user=bob).update(role=Role.MARKETER)
    services.blast_update(account=account, actor=bob, blast=draft, body="Nobody approved this")

    tick(MORNING + HOUR)

    (occurrence,) = Blast.objects.filter(series=series)
    assert (occurrence.state, occurrence.batch) == (BlastState.FAILED, None)


@pytest.mark.parametrize("year", [1, 1999, 2100])
def test_a_first_day_in_another_century_is_refused(
    account: Account, alice: User, draft: Blast, year: int
) -> None:
    rule = Rule("day", time(10), date(year, 1, 1))
    with pytest.raises(RuleInvalid):
        services.series_start(account=account, actor=alice, blast=draft, rule=rule)
