"""Inbound texts: filed, attributed, obeyed, answered; foreign and repeated ones change nothing."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from common.phone import ERASED_MARK
from contacts.models import Contact, OptOut
from messaging.choices import (
    BatchKind,
    ChunkState,
    Direction,
    MessageState,
)
from messaging.gateways.events import InboundText
from messaging.models import (
    CarrierAccount,
    CarrierEventQueue,
    InboundMedia,
    Message,
    SenderNumber,
)
from messaging.receipts.inbound import inbound_file
from messaging.recounting import differences
from messaging.signals import message_received
from tests.receipts.conftest import MakeBatch, Receive, answers, inbound, sid, totals

pytestmark = pytest.mark.django_db


def test_a_reply_is_filed_and_counted_for_the_newest_text(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    heard: list[Message] = []

    def listen(message: Message, **_: Any) -> None:
        heard.append(message)

    older = make_batch(1, at=now() - timedelta(hours=30))[0]
    newer = make_batch(1, at=now() - timedelta(hours=2))[0]
    contact = Contact.objects.create(account=account, phone=newer.phone, first_name="Ann")
    message_received.connect(listen)

    receive(newer.phone, "What time do you open?")
    receive(newer.phone, "Hello?")

    message_received.disconnect(listen)
    first, second = Message.objects.filter(direction=Direction.IN).order_by("id")
    assert (first.account_id, first.contact_id, first.state) == (account.pk, contact.pk, "received")
    assert (first.phone, first.our_number) == (newer.phone, newer.our_number)
    assert first.body == "What time do you open?"
    assert first.answers_batch_id == second.answers_batch_id == newer.batch_id
    assert [m.pk for m in heard] == [first.pk, second.pk]
    newer.refresh_from_db()
    older.refresh_from_db()
    assert newer.replied_at == first.created_at
    assert (older.replied_at, newer.opted_out_at) == (None, None)
    assert totals(newer.batch_id) == (1, 0)
    assert totals(older.batch_id) == (0, 0)
    assert answers() == []
    assert differences() == []


def test_beyond_the_window_a_reply_answers_nothing(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    (message,) = make_batch(1, at=now() - timedelta(hours=73))
    receive(message.phone, "hello")
    assert inbound().answers_batch_id is None

    account.attribution_hours = 74
    account.save()
    receive(message.phone, "hello again")

    assert Message.objects.filter(answers_batch_id=message.batch_id).count() == 1
    assert totals(message.batch_id) == (1, 0)


def test_a_text_that_never_went_out_is_not_answered(
    make_batch: MakeBatch, receive: Receive
) -> None:
    states = (MessageState.SKIPPED, MessageState.REFUSED, MessageState.FAILED)
    for state in states:
        make_batch(1, state=state)
    (waiting,) = make_batch(1, state=MessageState.PENDING, attempted=False, chunk=ChunkState.READY)

    receive(waiting.phone, "hello")

    assert inbound().answers_batch_id is None


def test_a_reply_may_outrun_our_own_record(make_batch: MakeBatch, receive: Receive) -> None:
    (message,) = make_batch(1, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED)

    receive(message.phone, "quick")

    assert inbound().answers_batch_id == message.batch_id


def test_automatic_answers_are_not_what_one_answers(
    make_batch: MakeBatch, receive: Receive
) -> None:
    (blast,) = make_batch(1, at=now() - timedelta(hours=1))
    make_batch(1, kind=BatchKind.AUTO, at=now() - timedelta(minutes=1))

    receive(blast.phone, "thanks")

    assert inbound().answers_batch_id == blast.batch_id


def test_a_repeated_webhook_is_filed_once(make_batch: MakeBatch, receive: Receive) -> None:
    (message,) = make_batch(1)

    for _ in range(3):
        event = receive(message.phone, "STOP", sid="SM" + "7" * 32)

    assert Message.objects.filter(direction=Direction.IN).count() == 1
    assert len(answers()) == 1
    assert totals(message.batch_id) == (0, 1)
    assert event.ended == ""


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (
            {"To": "+19998887777"},
            "It was sent to a number that is not of this carrier account.",
        ),
        ({"AccountSid": "AC" + "0" * 32}, "It names another account of the carrier."),
        ({"From": "whatsapp:+14155550199"}, "It does not come from a phone."),
        ({"From": ""}, "It does not come from a phone."),
    ],
)
def test_what_is_not_for_us_is_set_aside(
    receive: Receive, wrong: dict[str, str], error: str
) -> None:
    event = receive("+14155559999", "STOP", **wrong)

    assert (event.ended, event.error) == ("set_aside", error)
    assert not Message.objects.exists()
    assert not OptOut.objects.exists()
    assert CarrierEventQueue.objects.count() == 0


def test_another_accounts_carrier_cannot_speak_for_our_number(
    make_batch: MakeBatch, receive: Receive, other_account: Account
) -> None:
    (message,) = make_batch(1)
    theirs = CarrierAccount.objects.create(
        account=other_account,
        name="Charlie's",
        external_id="AC" + "9" * 32,
        secret_encrypted=b"",
        api_base_url="https://api.twilio.com",
    )

    event = receive(message.phone, "STOP", through=theirs)

    assert event.ended == "set_aside"
    assert not OptOut.objects.exists()
    assert not Message.objects.filter(direction=Direction.IN).exists()
    assert totals(message.batch_id) == (0, 0)


def test_a_failing_listener_or_event_does_not_hold_up_the_next(
    receive: Receive, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("broken")

    message_received.connect(fail)
    receive("+14155559999", "hello")
    message_received.disconnect(fail)
    assert Message.objects.filter(direction=Direction.IN).count() == 1

    monkeypatch.setattr("messaging.receipts.inbound.classify", lambda *_: 1 / 0)
    poisoned = receive("+14155559999", "hello")
    monkeypatch.undo()
    receive("+14155559999", "STOP")

    assert (poisoned.ended, poisoned.error) == (
        "set_aside",
        "ZeroDivisionError: division by zero",
    )
    assert Message.objects.filter(direction=Direction.IN).count() == 2
    assert OptOut.objects.filter(account=account).count() == 1


@pytest.mark.parametrize(("is_erased", "noted"), [(False, 2), (True, 0)])
def test_files_of_a_text_that_the_list_brought_first_are_noted_once_by_its_webhook(
    is_erased: bool, noted: int, receive: Receive, carrier: CarrierAccount, sender: SenderNumber
) -> None:
    listed = InboundText(
        carrier_id=sid(7),
        account_ref=carrier.external_id,
        phone="+14155550150",
        our_number=sender.phone,
        body="",
        segments=1,
    )
    inbound_file(carrier_account=carrier, text=listed, at=now())
    assert not InboundMedia.objects.exists()
    if is_erased:
        Message.objects.update(phone=f"{ERASED_MARK}1")

    files = {"NumMedia": "2", "MediaUrl0": "https://a/0", "MediaUrl1": "https://a/1"}
    for _ in range(2):
        receive("+14155550150", "", sid=sid(7), **files)

    urls = InboundMedia.objects.order_by("n").values_list("message_id", "url")
    assert list(urls) == [(inbound().pk, f"https://a/{n}") for n in range(noted)]
