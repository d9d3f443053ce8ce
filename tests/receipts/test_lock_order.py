"""Whoever writes several messages locks them by id: no two writers wait for each other."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Account
from common.clock import now
from contacts.models import Contact, OptOut
from contacts.services import contact_upsert, person_erase
from messaging.choices import ChunkState, Direction, EventKind, MessageState, Outcome
from messaging.models import (
    Attempt,
    Batch,
    BatchTotals,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Message,
)
from messaging.receipts.clicks import clicks_apply
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next
from messaging.recounting import differences
from messaging.retention import texts_remove
from messaging.services import batch_cancel
from tests.races import assert_locks_by_id, in_thread, lie_out_of_order, wait_for_lock_waits
from tests.receipts.conftest import MakeBatch, Queue, Tap, links_of, tally

pytestmark = pytest.mark.django_db(transaction=True)


def test_callbacks_and_clicks_of_the_same_messages_do_not_stop_each_other(
    make_batch: MakeBatch, queue: Queue, tap: Tap, account: Account
) -> None:
    messages = make_batch(3)
    (link,) = links_of(messages, account)
    lie_out_of_order(messages)
    for message in messages:
        queue(message, "delivered")

    with transaction.atomic():
        tap(link, 1)
        assert clicks_apply() == 1
        applying = in_thread(statuses_apply)
        wait_for_lock_waits(1, or_ended=applying)
        tap(link, 3)
        assert clicks_apply() == 1
    applying.join()

    # What was written anew meanwhile is told once more.
    assert (CarrierEventQueue.objects.count(), statuses_apply()) == (2, 2)
    assert tally(link.batch_id) == {("delivered", ""): 3}
    assert BatchTotals.objects.get(batch=link.batch_id).clicked == 2
    assert differences() == []


def test_callbacks(make_batch: MakeBatch, queue: Queue) -> None:
    messages = make_batch(3)
    for message in reversed(messages):
        queue(message, "delivered")

    assert_locks_by_id(statuses_apply, messages)


def test_clicks(make_batch: MakeBatch, tap: Tap, account: Account) -> None:
    messages = make_batch(3)
    (link,) = links_of(messages, account)
    for no in (3, 2, 1):
        tap(link, no)

    assert_locks_by_id(clicks_apply, messages)


def test_carriers_ids_that_callbacks_tell(
    make_batch: MakeBatch, queue: Queue, carrier: CarrierAccount
) -> None:
    """Words that move nothing still tell what is not known of the attempt."""
    messages = make_batch(2, state=MessageState.DELIVERED)
    first, last = Attempt.objects.order_by("message_id")
    Attempt.objects.update(carrier_id=None)
    Attempt.objects.filter(pk=first.pk).update(outcome=Outcome.UNKNOWN)
    for message in reversed(messages):
        queue(message, "sent")

    rows = Attempt.objects.select_for_update(no_key=True, skip_locked=True)
    with transaction.atomic():
        rows.get(pk=first.pk)
        applying = in_thread(statuses_apply)
        wait_for_lock_waits(1, or_ended=applying)
        free = list(rows.filter(pk=last.pk))
    applying.join()

    assert free == [last]
    assert Attempt.objects.filter(carrier_id=None).count() == 0


def test_canceling(make_batch: MakeBatch, account: Account) -> None:
    messages = make_batch(3, state=MessageState.PENDING, attempted=False, chunk=ChunkState.READY)
    batch = Batch.objects.get()

    assert_locks_by_id(partial(batch_cancel, account=account, actor=None, batch=batch), messages)

    assert tally(batch.pk) == {("skipped", "canceled"): 3}


def test_retention(make_batch: MakeBatch, account: Account) -> None:
    account.keep_bodies_days = 30
    account.save(update_fields=["keep_bodies_days"])
    messages = make_batch(3)
    Batch.objects.update(settled_at=now() - timedelta(days=31))

    assert_locks_by_id(texts_remove, messages)

    assert set(Message.objects.values_list("body", flat=True)) == {""}


def test_erasing(make_batch: MakeBatch, account: Account) -> None:
    (first,), (last,) = make_batch(1), make_batch(1)
    Batch.objects.update(settled_at=now())
    ann = contact_upsert(account=account, actor=None, phone=first.phone)

    assert_locks_by_id(
        partial(person_erase, account=account, actor=None, contact_id=ann.pk), [first, last]
    )

    assert set(Message.objects.values_list("phone", flat=True)) == {f"~{ann.pk}"}


def test_whoever_leaves_is_held_before_the_text_that_they_answer(
    make_batch: MakeBatch, carrier: CarrierAccount, account: Account
) -> None:
    """As callbacks do that tell of an opt-out, and windows."""
    (message,) = make_batch(1)
    ann = contact_upsert(account=account, actor=None, phone=message.phone)
    event = CarrierEvent.objects.create(
        carrier_account=carrier,
        kind=EventKind.INBOUND,
        payload={
            "MessageSid": "SM" + "1" * 32,
            "AccountSid": carrier.external_id,
            "From": message.phone,
            "To": message.our_number,
            "Body": "STOP",
            "NumSegments": "1",
            "NumMedia": "0",
        },
    )
    CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)

    rows = Message.objects.select_for_update(no_key=True, skip_locked=True)
    with transaction.atomic():
        Contact.objects.select_for_update(no_key=True).get(pk=ann.pk)
        applying = in_thread(text_apply_next)
        wait_for_lock_waits(1, or_ended=applying)
        free = list(rows.filter(pk=message.pk))
    applying.join()

    assert free == [message]
    assert OptOut.objects.get().phone == ann.phone
    assert Message.objects.get(pk=message.pk).opted_out_at is not None
    assert Message.objects.filter(direction=Direction.IN).count() == 1
