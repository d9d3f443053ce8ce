"""A blast that a carrier filters pauses by itself, and people decide: real processes throughout.

carriersim's own record is the judge of who was texted how often.
"""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Account, AuditEvent, User
from contacts.models import Contact
from messaging.choices import BatchKind, BatchState, MessageState
from messaging.errors import NothingToRetry
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.reconcile import batch_reconcile
from messaging.recounting import differences
from messaging.selectors import batch_figures, message_timeline, retryable_count
from messaging.services import batch_cancel, batch_launch, batch_resume, batch_retry
from tests.stack import Stack

PEOPLE = 4_000


@pytest.fixture(autouse=True)
def _confirmed(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)


def launch(account: Account, alice: User, sender: SenderNumber, phones: list[str]) -> Batch:
    Contact.objects.bulk_create(Contact(account=account, phone=phone) for phone in phones)
    return batch_launch(
        account=account,
        actor=alice,
        kind=BatchKind.BLAST,
        name="Flowers",
        body="FREE tulips",
        sender=sender,
        audience=Contact.objects.filter(account=account),
        request_key="k1",
    )


def settle(stack: Stack, batch: Batch) -> None:
    """Wait until no text of the batch is on its way and every word of the carrier is applied."""

    def is_quiet() -> bool:
        figures = batch_figures([batch.pk])[batch.pk]
        final = figures.delivered + figures.undelivered + figures.failed
        return (
            figures.accepted == final == stack.carriersim.summary()["accepted"] - _earlier(batch)
            and not figures.unknown
            and not CarrierEventQueue.objects.exists()
        )

    stack.wait_until(is_quiet, what="the carrier's last words")


def _earlier(batch: Batch) -> int:
    """Attempts the carrier took that another followed."""
    return Attempt.objects.filter(
        message__batch=batch, retried_at__isnull=False, carrier_id__isnull=False
    ).count()


def wait_for(stack: Stack, batch: Batch, *, settled: bool = True, **state: Any) -> None:
    found = Batch.objects.filter(pk=batch.pk, settled_at__isnull=not settled, **state)
    stack.wait_until(found.exists, what=f"{state}")
    batch.refresh_from_db()


@pytest.fixture
def filtered(stack: Stack, account: Account, alice: User, sender: SenderNumber) -> Batch:
    """A blast of which three in ten are filtered, paused by itself."""
    stack.carriersim.set(
        profile={"outcomes": {"filtered": 0.3}}, delays={"sent": [0.1, 0.2], "final": [0.1, 0.5]}
    )
    SenderNumber.objects.update(rate_per_s=150)
    batch = launch(account, alice, sender, [f"+1415200{no:04}" for no in range(PEOPLE)])
    wait_for(stack, batch, settled=False, state=BatchState.PAUSED)
    settle(stack, batch)
    return batch


def test_it_pauses_in_time_and_resuming_sends_the_rest(
    stack: Stack, account: Account, alice: User, filtered: Batch
) -> None:
    figures = batch_figures([filtered.pk])[filtered.pk]
    assert "texts were filtered as spam" in filtered.state_reason
    assert figures.audience == PEOPLE
    assert figures.accepted + figures.pending + figures.skipped == PEOPLE
    assert 500 <= figures.accepted < PEOPLE
    assert AuditEvent.objects.filter(action="batch.paused", actor=None).count() == 1
    assert figures.accepted == stack.carriersim.summary()["accepted"]

    stack.carriersim.set(profile={"outcomes": {}})
    SenderNumber.objects.update(rate_per_s=5_000)
    batch_resume(account=account, actor=alice, batch=filtered)
    wait_for(stack, filtered, state=BatchState.DONE)
    settle(stack, filtered)

    summary = stack.carriersim.summary()
    assert (summary["accepted"], summary["most_to_one"]) == (PEOPLE, 1)
    assert AuditEvent.objects.filter(action="batch.paused").count() == 1
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (100_000 - PEOPLE, 0)
    assert differences() == []


def test_canceling_texts_nobody_else_and_gives_the_credits_back(
    stack: Stack, account: Account, alice: User, filtered: Batch
) -> None:
    gone = stack.carriersim.summary()["accepted"]

    batch_cancel(account=account, actor=alice, batch=filtered)
    wait_for(stack, filtered, state=BatchState.CANCELED)

    figures = batch_figures([filtered.pk])[filtered.pk]
    assert stack.carriersim.summary()["accepted"] == gone
    assert (figures.accepted, figures.pending, figures.skipped) == (gone, 0, PEOPLE - gone)
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (100_000 - gone, 0)
    assert differences() == []


def test_the_failed_get_one_more_text_and_nobody_else_does(
    stack: Stack,
    account: Account,
    alice: User,
    charlie: User,
    other_account: Account,
    sender: SenderNumber,
    carrier: CarrierAccount,
) -> None:
    unreachable = [f"+1415555{no:04}" for no in range(100, 105)]
    landline, filtered = "+14155550110", "+14155550111"
    fine = [f"+1415555{no:04}" for no in range(120, 140)]
    scripts = dict.fromkeys(unreachable, "unreachable")
    stack.carriersim.set(scripts={**scripts, landline: "landline", filtered: "filtered"})
    batch = launch(account, alice, sender, [*unreachable, landline, filtered, *fine])
    wait_for(stack, batch, state=BatchState.DONE)
    settle(stack, batch)
    assert retryable_count(batch) == 5
    # Four can be reached by now; one still cannot.
    stack.carriersim.set(scripts={unreachable[0]: "unreachable"})
    stranger = Client()
    stranger.force_login(charlie)
    assert stranger.post(f"/blasts/{batch.pk}/retry").status_code == 404

    assert batch_retry(account=account, actor=alice, batch=batch) == 5
    with pytest.raises(NothingToRetry):
        batch_retry(account=account, actor=alice, batch=batch)
    wait_for(stack, batch, state=BatchState.DONE)
    settle(stack, batch)

    assert stack.carriersim.recipients() == {
        **dict.fromkeys(unreachable, 2),
        **dict.fromkeys([landline, filtered, *fine], 1),
    }
    again = Message.objects.filter(batch=batch, attempts=2).order_by("phone")
    assert [(row.phone, row.state) for row in again] == [
        (unreachable[0], MessageState.UNDELIVERED),
        *((phone, MessageState.DELIVERED) for phone in unreachable[1:]),
    ]
    figures = batch_figures([batch.pk])[batch.pk]
    assert (figures.accepted, figures.delivered, figures.credits) == (27, 24, 32)
    batch.refresh_from_db()
    account.refresh_from_db()
    assert (batch.credits_reserved, batch.credits_settled) == (32, 32)
    assert (account.credit_balance, account.credit_held) == (99_968, 0)
    assert differences() == []
    assert batch_reconcile(batch=batch) == []
    told = [(step.title, step.detail) for step in message_timeline(again[1])]
    assert ("Carrier says: delivered", "Attempt 2.") in told
    assert not any("changes nothing" in detail for _, detail in told)
