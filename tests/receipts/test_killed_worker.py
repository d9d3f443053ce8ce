"""A worker killed while it applies: what it had not committed is in the queue, and applied once."""

import time

import pytest
from django.db import connection

from accounts.models import Account
from messaging.models import CarrierAccount, CarrierEventQueue, Message
from messaging.recounting import differences
from tests.receipts.conftest import MakeBatch, recount, tally
from tests.stack import Stack

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


def queue_many(batch_id: int, carrier: CarrierAccount, words: tuple[str, ...]) -> None:
    """One event per message and word, in the order of the words, shuffled between messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH stored AS (
                INSERT INTO messaging_carrierevent (carrier_account_id, kind, message_id, attempt_n,
                    carrier_id, account_ref, word, state, code, reason, payload, received_at, ended,
                    error)
                SELECT %s, 'status', m.id, 1, a.carrier_id, %s, w.word, w.word, '', '', '{}', now(),
                    '', ''
                FROM messaging_message m JOIN messaging_attempt a ON a.message_id = m.id,
                    unnest(%s::text[]) WITH ORDINALITY AS w(word, place)
                WHERE m.batch_id = %s ORDER BY w.place, random() RETURNING id)
            INSERT INTO messaging_carriereventqueue (event_ids, kind)
            SELECT array_agg(id), 'status' FROM stored GROUP BY id / 700
            """,
            [carrier.pk, carrier.external_id, list(words), batch_id],
        )


def queued() -> int:
    """Events that wait."""
    return sum(map(len, CarrierEventQueue.objects.values_list("event_ids", flat=True)))


def test_killed_again_and_again_everything_is_applied_once(
    stack: Stack, make_batch: MakeBatch, carrier: CarrierAccount, account: Account, long_form: bool
) -> None:
    stack.kill("worker")
    messages = make_batch(9_999)
    batch_id = messages[0].batch_id
    assert batch_id is not None
    words = ("sent", "delivered", "sent") * (3 if long_form else 1)
    queue_many(batch_id, carrier, words)
    assert queued() == len(words) * 9_999

    kills = 0
    limit = time.monotonic() + 400
    while CarrierEventQueue.objects.exists():
        assert time.monotonic() < limit
        stack.start("worker")
        before = queued()
        while queued() == before and before and kills < 3:
            time.sleep(0.005)
        if kills < 3:
            stack.kill("worker")
            kills += 1
        else:
            stack.wait_until(lambda: not CarrierEventQueue.objects.exists(), what="the queue")

    assert kills == 3
    assert set(Message.objects.values_list("state", flat=True)) == {"delivered"}
    assert tally(batch_id) == recount(batch_id) == {("delivered", ""): 9_999}
    assert differences(batch_id=batch_id) == []
