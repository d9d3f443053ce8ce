"""A second person's approval: what it covers, what voids it, and that nothing goes without."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from campaigns import services
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalGone, ApprovalMissing, ApprovalOwn, ApprovalVoid
from campaigns.models import Approval, Blast
from campaigns.recurring import Rule
from campaigns.services import freezing, launching
from common.clock import now
from contacts.choices import ConsentSource
from contacts.models import Contact, Group, GroupMember
from contacts.services import consent_revoke, group_create, group_rules_set
from messaging.models import Batch, Message
from tests.campaigns.conftest import api_client

pytestmark = pytest.mark.django_db

Browse = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _needs_two(account: Account) -> None:
    account.requires_approval = True
    account.save()


@pytest.fixture
def asked(account: Account, alice: User, draft: Blast) -> Approval:
    """Alice asked for her draft: six people, five credits."""
    return services.approval_request(
        account=account, actor=alice, blast=draft, note="For Friday, please"
    )


def decide(asked: Approval, actor: User, *, is_approved: bool = True) -> Approval:
    return services.approval_decide(
        account=asked.account, actor=actor, approval=asked, is_approved=is_approved, answer="Fine"
    )


def send(account: Account, actor: User, draft: Blast) -> Blast:
    return services.blast_schedule(account=account, actor=actor, blast=draft)


def launch(draft: Blast) -> Blast:
    services.blast_launch(blast_id=draft.pk, moment=now() + timedelta(hours=1))
    draft.refresh_from_db()
    return draft


def join(account: Account, group: Group) -> None:
    contact = Contact.objects.create(account=account, phone="+12025551999", first_name="Zoe")
    GroupMember.objects.create(account=account, group=group, contact=contact)


def test_nothing_goes_without_it_and_it_goes_with_it(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    with pytest.raises(ApprovalMissing) as refusal:
        send(account, alice, draft)
    assert refusal.value.code == "approval_missing"
    draft.refresh_from_db()
    assert (draft.state, Batch.objects.count()) == (BlastState.DRAFT, 0)

    approved = decide(asked, bob)
    send(account, alice, draft)

    assert (approved.state, approved.people, approved.credits) == (ApprovalState.APPROVED, 6, 5)
    assert launch(draft).state == BlastState.LAUNCHED
    trail = AuditEvent.objects.filter(action__startswith="approval.").order_by("pk")
    assert [(event.action, event.actor) for event in trail] == [
        ("approval.requested", alice),
        ("approval.approved", bob),
    ]


def test_who_wrote_or_asked_is_no_second_person(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    with pytest.raises(ApprovalOwn):
        decide(asked, alice)
    by_bob = services.approval_request(account=account, actor=bob, blast=draft)
    for own in (alice, bob):
        with pytest.raises(ApprovalOwn):
            decide(by_bob, own)

    asked.refresh_from_db()
    assert asked.state == ApprovalState.VOID
    with pytest.raises(ApprovalGone):
        decide(asked, bob if asked.requested_by != bob else alice)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("body", "text"),
        ("groups", "groups"),
        ("numbers", "numbers"),
        ("time", "time to give up"),
    ],
)
def test_any_change_voids_it(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval, change: str, part: str
) -> None:
    decide(asked, bob)
    other = Group.objects.create(account=account, name="Other")
    [sender] = [draft.sender]
    assert sender is not None
    second = type(sender).objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550199"
    )
    changes: dict[str, dict[str, Any]] = {
        "body": {"body": "Hi, come today"},
        "groups": {"group_ids": [*draft.groups.values_list("pk", flat=True), other.pk]},
        "numbers": {"more_senders": [second]},
        "time": {"give_up_hours": 4},
    }

    services.blast_update(account=account, actor=alice, blast=draft, name="A name changes nothing")
    asked.refresh_from_db()
    assert asked.state == ApprovalState.APPROVED
    services.blast_update(account=account, actor=alice, blast=draft, **changes[change])

    asked.refresh_from_db()
    assert (asked.state, asked.void_why) == (
        ApprovalState.VOID,
        f"What changed since: its {part}.",
    )
    assert AuditEvent.objects.filter(action="approval.void").count() == 1
    draft.refresh_from_db()
    with pytest.raises(ApprovalMissing):
        send(account, alice, draft)


def leave(name: str) -> None:
    GroupMember.objects.filter(contact__first_name=name).delete()


def swap(account: Account, group: Group) -> None:
    """Zoe takes Ann's place."""
    leave("Ann")
    join(account, group)


