"""How many failed messages of a batch may be tried again."""

from django.db import connection

from messaging.choices import BatchState
from messaging.models import Batch, BatchTally
from messaging.retryable import IS_RETRYABLE, REASONS, STATES, parameters


def retryable_count(batch: Batch) -> int:
    """How many messages `batch_retry` would give back now.

    Kept counts say whether there can be any; only then the batch's messages are read.
    """
    if batch.state == BatchState.CANCELED:
        return 0
    failed = BatchTally.objects.filter(
        batch=batch, state__in=STATES, reason__in=REASONS, messages__gt=0
    )
    if not failed.exists():
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM messaging_message m WHERE {IS_RETRYABLE}",
            parameters(batch.pk),
        )
        return int(cursor.fetchone()[0])
