"""Final words that no callback told, queued in rows a worker can take."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.clock import now
from messaging.gateways.base import Listed
from messaging.models import Batch, CarrierAccount, CarrierEventQueue, Message
from messaging.receipts.statuses import statuses_apply
from messaging.reconcile import batch_reconcile
from tests.receipts.conftest import MakeBatch, recount, sid, tally

pytestmark = pytest.mark.django_db


def test_no_row_of_the_queue_holds_more_than_two_thousand(
    make_batch: MakeBatch, carrier: CarrierAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = make_batch(2_001)
    batch = Batch.objects.get()

    def delivered(message: Message) -> Listed:
        return Listed(
            carrier_id=sid(message.pk),
            phone=message.phone,
            our_number=message.our_number,
            body=message.body,
            state="delivered",
            code="",
            segments=1,
            created_at=now(),
            is_outbound=True,
        )

    def listed(*_: Any, **__: Any) -> Iterator[Listed]:
        return map(delivered, messages)

    monkeypatch.setattr("messaging.reconcile.listed", listed)

    assert batch_reconcile(batch=batch) == []

    rows = CarrierEventQueue.objects.order_by("id").values_list("event_ids", flat=True)
    assert [len(row) for row in rows] == [2_000, 1]
    while statuses_apply():
        pass
    assert tally(batch.pk) == recount(batch.pk) == {("delivered", ""): 2_001}
