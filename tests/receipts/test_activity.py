"""Kept counts over time move with what happened to messages, slot by slot, and can be proven."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from accounts.models import Account
from contacts.models import Contact
from messaging.choices import BatchKind, EventKind
from messaging.models import (
    BatchActivity,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.receipts.clicks import clicks_apply, clicks_rejudge
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next
from messaging.recounting import differences
from messaging.selectors import activity_over_time
from tests.receipts.conftest import MakeBatch, Queue, sid
from tracking.choices import Verdict
from tracking.models import Click
from tracking.services import links_create
from tracking.verdicts import Judgement

pytestmark = pytest.mark.django_db

LAUNCHED = datetime(2026, 5, 5, 9, 7, 20, tzinfo=UTC)
PERSON = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"


def kept(message: Message) -> dict[tuple[str, str], int]:
    """(what, day and slot in UTC) to people, of a message's batch."""
    rows = BatchActivity.objects.filter(batch_id=message.batch_id or 0).exclude(people=0)
    return {(row.what, f"{row.slot_at.astimezone(UTC):%d %H:%M}"): row.people for row in rows}


def told(queue: Queue, message: Message, word: str, at: datetime, code: str = "") -> None:
    """A status callback that came at `at`."""
    CarrierEvent.objects.filter(pk=queue(message, word, code=code).pk).update(received_at=at)


def test_receipts_count_in_minutes_at_first_and_in_quarters_of_an_hour_later(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(5, at=LAUNCHED)
    told(queue, messages[0], "delivered", LAUNCHED + timedelta(seconds=50))
    told(queue, messages[1], "delivered", LAUNCHED + timedelta(seconds=99))
    told(queue, messages[2], "undelivered", LAUNCHED + timedelta(minutes=5), "30003")
    # Minutes end on the quarter before three hours have passed: at 12:00.
    told(queue, messages[3], "delivered", datetime(2026, 5, 5, 11, 59, 59, tzinfo=UTC))
    told(queue, messages[4], "delivered", datetime(2026, 5, 5, 12, 14, 59, tzinfo=UTC))

    assert statuses_apply() == 5

    assert kept(messages[0]) == {
        ("accepted", "05 09:07"): 5,
        ("delivered", "05 09:08"): 2,
        ("undelivered", "05 09:12"): 1,
        ("delivered", "05 11:59"): 1,
        ("delivered", "05 12:00"): 1,
    }
    assert differences() == []


def test_a_callback_that_comes_before_the_answer_is_the_acceptance_too(
    make_batch: MakeBatch, queue: Queue
) -> None:
    (message,) = make_batch(1, state="unknown", at=LAUNCHED)
    told(queue, message, "delivered", LAUNCHED + timedelta(minutes=2))
    told(queue, message, "sent", LAUNCHED + timedelta(minutes=3))

    statuses_apply()

    assert kept(message) == {("accepted", "05 09:09"): 1, ("delivered", "05 09:09"): 1}
    assert differences() == []


def test_replies_and_opt_outs_count_once_each(
    make_batch: MakeBatch, carrier: CarrierAccount, sender: SenderNumber, account: Account
) -> None:
    messages = make_batch(2, at=LAUNCHED)
    Contact.objects.create(account=account, phone=messages[1].phone)
    for serial, (message, body, minutes) in enumerate(
        [(messages[0], "When?", 30), (messages[0], "Hello?", 40), (messages[1], "STOP", 300)]
    ):
        event = CarrierEvent.objects.create(
            carrier_account=carrier,
            kind=EventKind.INBOUND,
            payload={
                "MessageSid": sid(serial),
                "AccountSid": carrier.external_id,
                "From": message.phone,
                "To": sender.phone,
                "Body": body,
                "NumSegments": "1",
                "NumMedia": "0",
            },
            received_at=LAUNCHED + timedelta(minutes=minutes),
        )
        CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)
        assert text_apply_next()

    assert kept(messages[0]) == {
        ("accepted", "05 09:07"): 2,
        ("replied", "05 09:37"): 1,
        ("opted_out", "05 14:00"): 1,
    }
    assert differences() == []


def test_a_click_judged_anew_moves_to_where_the_first_of_a_person_is(
    make_batch: MakeBatch, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = make_batch(1, at=LAUNCHED)
    (link,) = links_create(
        account=account,
        batch_id=messages[0].batch_id or 0,
        destinations=["https://example.com"],
        label="",
        recipients=1,
    )
    for minutes in (10, 20):
        Click.objects.create(
            account_id=account.pk,
            link=link,
            recipient_no=1,
            at=LAUNCHED + timedelta(minutes=minutes),
            method="GET",
            user_agent=PERSON,
            browser_headers=True,
            ip_hash=b"x" * 16,
        )
    clicks_apply()
    before = kept(messages[0])

    verdicts = iter([Verdict.SCANNER, Verdict.HUMAN])
    monkeypatch.setattr(
        "messaging.receipts.clicks.classify", lambda hit: Judgement(next(verdicts), ())
    )
    clicks_rejudge()

    assert before == {("accepted", "05 09:07"): 1, ("clicked", "05 09:17"): 1}
    assert kept(messages[0]) == {("accepted", "05 09:07"): 1, ("clicked", "05 09:27"): 1}
    assert differences() == []


def test_each_number_counts_apart_and_pictures_take_them_together(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(3, at=LAUNCHED)
    Message.objects.filter(pk=messages[0].pk).update(our_number="+12025550123")
    for message in messages:
        told(queue, message, "delivered", LAUNCHED + timedelta(minutes=1))

    statuses_apply()

    rows = BatchActivity.objects.filter(what="delivered").order_by("people")
    assert [(row.our_number, row.people) for row in rows] == [
        ("+12025550123", 1),
        (messages[1].our_number, 2),
    ]
    (slot,) = activity_over_time([messages[0].batch_id or 0], zone="UTC")
    assert slot.delivered == 3


def test_single_texts_keep_none(make_batch: MakeBatch, queue: Queue) -> None:
    (message,) = make_batch(1, kind=BatchKind.API)
    queue(message, "delivered")

    statuses_apply()

    assert BatchActivity.objects.count() == 0
    assert differences() == []


def test_recount_finds_slots_that_were_tampered_with(make_batch: MakeBatch, queue: Queue) -> None:
    messages = make_batch(2, at=LAUNCHED)
    told(queue, messages[0], "delivered", LAUNCHED)
    statuses_apply()
    assert differences() == []

    BatchActivity.objects.filter(what="delivered").update(people=7)
    Message.objects.filter(pk=messages[1].pk).update(replied_at=LAUNCHED + timedelta(hours=9))

    batch = f"batch {messages[0].batch_id} {messages[0].our_number}"
    assert [tuple(one) for one in differences()][-2:] == [
        ("messaging_batchactivity", f"{batch} delivered 2026-05-05 09:07", "people", 7, 1),
        ("messaging_batchactivity", f"{batch} replied 2026-05-05 18:00", "people", 0, 1),
    ]
    with pytest.raises(SystemExit):
        call_command("verify_reports", stdout=io.StringIO())
