"""A second person's approval: what it covers, what voids it, and that nothing goes without."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from campaigns import services
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalGone, ApprovalMissing, ApprovalOwn, ApprovalVoid
from campaigns.models import Approval, Blast
from campaigns.services import freezing, launching
from contacts.choices import ConsentSource
from contacts.models import Contact, Group, GroupMember
from contacts.services import consent_revoke, group_create, group_rules_set
from messaging.models import Batch, Message
from tests.campaigns.approving import decide, join, launch, leave, send, swap
from tests.campaigns.conftest import Browse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("needs_two")]


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
