"""Replies go at any hour; what nobody asked for waits, and needs consent where that is required."""

from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from contacts.choices import Consent
from contacts.models import Contact
from inbox.models import Conversation
from inbox.selectors import person_pane
from inbox.services import conversation_reply, conversation_start
from messaging.choices import BatchKind, MessageState, Reason
from messaging.models import Batch, CarrierAccount, Message, SenderNumber
from tests.inbox.conftest import Inbound

pytestmark = pytest.mark.django_db

# 22:00 in Washington, where Carol's number is from; texts may arrive again at 08:00.
NIGHT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
OPENS = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _real_hours(account: Account, sender: SenderNumber) -> None:
    CarrierAccount.objects.update(is_simulated=False)
    account.quiet_start, account.quiet_end = time(21), time(8)
    account.save()


@pytest.fixture
def started(account: Account, carol: Contact, sender: SenderNumber) -> Conversation:
    """Somebody opened a conversation with Carol, who never wrote."""
    return conversation_start(account=account, contact=carol, our_number=sender.phone)


def write(thread: Conversation, actor: User) -> Message:
    return conversation_reply(
        account=thread.account, actor=actor, conversation=thread, body="Hello", request_key="k1"
    )


def kept() -> tuple[str, bool]:
    """(kind, whether it goes at any hour) of the text that was written."""
    batch = Batch.objects.get(kind__in=(BatchKind.REPLY, BatchKind.WRITE))
    return batch.kind, batch.ignores_quiet_hours


@pytest.mark.parametrize(("hours", "any_hour"), [(71, True), (73, False)])
@time_machine.travel(NIGHT, tick=False)
def test_whoever_wrote_within_three_days_is_answered_at_any_hour(
    account: Account, carol: Contact, inbound: Inbound, bob: User, hours: int, any_hour: bool
):
    inbound("Are you open?", at=NIGHT - timedelta(hours=hours))
    thread = Conversation.objects.get()

    pane = person_pane(account=account, conversation=thread)
    write(thread, bob)

    assert kept() == ("reply", any_hour)
    assert pane.waits_until == (None if any_hour else OPENS)


@time_machine.travel(NIGHT, tick=False)
def test_a_text_that_nobody_asked_for_waits_for_the_morning(
    started: Conversation, bob: User, bobs: Client
):
    page = bobs.get(reverse("conversation", args=[started.pk])).content.decode()
    message = write(started, bob)

    assert "your text waits for the hours allowed where they are: Tue 24 Nov 2026, 08:00" in page
    assert message.state == MessageState.PENDING
    assert kept() == ("write", False)


@time_machine.travel(OPENS, tick=False)
def test_by_day_nothing_waits(account: Account, started: Conversation, bobs: Client):
    assert person_pane(account=account, conversation=started).waits_until is None
    page = bobs.get(reverse("conversation", args=[started.pk])).content.decode()
    assert "waits for the hours" not in page


def test_where_consent_is_required_nobody_is_written_to_without_it(
    account: Account, started: Conversation, carol: Contact, bob: User, bobs: Client
):
    account.requires_consent = True
    account.save()

    page = bobs.get(reverse("conversation", args=[started.pk])).content.decode()
    message = write(started, bob)

    assert "texts only people whose consent is on record" in page
    assert (message.state, message.reason) == (MessageState.SKIPPED, Reason.NO_CONSENT)


def test_whoever_agreed_or_wrote_may_be_written_to(
    account: Account, started: Conversation, carol: Contact, bob: User, inbound: Inbound
):
    account.requires_consent = True
    account.save()
    inbound("Hello?")
    assert write(started, bob).state == MessageState.PENDING
    Batch.objects.all().update(request_key="other")
    Message.objects.filter(direction="in").delete()
    Contact.objects.update(consent=Consent.OPTED_IN)

    assert write(started, bob).state == MessageState.PENDING
