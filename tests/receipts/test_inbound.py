"""Inbound texts: filed, attributed, obeyed, answered; foreign and repeated ones change nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from common.phone import ERASED_MARK
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.services import consent_revoke
from messaging.choices import (
    BatchKind,
    ChunkState,
    Direction,
    EventKind,
    MessageState,
    SenderKind,
)
from messaging.confirmations import confirmed_by_carrier
from messaging.gateways.events import InboundText
from messaging.models import (
    Attempt,
    Batch,
    BatchTotals,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    InboundMedia,
    Message,
    SenderNumber,
)
from messaging.receipts.inbound import inbound_file
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next
from messaging.recounting import differences
from messaging.signals import message_received
from messaging.state import rank
from tests.receipts.conftest import MakeBatch, Queue, sid

pytestmark = pytest.mark.django_db

Receive = Callable[..., CarrierEvent]


@pytest.fixture
def receive(carrier: CarrierAccount, sender: SenderNumber) -> Receive:
    """`receive(phone, body, ...)`: store an inbound webhook and apply it."""
    serial = iter(range(1, 1000))

    def store(
        phone: str,
        body: str,
        *,
        sid: str | None = None,
        through: CarrierAccount | None = None,
        at: Any = None,
        **more: str,
    ) -> CarrierEvent:
        through = through or carrier
        event = CarrierEvent.objects.create(
            carrier_account=through,
            kind=EventKind.INBOUND,
            payload={
                "MessageSid": sid or f"SM{next(serial):032d}",
                "AccountSid": through.external_id,
                "From": phone,
                "To": sender.phone,
                "Body": body,
                "NumSegments": "1",
                "NumMedia": "0",
                **more,
            },
            received_at=at or now(),
        )
        CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)
        assert text_apply_next() is True
        event.refresh_from_db()
        return event

    return store


def inbound() -> Message:
    return Message.objects.get(direction=Direction.IN)


def totals(batch_id: int | None) -> tuple[int, int]:
    """(replied, opted out)"""
    assert batch_id is not None
    row = BatchTotals.objects.get(batch_id=batch_id)
    return row.replied, row.opted_out


def answers() -> list[str]:
    """Bodies of the automatic answers that were queued."""
    rows = Message.objects.filter(batch__kind=BatchKind.AUTO).order_by("id")
    return [row.batch.body for row in rows.select_related("batch") if row.batch]


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


@pytest.mark.parametrize("body", ["STOP", "stop.", "“Stop”", "OPT OUT", "stop 🛑", "STOP\n"])
def test_stop_revokes_consent_counts_and_is_confirmed_once(
    make_batch: MakeBatch, receive: Receive, account: Account, body: str
) -> None:
    (message,) = make_batch(1)
    contact = Contact.objects.create(account=account, phone=message.phone, consent=Consent.OPTED_IN)

    receive(message.phone, body)

    opt_out = OptOut.objects.get(account=account)
    assert (opt_out.phone, opt_out.source) == (message.phone, ConsentSource.KEYWORD)
    event = ConsentEvent.objects.get(kind=ConsentKind.OUT)
    assert (event.message_id, event.wording) == (inbound().pk, body.strip())
    contact.refresh_from_db()
    assert contact.consent == Consent.OPTED_OUT
    message.refresh_from_db()
    assert message.opted_out_at == inbound().created_at
    assert message.replied_at is None
    assert totals(message.batch_id) == (0, 1)
    assert answers() == [
        "Alice's Flowers: You are opted out and will get no more texts from us. "
        "Reply START to come back."
    ]

    receive(message.phone, "stop")

    assert len(answers()) == 1
    assert totals(message.batch_id) == (0, 1)
    assert differences() == []


def test_asking_in_own_words_is_an_opt_out_too(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "please stop texting me")

    assert OptOut.objects.get(account=account).source == ConsentSource.FREE_TEXT
    assert totals(message.batch_id) == (0, 1)


def test_an_accounts_own_words_opt_out_and_in(receive: Receive, account: Account) -> None:
    account.stop_words, account.start_words = ["basta"], ["rejoin"]
    account.save()

    receive("+14155559999", "“Basta!”")

    assert OptOut.objects.get(account=account).source == ConsentSource.KEYWORD

    receive("+14155559999", "Rejoin.")

    assert not OptOut.objects.filter(account=account).exists()


@pytest.mark.parametrize(
    ("body", "confirmations"), [("STOP", 0), ("Stop!", 0), ("QUIT", 1), ("please stop texting", 1)]
)
def test_the_network_answers_stop_to_a_toll_free_number_and_nothing_else(
    body: str, confirmations: int, receive: Receive, sender: SenderNumber, account: Account
) -> None:
    sender.phone, sender.kind = "+18442560199", SenderKind.TOLL_FREE
    sender.save()

    receive("+14155559999", body)

    assert OptOut.objects.filter(account=account, phone="+14155559999").exists()
    assert len(answers()) == confirmations


@pytest.mark.parametrize("body", ["STOP", "HELP"])
def test_on_a_short_code_every_answer_is_ours(
    body: str, receive: Receive, sender: SenderNumber
) -> None:
    sender.phone, sender.kind = "55512", SenderKind.SHORT_CODE
    sender.save()

    receive("+14155559999", body)

    assert len(answers()) == 1


def test_a_stop_holds_for_this_account_only(
    make_batch: MakeBatch, receive: Receive, account: Account, other_account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "STOP")

    assert list(OptOut.objects.values_list("account_id", flat=True)) == [account.pk]


def test_the_carriers_own_answer_is_not_repeated(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "parar", OptOutType="STOP")

    assert OptOut.objects.filter(account=account, phone=message.phone).exists()
    assert answers() == []

    receive(message.phone, "HELP", OptOutType="HELP")

    assert answers() == []


def test_help_is_answered_even_to_strangers_once_an_hour(
    receive: Receive, account: Account
) -> None:
    account.help_text = "Alice's Flowers, 555-0100. Reply STOP to opt out."
    account.save()
    at = now().replace(minute=10)

    receive("+14155559999", "HELP", at=at)
    receive("+14155559999", "help!", at=at + timedelta(minutes=20))

    assert answers() == ["Alice's Flowers, 555-0100. Reply STOP to opt out."]
    sent = Message.objects.get(batch__kind=BatchKind.AUTO)
    assert (sent.state, sent.phone) == ("pending", "+14155559999")


def test_help_is_answered_to_whoever_left(receive: Receive, account: Account) -> None:
    consent_revoke(account=account, phone="+14155559999", source=ConsentSource.KEYWORD)

    receive("+14155559999", "HELP")

    assert Message.objects.get(batch__kind=BatchKind.AUTO).state == "pending"


def test_start_brings_back_and_yes_only_whoever_had_left(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    left, stayed = make_batch(2)
    consent_revoke(account=account, phone=left.phone, source=ConsentSource.KEYWORD)

    receive(left.phone, "START")
    receive(stayed.phone, "YES")

    assert not OptOut.objects.exists()
    assert Contact.objects.get(phone=left.phone).consent == Consent.OPTED_IN
    assert not ConsentEvent.objects.filter(phone=stayed.phone).exists()
    assert totals(stayed.batch_id) == (2, 0)

    consent_revoke(account=account, phone=stayed.phone, source=ConsentSource.KEYWORD)
    receive(stayed.phone, "yes")
    assert not OptOut.objects.exists()


def test_a_repeated_webhook_is_filed_once(make_batch: MakeBatch, receive: Receive) -> None:
    (message,) = make_batch(1)

    for _ in range(3):
        event = receive(message.phone, "STOP", sid="SM" + "7" * 32)

    assert Message.objects.filter(direction=Direction.IN).count() == 1
    assert len(answers()) == 1
    assert totals(message.batch_id) == (0, 1)
    assert event.ended == ""


def test_a_late_stop_is_obeyed_but_not_answered(receive: Receive, account: Account) -> None:
    receive("+14155559999", "STOP", at=now() - timedelta(hours=5))

    assert OptOut.objects.filter(account=account).count() == 1
    assert answers() == []


def test_an_opt_out_is_confirmed_within_five_minutes_or_not_at_all(
    receive: Receive, account: Account
) -> None:
    receive("+14155559999", "STOP")

    asked = Batch.objects.get(kind=BatchKind.AUTO)
    assert asked.expires_at == inbound().created_at + timedelta(minutes=5)

    receive("+14155559998", "STOP", at=now() - timedelta(minutes=5))
    receive("+14155559998", "HELP", at=now() - timedelta(minutes=5))

    assert OptOut.objects.filter(account=account).count() == 2
    assert [one.split(": ")[1][:11] for one in answers()] == ["You are opt", "Reply to th"]


def test_without_credits_or_while_suspended_the_opt_out_stands(
    receive: Receive, account: Account
) -> None:
    account.status = "suspended"
    account.save()

    receive("+14155559999", "STOP")

    assert OptOut.objects.filter(account=account).count() == 1
    assert answers() == []


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


def test_a_carrier_that_confirms_by_itself_adds_nothing_to_the_consent_on_record(
    receive: Receive, carrier: CarrierAccount, queue: Queue
) -> None:
    receive("+14155559999", "STOP")
    ours = Message.objects.get(batch__kind=BatchKind.AUTO)
    Message.objects.filter(pk=ours.pk).update(state="accepted", rank=rank("accepted"), attempts=1)
    Attempt.objects.create(
        message=ours, n=1, carrier_account=carrier, carrier_id=sid(ours.pk), outcome="accepted"
    )

    queue(ours, "failed", code="21610")
    statuses_apply()

    ours.refresh_from_db()
    assert (ours.state, ours.reason) == ("failed", "opted_out")
    assert confirmed_by_carrier(ours, ours.batch)
    assert [(event.kind, event.source) for event in ConsentEvent.objects.all()] == [
        (ConsentKind.OUT, ConsentSource.KEYWORD)
    ]


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
