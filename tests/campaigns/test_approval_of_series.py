"""A second person's approval of what repeats: the rule is covered, and each occurrence."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.urls import reverse

from accounts.models import Account, User
from campaigns import services
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalGone, ApprovalMissing, ApprovalOwn, ApprovalVoid
from campaigns.models import Approval, Blast
from campaigns.recurring import Rule
from contacts.models import Group
from tests.campaigns.approving import decide, join, launch, send
from tests.campaigns.conftest import Browse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("needs_two")]


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


MONDAY = date(2027, 1, 4)
DAILY, MONTHLY = Rule("day", time(10), MONDAY), Rule("month", time(10), MONDAY)
# Its weekday is that of its first day.
WEEKLY = Rule("week", time(10), MONDAY)
THRICE, UNTIL = replace(DAILY, count=3), replace(DAILY, ends_on=date(2028, 1, 4))


def approved(account: Account, alice: User, bob: User, draft: Blast, rule: Rule) -> Approval:
    """Bob's word on the draft with this rule."""
    services.series_keep(account=account, actor=alice, blast=draft, rule=rule)
    return decide(services.approval_request(account=account, actor=alice, blast=draft), bob)


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        (WEEKLY, {"every": "day"}),
        (WEEKLY, {"interval": 2}),
        (WEEKLY, {"weekdays": (0, 3)}),
        (WEEKLY, {"ends_on": date(2028, 1, 4)}),
        (WEEKLY, {"count": 9}),
        (WEEKLY, {"starts_on": date(2027, 1, 5)}),
        (MONTHLY, {"starts_on": date(2027, 1, 5)}),
        (THRICE, {"count": 9}),
        (THRICE, {"count": None}),
        (THRICE, {"starts_on": date(2027, 1, 5)}),
        (UNTIL, {"starts_on": date(2027, 1, 3)}),
    ],
)
def test_another_rule_than_approved_neither_starts_nor_holds(
    account: Account, alice: User, bob: User, draft: Blast, rule: Rule, other: dict[str, Any]
) -> None:
    who: dict[str, Any] = {"account": account, "actor": alice}
    wrong = replace(rule, **other)
    asked = approved(account, alice, bob, draft, rule)
    with pytest.raises(ApprovalVoid):
        services.series_start(**who, blast=draft, rule=wrong)
    asked.refresh_from_db()
    assert (asked.state, asked.void_why) == (ApprovalState.VOID, REPEATS)

    again = approved(account, alice, bob, draft, rule)
    series = services.series_start(**who, blast=draft, rule=replace(rule, at=time(12)))
    again.refresh_from_db()
    assert again.state == ApprovalState.APPROVED
    services.series_change(**who, series=series, rule=wrong)
    again.refresh_from_db()
    assert (again.state, again.void_why) == (ApprovalState.VOID, REPEATS)


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        (DAILY, {"starts_on": date(2027, 1, 5)}),
        (WEEKLY, {"weekdays": (0,)}),
        (WEEKLY, {"starts_on": date(2027, 1, 11)}),
        (replace(WEEKLY, weekdays=(0, 3)), {"starts_on": date(2027, 1, 5)}),
        (MONTHLY, {"starts_on": date(2027, 2, 4)}),
    ],
)
def test_without_an_end_the_same_days_may_begin_earlier_or_later(
    account: Account, alice: User, bob: User, draft: Blast, rule: Rule, other: dict[str, Any]
) -> None:
    asked = approved(account, alice, bob, draft, rule)

    later = replace(rule, at=time(12), **other)
    services.series_start(account=account, actor=alice, blast=draft, rule=later)

    asked.refresh_from_db()
    assert asked.state == ApprovalState.APPROVED


def test_so_many_times_that_begin_anew_are_asked_again_and_nothing_more_goes_out(
    account: Account, alice: User, bob: User, draft: Blast
) -> None:
    first = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    who: dict[str, Any] = {"account": account, "actor": alice}
    rule = Rule("day", time(10), first.date(), count=3)
    asked = approved(account, alice, bob, draft, rule)
    with time_machine.travel(first, tick=False):
        series = services.series_start(**who, blast=draft, rule=rule)
    for day in range(5):
        with time_machine.travel(first + timedelta(days=day, hours=1), tick=False):
            services.series_make_due()
            services.blasts_launch_due()
            if day == 1:
                anew = replace(rule, starts_on=date(2026, 11, 25))
                services.series_change(**who, series=series, rule=anew)

    asked.refresh_from_db()
    assert (asked.state, asked.void_why) == (ApprovalState.VOID, REPEATS)
    found = Blast.objects.filter(series__blast=draft).order_by("occurrence_on")
    assert [blast.state for blast in found] == ["launched"] * 2 + ["failed"] * 3


@pytest.mark.parametrize(("rule", "state"), [(THRICE, "void"), (DAILY, "approved")])
def test_a_draft_moved_to_other_days_than_approved_is_asked_again(
    account: Account, alice: User, bob: User, draft: Blast, rule: Rule, state: str
) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 14, 0, tzinfo=UTC), tick=False):
        asked = approved(account, alice, bob, draft, rule)
        services.blast_move(account=account, actor=alice, blast=draft, on=date(2027, 1, 5))

    asked.refresh_from_db()
    assert asked.state == state


def test_the_page_names_the_first_of_so_many_and_what_may_still_change(
    account: Account, alice: User, bob: User, draft: Blast, browse: Browse
) -> None:
    services.series_keep(account=account, blast=draft, rule=THRICE)
    before = browse(alice).get(reverse("blast_edit", args=[draft.pk])).content.decode()
    assert "Only the time of day may still change." in before
    asked = services.approval_request(account=account, actor=alice, blast=draft)
    page = reverse("blast_approval", args=[draft.pk])
    read = browse(bob).get(page).content.decode()
    assert "3 times.</strong> The first is on Mon 4 Jan 2027." in read
    assert "and how it repeats, but for the time of day, not the values of fields" in read

    decide(asked, bob)

    told = "asks for another approval, another time of day does not."
    assert told in browse(alice).get(page).content.decode()


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