CHANGES: list[tuple[Callable[[Account, Group], object], str]] = [
    (join, "its people (7 now, 6 then), its cost (6 credits now, 5 then)"),
    (lambda _account, _group: leave("Ann"), "its people (5 now, 6 then)"),
    (swap, "its people (as many, but not the same ones)"),
    (
        lambda _account, _group: Contact.objects.filter(first_name="Ann").update(
            phone="+12025551888"
        ),
        "its people (as many, but not the same ones)",
    ),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_other_people_than_approved_are_not_texted(
    account: Account,
    alice: User,
    bob: User,
    draft: Blast,
    group: Group,
    asked: Approval,
    change: Callable[[Account, Group], object],
    words: str,
) -> None:
    decide(asked, bob)
    send(account, alice, draft)
    change(account, group)

    assert launch(draft).state == BlastState.FAILED

    asked.refresh_from_db()
    assert asked.state == ApprovalState.VOID
    assert asked.void_why == f"What changed since: {words}."
    assert f"no longer holds: {words}." in draft.state_reason
    assert Batch.objects.count() == 0
    assert AuditEvent.objects.get(action="approval.void").data["why"] == asked.void_why


def test_the_same_people_are_covered_whatever_happens_to_their_rows(
    account: Account, alice: User, bob: User, draft: Blast, group: Group, asked: Approval
) -> None:
    decide(asked, bob)
    send(account, alice, draft)
    ann = Contact.objects.get(first_name="Ann")
    GroupMember.objects.filter(contact=ann).delete()
    Contact.objects.filter(pk=ann.pk).delete()
    again = Contact.objects.create(account=account, phone=ann.phone, first_name="Ann")
    GroupMember.objects.create(account=account, group=group, contact=again)
    consent_revoke(
        account=account,
        phone=Contact.objects.get(first_name="Eve").phone,
        source=ConsentSource.KEYWORD,
    )

    assert launch(draft).state == BlastState.LAUNCHED
    assert draft.batch is not None
    assert Message.objects.filter(batch=draft.batch, reason="opted_out").count() == 2


def test_who_joins_while_it_is_launched_is_found_in_the_batch(
    account: Account,
    alice: User,
    bob: User,
    draft: Blast,
    group: Group,
    asked: Approval,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide(asked, bob)
    send(account, alice, draft)
    looked = freezing.refusal

    def look(*args: Any) -> Any:
        """The look before the launch, after which Zoe takes Ann's place."""
        found = looked(*args)
        swap(account, group)
        return found

    monkeypatch.setattr(launching, "refusal", look)

    assert launch(draft).state == BlastState.FAILED
    asked.refresh_from_db()
    assert asked.state == ApprovalState.VOID
    assert "as many, but not the same ones" in asked.void_why
    assert (Batch.objects.count(), Message.objects.count()) == (0, 0)
    account.refresh_from_db()
    assert (account.credit_held, draft.batch) == (0, None)


def test_what_changed_since_it_was_asked_cannot_be_approved(
    account: Account, bob: User, draft: Blast, group: Group, asked: Approval
) -> None:
    join(account, group)

    with pytest.raises(ApprovalVoid) as refusal:
        decide(asked, bob)

    asked.refresh_from_db()
    assert asked.state == ApprovalState.VOID
    assert refusal.value.changed == [
        "its people (7 now, 6 then)",
        "its cost (6 credits now, 5 then)",
    ]


def test_refused_stays_a_draft_and_small_blasts_need_nobody(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    decide(asked, bob, is_approved=False)
    with pytest.raises(ApprovalMissing):
        send(account, alice, draft)

    account.approval_over_people = 6
    account.save()
    assert send(account, alice, draft).state == BlastState.SCHEDULED
    assert launch(draft).state == BlastState.LAUNCHED


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
    browse(alice).post(reverse("blast_edit", args=[draft.pk]), form)

    page = browse(bob).get(reverse("blast_approval", args=[draft.pk])).content.decode()
    assert "<strong>Every 2 weeks on Monday at 10:00.</strong>" in page
    assert "not the values of fields" in page
    assert "Every 2 weeks on Monday at 10:00." in mail.outbox[0].body
    assert "repetition" in Approval.objects.get().parts


def test_whoever_wrote_the_words_last_is_no_second_person(
    account: Account, alice: User, bob: User, charlie: User, draft: Blast, browse: Browse
) -> None:
    Membership.objects.create(account=account, user=charlie, role=Role.MARKETER)
    services.blast_update(account=account, actor=bob, blast=draft, body="Bob's own words")
    services.blast_update(account=account, actor=alice, blast=draft, name="A name is no words")
    asked = services.approval_request(account=account, actor=alice, blast=draft)

    with pytest.raises(ApprovalOwn):
        decide(asked, bob)
    assert browse(bob).get(reverse("approval_list")).context["to_approve"] == 0
    assert [message.to for message in mail.outbox] == [[charlie.email]]
    assert decide(asked, charlie).state == ApprovalState.APPROVED


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


def test_mails_ask_who_may_approve_and_tell_who_asked(
    alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    decide(asked, bob)

    ask, told = mail.outbox
    assert (ask.to, ask.subject) == ([bob.email], "To approve: Last call")
    assert "up to 6 people, up to 5 credits" in ask.body
    assert "For Friday, please" in ask.body
    assert reverse("blast_approval", args=[draft.pk]) in ask.body
    assert (told.to, told.subject) == ([alice.email], "Approved: Last call")


def test_the_pages_ask_and_decide(
    account: Account, alice: User, bob: User, draft: Blast, browse: Browse
) -> None:
    form = {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "sender": draft.sender_id,
        "when": "now",
    }
    page = reverse("blast_approval", args=[draft.pk])
    answer = browse(alice).post(reverse("blast_edit", args=[draft.pk]), {**form, "act": "ask"})
    assert answer.headers["Location"] == page

    assert "somebody else has to approve it" in browse(alice).get(page).content.decode()
    shown = browse(bob).get(page).content.decode()
    assert "up to 6 people for up to 5 credits" in shown
    browse(bob).post(page, {"act": "approve", "note": "Go"})
    assert Approval.objects.get().state == ApprovalState.REQUESTED
    read = Approval.objects.get().pk
    browse(bob).post(page, {"act": "approve", "note": "Go", "approval": read})

    assert Approval.objects.get().state == ApprovalState.APPROVED
    edit = browse(alice).get(reverse("blast_edit", args=[draft.pk])).content.decode()
    assert "any change to text, people or numbers asks again" in edit


def test_what_waits_is_listed_and_counted_for_whoever_may_decide(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval, browse: Browse
) -> None:
    mine, theirs = (browse(user).get(reverse("approval_list")) for user in (alice, bob))

    told = theirs.content.decode()
    assert "<strong>1</strong> blast waits for your approval" in told
    for words in ("Last call", "see https://shop.example/sale", "For Friday, please", "Alice"):
        assert words in told
    assert (theirs.context["to_approve"], mine.context["to_approve"]) == (1, 0)
    assert "Nothing waits for you" in mine.content.decode()
    overview = browse(bob).get("/").content.decode()
    assert "1 blast waits for your approval." in overview
    assert 'aria-label="1 to approve"' in overview

    decide(asked, bob)
    after = browse(bob).get(reverse("approval_list"))
    assert (after.context["rows"], after.context["to_approve"]) == ([], 0)


def test_what_waits_elsewhere_or_was_canceled_is_not_listed(
    account: Account,
    other_account: Account,
    charlie: User,
    bob: User,
    alice: User,
    asked: Approval,
    browse: Browse,
) -> None:
    assert browse(charlie).get(reverse("approval_list")).context["rows"] == []

    services.blast_cancel(account=account, actor=alice, blast=asked.blast)
    assert browse(bob).get(reverse("approval_list")).context["rows"] == []


def test_the_api_asks_decides_and_refuses(
    account: Account, alice: User, bob: User, api: Any, draft: Blast
) -> None:
    url, json = f"/api/v1/blasts/{draft.pk}/", "application/json"
    refused = api.post(f"{url}launch/", {}, content_type=json)
    assert (refused.status_code, refused.json()["code"]) == (409, "approval_missing")

    told = api.post(f"{url}approval/", {"act": "ask"}, content_type=json).json()
    bobs = api_client(account, bob, ["read", "send"])
    read = bobs.get(url).json()["approval"]
    approve = {"act": "approve", "note": "Go", "approval": read["id"]}
    own = api.post(f"{url}approval/", approve, content_type=json)
    unnamed = bobs.post(f"{url}approval/", {"act": "approve"}, content_type=json)
    other = bobs.post(f"{url}approval/", {**approve, "approval": read["id"] - 1}, content_type=json)
    done = bobs.post(f"{url}approval/", approve, content_type=json)

    assert (told["state"], told["people"], told["requested_by"]) == ("requested", 6, alice.email)
    assert read == told
    assert (own.status_code, own.json()["code"]) == (403, "approval_own")
    assert (unnamed.status_code, "approval" in unnamed.json()["fields"]) == (422, True)
    assert (other.status_code, other.json()["code"]) == (409, "approval_gone")
    assert (done.json()["state"], done.json()["answer"]) == ("approved", "Go")
    assert api.post(f"{url}launch/", {}, content_type=json).status_code == 202


def test_what_is_approved_is_what_was_read(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval, browse: Browse
) -> None:
    page = reverse("blast_approval", args=[draft.pk])
    read = browse(bob).get(page).content.decode()
    assert f'name="approval" value="{asked.pk}"' in read
    services.blast_update(account=account, actor=alice, blast=draft, body="Other words")
    again = services.approval_request(account=account, actor=alice, blast=draft)

    browse(bob).post(page, {"act": "approve", "approval": asked.pk})

    again.refresh_from_db()
    assert again.state == ApprovalState.REQUESTED


def test_other_rules_of_a_smart_group_void_it(
    account: Account, alice: User, bob: User, draft: Blast
) -> None:
    rules = {"field": "first_name", "op": "is", "value": "ann"}
    smart = group_create(account=account, actor=alice, name="Smart", rules=rules)
    services.blast_update(account=account, actor=alice, blast=draft, group_ids=[smart.pk])
    decide(services.approval_request(account=account, actor=alice, blast=draft), bob)

    group_rules_set(
        account=account, actor=alice, group_id=smart.pk, rules={**rules, "value": "cleo"}
    )

    with pytest.raises(ApprovalVoid):
        send(account, alice, draft)


def test_whoever_left_the_team_approves_nothing_by_a_key_they_kept(
    account: Account, bob: User, draft: Blast, asked: Approval
) -> None:
    kept = api_client(account, bob, ["send"])
    Membership.objects.filter(account=account, user=bob).delete()

    answer = kept.post(
        f"/api/v1/blasts/{draft.pk}/approval/",
        {"act": "approve", "approval": asked.pk},
        content_type="application/json",
    )

    asked.refresh_from_db()
    assert (answer.status_code, asked.state) == (403, ApprovalState.REQUESTED)
