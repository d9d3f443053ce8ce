"""The calendar: what was sent, is planned and repeats, on the day of the account's clock."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, User
from campaigns import planned, services
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from campaigns.planning import Plan
from campaigns.recurring import Rule
from tests.campaigns.conftest import Browse

pytestmark = pytest.mark.django_db


MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
HOUR = timedelta(hours=1)


def copies(account: Account, alice: User, draft: Blast, count: int) -> list[Blast]:
    return [
        services.blast_duplicate(account=account, actor=alice, blast=draft) for _ in range(count)
    ]


def test_a_month_holds_what_was_sent_planned_and_repeats(
    account: Account, alice: User, draft: Blast
) -> None:
    late, local, weekly, unplanned = copies(account, alice, draft, 4)
    who: dict[str, Any] = {"account": account, "actor": alice}
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(**who, blast=draft, at=MORNING + HOUR)
        # 23:00 on the 24th in New York, where the account is.
        services.blast_schedule(**who, blast=late, at=datetime(2026, 11, 25, 4, 0, tzinfo=UTC))
        services.blast_update(
            **who, blast=local, plan=Plan(wall=datetime.combine(date(2026, 11, 28), time(9)))
        )
        services.series_start(
            **who, blast=weekly, rule=Rule("week", time(12), date(2026, 11, 27), count=2)
        )
    with time_machine.travel(MORNING + HOUR, tick=False):
        services.blasts_launch_due()

    days = planned.calendar_days(account=account, first=FIRST, last=LAST)

    assert {
        day.day: [(entry.blast.pk, entry.state) for entry in entries]
        for day, entries in days.items()
    } == {
        23: [(draft.pk, "launched")],
        24: [(late.pk, "scheduled")],
        27: [(weekly.pk, "running")],
        28: [(local.pk, "draft")],
    }
    assert planned.calendar_counts(days) == {"sent": 1, "planned": 2, "drafts": 1}
    assert unplanned.state == BlastState.DRAFT


def test_it_can_be_of_one_campaign_and_never_of_another_account(
    account: Account, other_account: Account, alice: User, draft: Blast
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, plan=Plan(at=MORNING))
    other = Campaign.objects.create(account=account, name="Other")

    def found(whose: Account, campaign: Campaign | None = None) -> int:
        days = planned.calendar_days(account=whose, first=FIRST, last=LAST, campaign=campaign)
        return len(days)

    assert found(account) == 1
    assert found(account, draft.campaign) == 1
    assert found(account, other) == 0
    assert found(other_account) == 0


def test_a_copy_is_planned_on_a_day_at_the_same_time_of_day(
    account: Account, alice: User, draft: Blast, browse: Browse
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, plan=Plan(at=MORNING))
    client = browse(alice)

    # After the change of clocks in March, nine o'clock is an hour earlier in UTC.
    answer = client.post(reverse("blast_copy"), {"blast": draft.pk, "on": "2027-03-20"})

    assert answer.headers["Location"].endswith("?month=2027-03")
    copy = Blast.objects.latest("pk")
    assert (copy.state, copy.body) == (BlastState.DRAFT, draft.body)
    assert copy.scheduled_at == datetime(2027, 3, 20, 13, 0, tzinfo=UTC)
    page = client.get(answer.headers["Location"])
    assert page.context["counts"] == {"sent": 0, "planned": 0, "drafts": 1}
    assert "09:00" in page.content.decode()


def test_on_a_phone_the_days_to_come_stand_first_and_the_past_is_folded(
    account: Account, alice: User, draft: Blast, browse: Browse
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice}
    (second,) = copies(account, alice, draft, 1)
    services.blast_update(**who, blast=draft, plan=Plan(at=MORNING - 48 * HOUR))
    services.blast_update(**who, blast=second, plan=Plan(at=MORNING + HOUR))
    with time_machine.travel(MORNING):
        page = browse(alice).get(reverse("blast_calendar"))
        later = browse(alice).get(reverse("blast_calendar") + "?month=2026-12")

    assert [day.day for day, _ in page.context["past"]] == [21]
    assert [day.day for day, _ in page.context["days"]] == [23]
    assert "Before today: 1 day with blasts" in page.content.decode()
    assert later.context["past"] == []


@pytest.mark.parametrize("query", ["?month=2026-13", "?month=x", "?month=0001-01", "?campaign=x"])
def test_an_odd_address_shows_this_month(alice: User, account: Account, query: str, browse: Browse):
    assert browse(alice).get(reverse("blast_calendar") + query).status_code == 200


def test_nothing_is_copied_without_a_day(alice: User, draft: Blast, browse: Browse) -> None:
    answer = browse(alice).post(reverse("blast_copy"), {"blast": draft.pk, "on": "soon"})

    assert answer.status_code == 302
    assert Blast.objects.count() == 1
