"""Copies: a series begun anew, and a whole campaign used again."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, User
from campaigns import services
from campaigns.choices import BlastState, SeriesState
from campaigns.models import Blast, Campaign, Series
from campaigns.recurring import Rule
from common.errors import NotFound
from contacts.models import Group
from tests.campaigns.conftest import Browse

pytestmark = pytest.mark.django_db


MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("rule", "copied"),
    [
        # Every other Monday goes on in its own weeks.
        (
            Rule("week", time(10), date(2026, 11, 2), interval=2, weekdays=(0,), count=2),
            Rule("week", time(10), date(2026, 11, 30), interval=2, weekdays=(0,), count=2),
        ),
        # February has no 31st, so the copy begins in March and keeps its day.
        (
            Rule("month", time(9), date(2026, 10, 31), ends_on=date(2026, 11, 1), is_local=True),
            Rule("month", time(9), date(2026, 12, 31), is_local=True),
        ),
        (
            Rule("day", time(9), date(2026, 11, 1), ends_on=date(2026, 12, 24)),
            Rule("day", time(9), TODAY, ends_on=date(2026, 12, 24)),
        ),
    ],
)
def test_a_rule_begun_anew(rule: Rule, copied: Rule) -> None:
    assert rule.anew(since=TODAY) == copied


def test_a_copy_of_a_series_is_a_draft_that_is_meant_to_repeat(
    account: Account, alice: User, draft: Blast
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice}
    rule = Rule("day", time(10), date(2026, 11, 1), is_local=True)
    with time_machine.travel(MORNING, tick=False):
        services.series_start(**who, blast=draft, rule=rule)
        copy = services.blast_duplicate(**who, blast=draft)
        planned = services.blast_duplicate(**who, blast=draft, on=date(2026, 12, 1))

    kept = Series.objects.get(blast=copy)
    assert (copy.state, kept.state, kept.next_at) == (BlastState.DRAFT, SeriesState.DRAFT, None)
    assert kept.rule == Rule("day", time(10), TODAY, is_local=True)
    assert not Series.objects.filter(blast=planned).exists()


@pytest.fixture
def month(account: Account, alice: User, draft: Blast, campaign: Campaign) -> Campaign:
    """Sent on the 23rd, scheduled at local times for the 26th, a series from the 27th, a draft."""
    who: dict[str, Any] = {"account": account, "actor": alice}
    services.campaign_change(**who, campaign=campaign, goes_first=True, budget_credits=500)
    made = [services.blast_duplicate(**who, blast=draft) for _ in range(4)]
    local, weekly, _, dropped = made
    for name, blast in zip(("Local", "Weekly", "Plain", "Dropped"), made, strict=True):
        services.blast_update(**who, blast=blast, name=name)
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(**who, blast=draft, at=MORNING + HOUR)
        services.blast_schedule(**who, blast=local, wall=datetime.fromisoformat("2026-11-26T18:00"))
        rule = Rule("week", time(12), date(2026, 11, 27), count=2)
        services.series_start(**who, blast=weekly, rule=rule)
        services.blast_discard(**who, blast=dropped)
    with time_machine.travel(MORNING + HOUR, tick=False):
        services.blasts_launch_due()
    with time_machine.travel(MORNING + 4 * DAY + 3 * HOUR, tick=False):
        services.series_make_due()
    return campaign


def test_a_campaign_used_again_keeps_distances_and_times_of_day(
    account: Account, alice: User, month: Campaign, group: Group
) -> None:
    with time_machine.travel(MORNING + 5 * DAY, tick=False):
        copy = services.campaign_duplicate(
            account=account, actor=alice, campaign=month, starts_on=date(2027, 4, 5)
        )

    assert (copy.name, copy.goes_first, copy.budget_credits) == ("Mother's Day (again)", True, 500)
    sent, local, weekly, plain = Blast.objects.filter(campaign=copy).order_by("pk")
    assert {blast.state for blast in (sent, local, weekly, plain)} == {BlastState.DRAFT}
    assert [blast.name for blast in (sent, local, weekly, plain)] == [
        *("Last call", "Local", "Weekly", "Plain")
    ]
    assert [list(blast.groups.all()) for blast in (sent, plain)] == [[group], [group]]
    # Ten o'clock in New York is an hour earlier in UTC after the change of clocks.
    assert sent.scheduled_at == datetime(2027, 4, 5, 14, 0, tzinfo=UTC)
    assert local.wall == datetime.fromisoformat("2027-04-08T18:00")
    assert (weekly.repeats.state, weekly.repeats.rule) == (
        SeriesState.DRAFT,
        Rule("week", time(12), date(2027, 4, 9), count=2),
    )
    assert (plain.scheduled_at, plain.wall) == (None, None)


def test_without_a_day_no_copy_has_a_time(account: Account, alice: User, month: Campaign) -> None:
    with time_machine.travel(MORNING + 5 * DAY, tick=False):
        copy = services.campaign_duplicate(
            account=account, actor=alice, campaign=month, name="Spring"
        )

    assert copy.name == "Spring"
    plans = Blast.objects.filter(campaign=copy).values_list("scheduled_at", "local_on")
    assert set(plans) == {(None, None)}
    assert Series.objects.get(blast__campaign=copy).starts_on == date(2026, 12, 4)


def test_nobody_copies_anothers_campaign(
    other_account: Account, charlie: User, month: Campaign
) -> None:
    with pytest.raises(NotFound):
        services.campaign_duplicate(account=other_account, actor=charlie, campaign=month)
    assert Campaign.objects.count() == 1


def test_the_page_copies_and_refuses_a_name_too_long(
    alice: User, month: Campaign, browse: Browse
) -> None:
    client, url = browse(alice), reverse("campaign_again", args=[month.pk])

    refused = client.post(url, {"name": "x" * 121})
    answer = client.post(url, {"name": "Easter", "starts_on": "2027-03-20"})

    assert refused.status_code == 422
    copy = Campaign.objects.get(name="Easter")
    assert answer.headers["Location"] == reverse("campaign_report", args=[copy.pk])
    assert Campaign.objects.count() == 2


def test_the_api_copies_a_campaign_and_a_blast(api: Any, month: Campaign, draft: Blast) -> None:
    json = "application/json"
    made = api.post(
        f"/api/v1/campaigns/{month.pk}/duplicate/",
        {"name": "Easter", "starts_on": "2027-03-20"},
        content_type=json,
    )
    again = api.post(
        f"/api/v1/blasts/{draft.pk}/duplicate/", {"on": "2027-03-20"}, content_type=json
    )

    assert (made.status_code, made.json()["name"]) == (201, "Easter")
    assert Blast.objects.filter(campaign_id=made.json()["id"]).count() == 4
    told = again.json()
    assert (told["state"], told["scheduled_at"]) == ("draft", "2027-03-20T14:00:00Z")


def test_changing_a_campaign_shows_and_keeps_its_budget(
    alice: User, month: Campaign, browse: Browse
) -> None:
    page = browse(alice).get(reverse("campaign_edit", args=[month.pk]))

    assert 'value="500"' in page.content.decode()
