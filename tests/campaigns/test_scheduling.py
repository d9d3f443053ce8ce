"""Scheduling a blast, and taking it back."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress

from accounts.errors import EmailUnverified, InsufficientCredits
from accounts.models import Account, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import (
    AudienceMissing,
    BlastGone,
    BlastNotEditable,
    BlastNotScheduled,
    NobodyTextable,
    SchedulePast,
    ScheduleTooFar,
    TextMissing,
)
from campaigns.models import Blast
from common.clock import now
from common.errors import DomainError, NotFound
from contacts.models import Group, OptOut
from messaging.models import SenderNumber
from tests.campaigns.scheduled import launch, nothing_was_sent, schedule
from tracking.errors import BadDestination
from tracking.models import LinkSettings


def test_send_now_is_a_schedule_of_ten_seconds(account: Account, alice: User, draft: Blast) -> None:
    moment = datetime(2026, 5, 5, 14, 0, tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        schedule(account, alice, draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.SCHEDULED
    assert draft.scheduled_at == moment + timedelta(seconds=10)
    assert (draft.sent_by, draft.estimated_credits) == (alice, 5)
    assert nothing_was_sent(account)


def test_without_a_number_chosen_the_usual_one_is_kept(
    account: Account, alice: User, draft: Blast, sender: SenderNumber
) -> None:
    Blast.objects.filter(pk=draft.pk).update(sender=None)
    draft.refresh_from_db()

    schedule(account, alice, draft)

    draft.refresh_from_db()
    assert draft.sender == sender


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", TextMissing),
        ("   ", TextMissing),
        ("x" * 1601, DomainError),
        ("Hi {{frist_name}}", DomainError),
        ("Hi {{first_name", DomainError),
        ("See http://localhost:8000/settings", BadDestination),
        ("See https://go.other.example/x", BadDestination),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_with_the_draft_kept(
    account: Account,
    other_account: Account,
    alice: User,
    draft: Blast,
    body: str,
    error: type[DomainError],
) -> None:
    LinkSettings.objects.create(account=other_account, domain="go.other.example")
    services.blast_update(account=account, actor=alice, blast=draft, body=body)

    with pytest.raises(error) as refusal:
        schedule(account, alice, draft)

    draft.refresh_from_db()
    assert (draft.state, draft.body) == (BlastState.DRAFT, body)
    assert "body" in refusal.value.fields
    assert nothing_was_sent(account)


def test_without_a_group_or_with_an_empty_one_nothing_is_scheduled(
    account: Account, alice: User, draft: Blast
) -> None:
    draft.groups.clear()
    with pytest.raises(AudienceMissing):
        schedule(account, alice, draft)

    empty = Group.objects.create(account=account, name="Empty")
    draft.groups.set([empty])
    with pytest.raises(DomainError):
        schedule(account, alice, draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT
    assert nothing_was_sent(account)


def test_where_everybody_opted_out_nothing_is_scheduled(
    account: Account, alice: User, draft: Blast, group: Group
) -> None:
    for member in group.members.select_related("contact"):
        OptOut.objects.get_or_create(
            account=account, phone=member.contact.phone, defaults={"source": "manual"}
        )

    with pytest.raises(NobodyTextable) as refusal:
        schedule(account, alice, draft)

    assert "None of the 6 people" in refusal.value.message
    assert nothing_was_sent(account)


def test_a_time_that_has_passed_or_is_far_off_is_refused(
    account: Account, alice: User, draft: Blast
) -> None:
    with pytest.raises(SchedulePast):
        schedule(account, alice, draft, at=now() - timedelta(minutes=2))
    with pytest.raises(ScheduleTooFar):
        schedule(account, alice, draft, at=now() + timedelta(days=400))

    draft.refresh_from_db()
    assert (draft.state, draft.scheduled_at) == (BlastState.DRAFT, None)


def test_more_credits_than_there_are_is_refused(
    account: Account, alice: User, draft: Blast
) -> None:
    Account.objects.filter(pk=account.pk).update(credit_balance=4)

    with pytest.raises(InsufficientCredits) as refusal:
        schedule(account, alice, draft)

    assert (refusal.value.needed, refusal.value.balance) == (5, 4)
    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT


def test_without_a_confirmed_address_nothing_is_scheduled(
    account: Account, alice: User, draft: Blast
) -> None:
    EmailAddress.objects.filter(user=alice).update(verified=False)

    with pytest.raises(EmailUnverified):
        schedule(account, alice, draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT


def test_what_is_scheduled_cannot_be_scheduled_again_or_rewritten(
    account: Account, alice: User, draft: Blast
) -> None:
    schedule(account, alice, draft)

    with pytest.raises(BlastNotEditable):
        schedule(account, alice, draft)
    with pytest.raises(BlastNotEditable):
        services.blast_update(account=account, actor=alice, blast=draft, body="Other")
    with pytest.raises(BlastNotEditable):
        services.blast_discard(account=account, actor=alice, blast=draft)


def test_undo_makes_it_a_draft_that_is_never_launched(
    account: Account, alice: User, draft: Blast
) -> None:
    schedule(account, alice, draft)

    services.blast_undo(account=account, actor=alice, blast=draft)

    draft.refresh_from_db()
    assert (draft.state, draft.scheduled_at) == (BlastState.DRAFT, None)
    assert launch(draft) is False
    assert nothing_was_sent(account)


def test_undo_after_the_launch_says_what_can_still_be_done(
    account: Account, alice: User, draft: Blast
) -> None:
    schedule(account, alice, draft)
    launch(draft)

    with pytest.raises(BlastGone):
        services.blast_undo(account=account, actor=alice, blast=draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.LAUNCHED


def test_undo_of_a_draft_and_of_another_accounts_blast_are_refused(
    account: Account, alice: User, other_account: Account, charlie: User, draft: Blast
) -> None:
    with pytest.raises(BlastNotScheduled):
        services.blast_undo(account=account, actor=alice, blast=draft)
    schedule(account, alice, draft)
    with pytest.raises(NotFound):
        services.blast_undo(account=other_account, actor=charlie, blast=draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.SCHEDULED
