"""Inbound texts find their thread: once each, whatever is lost, late or at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from accounts.models import Account
from common.clock import now
from contacts.models import Contact
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from inbox.services import (
    CATCH_UP_LOCK,
    conversation_file,
    conversation_set_status,
    conversations_catch_up,
)
from messaging.choices import BatchKind, Direction
from messaging.gateways.events import InboundText
from messaging.models import Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.services import message_send
from messaging.signals import message_received
from tests.inbox.conftest import CAROL, Inbound

pytestmark = pytest.mark.django_db


def test_the_first_text_makes_an_open_unread_thread(
    account: Account, sender: SenderNumber, inbound: Inbound
):
    message = inbound("Do you deliver?")

    thread = Conversation.objects.get()
    assert (thread.account, thread.our_number, thread.phone) == (account, sender.phone, CAROL)
    assert (thread.status, thread.unread) == (ConversationStatus.OPEN, 1)
    assert (thread.snippet, thread.last_direction) == ("Do you deliver?", Direction.IN)
    assert (thread.last_message_id, thread.last_message_at) == (message.pk, message.created_at)


def test_the_next_text_goes_into_the_same_thread(inbound: Inbound):
    inbound("Do you deliver?")
    inbound("To Oakland, I mean")

    thread = Conversation.objects.get()
    assert (thread.unread, thread.snippet) == (2, "To Oakland, I mean")


def test_a_repeated_webhook_counts_once(sender: SenderNumber, inbound: Inbound):
    inbound("Hello?", carrier_id="SM1")

    again = inbound_file(
        carrier_account=sender.carrier_account,
        text=InboundText("SM1", sender.carrier_account.external_id, CAROL, sender.phone, "Hello?"),
        at=now(),
    )

    assert again is None
    assert Conversation.objects.get().unread == 1


def test_another_of_our_numbers_is_another_thread(
    account: Account, sender: SenderNumber, inbound: Inbound
):
    second = SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )
    inbound("Hello?")

    inbound_file(
        carrier_account=sender.carrier_account,
        text=InboundText("SM9", sender.carrier_account.external_id, CAROL, second.phone, "Hi"),
        at=now(),
    )

    assert set(Conversation.objects.values_list("our_number", "unread")) == {
        (sender.phone, 1),
        (second.phone, 1),
    }


def test_a_text_opens_a_closed_thread_again(
    account: Account, thread: Conversation, inbound: Inbound
):
    conversation_set_status(account=account, conversation=thread, status=ConversationStatus.CLOSED)

    inbound("One more thing")

    thread.refresh_from_db()
    assert thread.status == ConversationStatus.OPEN


def test_a_stop_needs_no_answer(thread: Conversation, inbound: Inbound):
    inbound("STOP")
    inbound("stop.", phone="+12025550171")

    thread.refresh_from_db()
    assert (thread.status, thread.unread) == (ConversationStatus.OPEN, 1)
    stranger = Conversation.objects.get(phone="+12025550171")
    assert (stranger.status, stranger.unread) == (ConversationStatus.CLOSED, 0)
    # The automatic confirmation is in both threads, and nobody's newest word.
    assert Message.objects.filter(batch__kind=BatchKind.AUTO).count() == 2
    assert {thread.snippet, stranger.snippet} == {"STOP", "stop."}


def test_leaving_in_own_words_is_for_a_person_to_read(inbound: Inbound):
    inbound("please stop texting me")

    thread = Conversation.objects.get()
    assert (thread.status, thread.unread) == (ConversationStatus.OPEN, 1)


def test_a_late_text_does_not_become_the_newest_word(thread: Conversation, inbound: Inbound):
    late = Message.objects.get()
    inbound("Never mind, found it")

    conversation_file(message=late)

    thread.refresh_from_db()
    assert thread.snippet == "Never mind, found it"
    assert thread.last_message_id > late.pk


def test_a_reply_makes_a_thread_and_a_programs_text_does_not(
    account: Account, sender: SenderNumber, carol: Contact
):
    def send(kind: BatchKind, body: str) -> None:
        message_send(
            account=account, actor=None, phone=CAROL, body=body, kind=kind, request_key=body
        )

    send(BatchKind.API, "Order 1 is on its way")
    assert not Conversation.objects.exists()

    send(BatchKind.REPLY, "Hello Carol")
    thread = Conversation.objects.get()
    assert (thread.unread, thread.snippet, thread.last_direction) == (0, "Hello Carol", "out")

    send(BatchKind.API, "Order 2 is on its way")
    send(BatchKind.TEST, "Your code is 123456")
    thread.refresh_from_db()
    assert thread.snippet == "Order 2 is on its way"


def test_a_lost_signal_is_made_up_for_once(
    thread: Conversation, inbound: Inbound, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as lost:
        lost.setattr(message_received, "receivers", [])
        inbound("Are you there?")
        inbound("Hello?", phone="+12025550171")
    assert Conversation.objects.count() == 1

    assert conversations_catch_up() == 2

    thread.refresh_from_db()
    assert (thread.unread, thread.snippet) == (2, "Are you there?")
    assert Conversation.objects.get(phone="+12025550171").unread == 1
    assert conversations_catch_up() == 0


def test_a_failing_listener_loses_no_text(inbound: Inbound, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as broken:
        broken.setattr("inbox.services._FILE_SQL", "SELECT no_such_thing")
        message = inbound("Are you there?")
    assert Message.objects.filter(pk=message.pk).exists()
    assert not Conversation.objects.exists()

    assert conversations_catch_up() == 1


def test_two_sweeps_at_once_file_once(inbound: Inbound, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as lost:
        lost.setattr(message_received, "receivers", [])
        inbound("Are you there?")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CATCH_UP_LOCK])
        during = conversations_catch_up()
        cursor.execute("ROLLBACK")
    other.close()

    assert during == 0
    assert conversations_catch_up() == 1
    assert Conversation.objects.get().unread == 1


@pytest.mark.django_db(transaction=True)
def test_texts_at_the_same_moment_share_one_thread(sender: SenderNumber):
    start = Barrier(4)

    def arrive(number: int) -> None:
        start.wait()
        try:
            inbound_file(
                carrier_account=sender.carrier_account,
                text=InboundText(
                    carrier_id=f"SM{number}",
                    account_ref=sender.carrier_account.external_id,
                    phone=CAROL,
                    our_number=sender.phone,
                    body=f"Text {number}",
                ),
                at=now() + timedelta(seconds=number),
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(arrive, range(4)))

    thread = Conversation.objects.get()
    newest = Message.objects.order_by("-id").first()
    assert thread.unread == 4
    assert newest is not None
    assert (thread.last_message_id, thread.snippet) == (newest.pk, newest.body)
