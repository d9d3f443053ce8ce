"""A second person's approval of what repeats: the rule is covered, and each occurrence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from campaigns import services
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalGone, ApprovalMissing, ApprovalOwn, ApprovalVoid
from campaigns.models import Approval, Blast
from campaigns.recurring import Rule
from contacts.models import Group
from tests.campaigns.approving import decide, join, launch, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("needs_two")]

Browse = Callable[[User], Client]


def test_of_a_series_the_approval_covers_each_occurrence_that_has_not_grown(
    account: Account, alice: User, bob: User, draft: Blast, group: Group, asked: Approval
) -> None:
    monday = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    rule = Rule("day", time(10), date(2026, 11, 23))
    with pytest.raises(ApprovalMissing):
        services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    # The request was about one blast; the rule is kept, and the next request is about it.
    with pytest.raises(ApprovalGone):
        decide(asked, bob)
    decide(services.approval_request(account=account, actor=alice, blast=draft), bob)
    with time_machine.travel(monday, tick=False):
        services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    for day in range(2):
        with time_machine.travel(monday + timedelta(days=day, hours=1), tick=False):
            services.series_make_due()
            services.blasts_launch_due()
        if day == 0:
            join(account, group)

    found = Blast.objects.filter(series__blast=draft).order_by("occurrence_on")
    assert [blast.state for blast in found] == ["launched", "failed"]


REPEATS = "What changed since: its repetition."


def test_what_was_approved_once_does_not_repeat(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    decide(asked, bob)
    daily = Rule("day", time(10), date(2027, 1, 4))

    with pytest.raises(ApprovalVoid) as refusal:
        services.series_start(account=account, actor=alice, blast=draft, rule=daily)

    asked.refresh_from_db()
    draft.refresh_from_db()
    assert refusal.value.changed == ["its repetition"]
    assert (asked.state, asked.void_why) == (ApprovalState.VOID, REPEATS)
    assert (draft.state, draft.repeats.rule) == (BlastState.DRAFT, daily)


@pytest.mark.parametrize(
    "other",
    [
        {"every": "week"},
        {"interval": 2},
        {"weekdays": (0, 3)},
        {"ends_on": date(2028, 1, 4)},
        {"count": 9},
        {"count": None},
    ],
)
def test_another_rule_than_approved_neither_starts_nor_holds(
    account: Account, alice: User, bob: User, draft: Blast, other: dict[str, Any]
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice}
    rule = Rule("day", time(10), date(2027, 1, 4), count=3)
    wrong = replace(rule, **{"count": None, **other})
    services.series_keep(**who, blast=draft, rule=rule)
    asked = decide(services.approval_request(**who, blast=draft), bob)
    with pytest.raises(ApprovalVoid):
        services.series_start(**who, blast=draft, rule=wrong)
    asked.refresh_from_db()
    assert (asked.state, asked.void_why) == (ApprovalState.VOID, REPEATS)

    services.series_keep(**who, blast=draft, rule=rule)
    again = decide(services.approval_request(**who, blast=draft), bob)
    later = replace(rule, at=time(12), starts_on=date(2027, 1, 5))
    series = services.series_start(**who, blast=draft, rule=later)
    again.refresh_from_db()
    assert again.state == ApprovalState.APPROVED
    services.series_change(**who, series=series, rule=wrong)
    again.refresh_from_db()
    assert (again.state, again.void_why) == (ApprovalState.VOID, REPEATS)


def test_what_was_approved_to_repeat_may_go_out_once(
    account: Account, alice: User, bob: User, draft: Blast
) -> None:
    rule = Rule("day", time(10), date(2027, 1, 4))
    services.series_keep(account=account, blast=draft, rule=rule)
    decide(services.approval_request(account=account, actor=alice, blast=draft), bob)

    send(account, alice, draft)

    assert launch(draft).state == BlastState.LAUNCHED


def test_of_a_series_whoever_rewrote_it_is_no_second_person(
    account: Account, alice: User, bob: User, draft: Blast
) -> None:
    rule = Rule("day", time(10), date(2027, 1, 4))
    account.approval_over_people = 6
    account.save()
    services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    services.blast_update(account=account, actor=bob, blast=draft, body="Bob's own words")

    with pytest.raises(ApprovalOwn):
        decide(services.approval_request(account=account, actor=alice, blast=draft), bob)


def test_the_page_and_the_mail_say_how_a_draft_will_repeat(
    account: Account, alice: User, bob: User, draft: Blast, browse: Browse
) -> None:
    form = {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "sender": draft.sender_id,
        "when": "repeat",
        "scheduled_at": "2027-01-04T10:00",
        "every": "week",
        "interval": "2",
        "weekdays": ["0"],
        "act": "ask",
    }
    browse(alice).post(reverse("blast_edit", args=[draft.pk]), {**form, "act": "save"})
    draft_page = browse(alice).get(reverse("blast_edit", args=[draft.pk])).content.decode()
    assert (
        "What is approved includes how it repeats: Every 2 weeks on Monday at 10:00." in draft_page
    )
    browse(alice).post(reverse("blast_edit", args=[draft.pk]), form)

    listed = browse(bob).get(reverse("approval_list")).content.decode()
    assert "Every 2 weeks on Monday at 10:00" in listed
    page = browse(bob).get(reverse("blast_approval", args=[draft.pk])).content.decode()
    assert "<strong>Every 2 weeks on Monday at 10:00.</strong>" in page
    assert "not the values of fields" in page
    assert "Every 2 weeks on Monday at 10:00." in mail.outbox[0].body
    assert "repetition" in Approval.objects.get().parts
