"""Plans that would text people too often: told on the calendar before anything goes out."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, User
from campaigns import services
from campaigns.collisions import crowds
from campaigns.models import Blast
from campaigns.recurring import Rule
from contacts.models import Group
from messaging.models import Chunk
from tests.campaigns.conftest import Browse, people

pytestmark = pytest.mark.django_db


MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture
def who(account: Account, alice: User) -> dict[str, Any]:
    """At most two blasts in three days."""
    account.cap_texts, account.cap_days = 2, 3
    account.save(update_fields=["cap_texts", "cap_days"])
    return {"account": account, "actor": alice}


@pytest.fixture
def few(account: Account, group: Group) -> Group:
    """Three more people, one of them opted out."""
    return people(account, "Few", ("Fay", "Gus", "Hal"))


def told(account: Account) -> list[tuple[str, int, str]]:
    with time_machine.travel(MORNING + 2 * HOUR, tick=False):
        found = crowds(account=account, first=FIRST, last=LAST)
    return [(one.entry.blast.name, one.people, one.which) for one in found]


def schedule(who: dict[str, Any], draft: Blast, name: str, at: datetime, *groups: Group) -> None:
    copy = services.blast_duplicate(**who, blast=draft)
    services.blast_update(
        **who, blast=copy, name=name, group_ids=[group.pk for group in groups] or None
    )
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(**who, blast=copy, at=at)


def test_what_went_out_and_what_is_planned_count_within_the_days_of_the_cap(
    who: dict[str, Any], draft: Blast, group: Group, few: Group
) -> None:
    schedule(who, draft, "Sent", MORNING + HOUR)
    with time_machine.travel(MORNING + HOUR, tick=False):
        services.blasts_launch_due()
    Chunk.objects.update(not_before=MORNING + HOUR)  # which the database's clock gave
    schedule(who, draft, "Second", MORNING + DAY, group, few)
    schedule(who, draft, "Third", MORNING + 2 * DAY, group, few)
    schedule(who, draft, "Fourth", MORNING + 3 * DAY, group, few)
    schedule(who, draft, "Rested", MORNING + 9 * DAY)

    # Of the five who got the first, and the two who did not.
    assert told(who["account"]) == [("Third", 5, "3rd"), ("Fourth", 7, "3rd or a later")]


def test_occurrences_of_a_series_count_and_are_counted(
    who: dict[str, Any], draft: Blast, few: Group
) -> None:
    with time_machine.travel(MORNING, tick=False):
        rule = Rule("day", time(10), date(2026, 11, 24), count=3)
        services.series_start(**who, blast=draft, rule=rule)

    assert told(who["account"]) == [("Last call", 5, "3rd")]


def test_drafts_and_an_account_without_a_cap_crowd_nobody(
    who: dict[str, Any], draft: Blast
) -> None:
    for n in range(3):
        schedule(who, draft, f"No. {n}", MORNING + DAY + n * HOUR)
    account = who["account"]
    assert told(account) == [("No. 2", 5, "3rd")]

    account.cap_texts = 0
    assert told(account) == []


def test_the_calendar_asks_for_them_apart(
    who: dict[str, Any],
    alice: User,
    charlie: User,
    other_account: Account,
    draft: Blast,
    browse: Browse,
) -> None:
    Account.objects.filter(pk=other_account.pk).update(cap_texts=1, cap_days=3)
    for n in range(3):
        schedule(who, draft, f"No. {n}", MORNING + DAY + n * HOUR)
    with time_machine.travel(MORNING):
        page = browse(alice).get(reverse("blast_calendar") + "?week=2026-11-26").content.decode()
        part = browse(alice).get(reverse("blast_crowds") + "?month=2026-11").content.decode()
        other = browse(charlie).get(reverse("blast_crowds") + "?month=2026-11").content.decode()

    assert "23 Nov to 29 Nov 2026" in page
    assert f"{reverse('blast_crowds')}?week=2026-11-23" in page
    assert "5 people would get their 3rd blast within 3 days." in part
    assert other.strip() == '<div id="crowds"></div>'
