"""What comes back of the same messages, applied by many workers at once: counted once."""

import random
from collections.abc import Callable

import pytest
from django.db import OperationalError

from accounts.models import Account
from contacts.models import Contact
from contacts.services import contact_upsert, person_erase
from messaging.choices import Direction, EventKind
from messaging.models import (
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
from tests.races import in_thread
from tests.receipts.conftest import MakeBatch, Queue, Tap, links_of, tally
from tracking.choices import Verdict
from tracking.models import Click

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 60


def _reply(message: Message, carrier: CarrierAccount, body: str) -> None:
    event = CarrierEvent.objects.create(
        carrier_account=carrier,
        kind=EventKind.INBOUND,
        payload={
            "MessageSid": f"SM{message.pk:032d}",
            "AccountSid": carrier.external_id,
            "From": message.phone,
            "To": message.our_number,
            "Body": body,
            "NumSegments": "1",
            "NumMedia": "0",
        },
    )
    CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)


def test_many_workers_count_everything_once_and_never_stop_each_other(
    make_batch: MakeBatch, queue: Queue, tap: Tap, carrier: CarrierAccount, account: Account
) -> None:
    messages = make_batch(PEOPLE)
    first, second = links_of(messages, account, 2)
    chance = random.Random(7)
    for word in ("sent", "delivered", "sent"):
        for message in chance.sample(messages, PEOPLE):
            queue(message, word)
    for link in (first, second, first):
        for no in chance.sample(range(1, PEOPLE + 1), PEOPLE):
            tap(link, no)
    leaving, erased = messages[:5], messages[-1]
    for message in leaving:
        _reply(message, carrier, "STOP")
    for message in messages[5:20]:
        _reply(message, carrier, "Lovely")
    ann = contact_upsert(account=account, actor=None, phone=erased.phone)
    refused: list[OperationalError] = []

    def until_done(act: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            try:
                while act():
                    pass
            except OperationalError as error:
                refused.append(error)

        return work

    def erase() -> None:
        person_erase(account=account, actor=None, contact_id=ann.pk)

    workers = [
        *[in_thread(until_done(lambda: statuses_apply(limit=11))) for _ in range(3)],
        *[in_thread(until_done(lambda: clicks_apply(limit=7))) for _ in range(3)],
        *[in_thread(until_done(text_apply_next)) for _ in range(2)],
        in_thread(until_done(erase)),
    ]
    for worker in workers:
        worker.join()
    # What was put back last, when nobody looked any more.
    while statuses_apply():
        pass

    assert refused == []
    assert CarrierEventQueue.objects.count() == 0
    assert not Click.objects.filter(verdict=Verdict.PENDING).exists()
    assert not CarrierEvent.objects.exclude(error="").exists()
    assert tally(first.batch_id) == {("delivered", ""): PEOPLE}
    totals = BatchTotals.objects.get(batch=first.batch_id)
    assert (totals.hit, totals.clicks_total) == (PEOPLE, 3 * PEOPLE)
    assert totals.clicks_human == Click.objects.filter(verdict=Verdict.HUMAN).count()
    assert (totals.opted_out, totals.replied) == (5, 15)
    assert Message.objects.filter(direction=Direction.IN).count() == 20
    assert Contact.objects.get(pk=ann.pk).phone == f"~{ann.pk}"
    assert differences() == []
