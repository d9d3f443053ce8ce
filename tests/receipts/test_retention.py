"""Texts that were kept as long as their account wants go; everything counted stays."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from accounts.models import Account, User
from common.clock import now
from messaging import recounting, retention
from messaging.choices import Direction, EventKind, MessageState
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next
from messaging.retention import events_remove, texts_remove
from messaging.selectors import message_timeline
from tests.receipts.conftest import MakeBatch, Queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(account: Account) -> Account:
    """Alice keeps texts for thirty days."""
    account.keep_bodies_days = 30
    account.save(update_fields=["keep_bodies_days"])
    return account


def days_ago(days: int) -> datetime:
    return now() - timedelta(days=days)


def settled(messages: list[Message], days: int) -> Batch:
    batch = messages[0].batch
    assert batch is not None
    batch.settled_at = days_ago(days)
    batch.save(update_fields=["settled_at"])
    return batch


def received(account: Account, body: str, days: int) -> Message:
    return Message.objects.create(
        account=account,
        direction=Direction.IN,
        state=MessageState.RECEIVED,
        phone="+14155550001",
        our_number="+12025550100",
        body=body,
        segments=1,
        created_at=days_ago(days),
    )


def bodies() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("body", flat=True))


@pytest.mark.parametrize("slice_size", [1, 2, 5_000])
def test_old_texts_go_and_newer_unsettled_and_figures_stay(
    keeper: Account,
    other_account: Account,
    make_batch: MakeBatch,
    monkeypatch: pytest.MonkeyPatch,
    slice_size: int,
) -> None:
    monkeypatch.setattr(retention, "_SLICE", slice_size)
    old = settled(make_batch(3, at=days_ago(40)), 31)
    Message.objects.filter(batch=old).update(merge={"first_name": "Ann"})
    received(keeper, "old word", 31)
    received(other_account, "of Charlie", 31)
    make_batch(2, at=days_ago(40), first=10)
    settled(make_batch(1, at=days_ago(29), first=20), 29)
    received(keeper, "new word", 29)

    first, again = texts_remove(), texts_remove()

    assert (first, again) == (4, 0)
    assert bodies() == ["", "", "", "", "of Charlie", "Hi 1", "Hi 2", "Hi 1", "new word"]
    assert not Message.objects.filter(merge__isnull=False).exists()
    assert set(Message.objects.filter(batch=old).values_list("segments", "credits")) == {(1, 1)}
    assert Attempt.objects.count() == 6
    assert recounting.differences() == []
    assert Batch.objects.filter(texts_removed_at__isnull=False).get() == old


def test_for_ever_removes_nothing(account: Account, make_batch: MakeBatch) -> None:
    settled(make_batch(1, at=days_ago(900)), 900)
    received(account, "hello", 900)

    assert texts_remove() == 0
    assert bodies() == ["Hi 1", "hello"]


def test_pages_say_that_a_text_was_removed(
    keeper: Account, alice: User, make_batch: MakeBatch, client: Client
) -> None:
    sent = make_batch(1, at=days_ago(40))
    settled(sent, 31)
    texts_remove()
    client.force_login(alice)

    detail = client.get(f"/messages/{sent[0].pk}/").content.decode()
    log = client.get("/messages/").content.decode()

    assert "Text removed: this account keeps texts for a limited time." in detail
    assert "Not sent yet" not in detail
    assert "Text removed" in log


def texted(carrier: CarrierAccount, sender: SenderNumber, days: int, sid: str = "SM1") -> None:
    """An inbound text, stored and applied, that came so many days ago."""
    event = CarrierEvent.objects.create(
        carrier_account=carrier,
        kind=EventKind.INBOUND,
        payload={
            "MessageSid": sid,
            "AccountSid": carrier.external_id,
            "From": "+14155550001",
            "To": sender.phone,
            "Body": "My secret",
            "MediaUrl0": "https://example.com/photo",
            "NumSegments": "1",
        },
        received_at=days_ago(days),
    )
    CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)
    assert text_apply_next()


def raw() -> list[dict[str, str]]:
    return list(CarrierEvent.objects.order_by("pk").values_list("payload", flat=True))


def test_an_event_of_an_inbound_text_names_its_message_and_loses_its_words_with_it(
    keeper: Account, carrier: CarrierAccount, sender: SenderNumber
) -> None:
    texted(carrier, sender, 31)
    texted(carrier, sender, 31)  # the carrier posts it again
    texted(carrier, sender, 29, sid="SM2")
    first, second = Message.objects.order_by("pk")
    named = list(CarrierEvent.objects.order_by("pk").values_list("message_id", flat=True))

    assert texts_remove() == 1

    assert named == [first.pk, first.pk, second.pk]
    assert [event.get("Body") for event in raw()] == [None, None, "My secret"]
    assert [event.get("MediaUrl0") for event in raw()][:2] == [None, None]
    assert raw()[0]["From"] == "+14155550001"


@pytest.mark.parametrize("slice_size", [1, 5_000])
def test_old_raw_events_go_and_what_they_said_stays(
    account: Account,
    carrier: CarrierAccount,
    sender: SenderNumber,
    make_batch: MakeBatch,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
    slice_size: int,
) -> None:
    monkeypatch.setattr(retention, "_SLICE", slice_size)
    account.keep_events_days = 30
    account.save(update_fields=["keep_events_days"])
    old = make_batch(2, at=days_ago(40))
    texted(carrier, sender, 31)
    new = make_batch(1, at=days_ago(20), first=9)
    for message in [*old, *new]:
        queue(message, "sent")
        queue(message, "delivered")
    statuses_apply()
    settled(old, 31)
    settled(new, 15)
    waiting = queue(old[0], "sent")

    first, again = events_remove(), events_remove()

    assert (first, again) == (5, 0)
    left = list(CarrierEvent.objects.order_by("pk"))
    assert [event.message_id for event in left] == [new[0].pk, new[0].pk, waiting.message_id]
    old[1].refresh_from_db()
    titles = [step.title for step in message_timeline(old[1])]
    assert titles == [
        "Asked for",
        "Carrier accepted it",
        "Carrier handed it on",
        "Delivered",
        "Raw events of the carrier removed",
    ]
    assert bodies() == ["Hi 1", "Hi 2", "My secret", "Hi 1"]
    assert recounting.differences() == []


def test_raw_events_are_kept_for_ever_unless_told_otherwise(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(1, at=days_ago(900))
    queue(messages[0], "delivered")
    statuses_apply()
    settled(messages, 899)

    assert events_remove() == 0
    assert CarrierEvent.objects.count() == 1
