"""How many failed messages of a batch may be tried again."""

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Sum

from messaging.choices import BatchState
from messaging.models import Batch, BatchTally
from messaging.retryable import IS_RETRYABLE, REASONS, STATES, parameters

# Counting reads every message of a batch: half a second for so many.
_COUNTED_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Retryable:
    """How many messages may be tried again; at most so many where they were not counted."""

    count: int
    is_exact: bool

    def __bool__(self) -> bool:
        return self.count > 0


def retryable(batch: Batch) -> Retryable:
    """How many messages `batch_retry` would give back now; at most two queries.

    Of a large batch only the kept counts are read: they know reasons, not the carrier's codes, nor
    who has left or answered since, so fewer may be given back than they say.
    """
    if batch.size <= _COUNTED_MOST:
        return Retryable(retryable_count(batch), True)
    if batch.texts_removed_at is not None:
        return Retryable(0, True)
    return Retryable(_failed(batch), False)


def retryable_count(batch: Batch) -> int:
    """How many messages `batch_retry` would give back now, counted.

    Kept counts say whether there can be any; only then the batch's messages are read.
    """
    if not _failed(batch):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM messaging_message m WHERE {IS_RETRYABLE}",
            parameters(batch.pk),
        )
        return int(cursor.fetchone()[0])


def _failed(batch: Batch) -> int:
    """Messages that failed for a reason which may pass, by the kept counts."""
    if batch.state == BatchState.CANCELED:
        return 0
    failed = BatchTally.objects.filter(
        batch=batch, state__in=STATES, reason__in=REASONS, messages__gt=0
    )
    return failed.aggregate(messages=Sum("messages"))["messages"] or 0
