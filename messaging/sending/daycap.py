"""A sender's daily cap, in segments, counted in PostgreSQL by the account's local day.

Owns `SenderDay`. Segments are counted before they are sent and not given back when a request fails,
so the cap is never passed.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from common.clock import now
from messaging.sending.batches import BatchInfo
from messaging.sending.lanes import put_off


def day_take(batch: BatchInfo, sizes: Sequence[int]) -> int:
    """Count the first of `sizes` that the cap of the batch's sender allows today.

    Returns:
        How many messages may go. When none may, the sender is left alone until tomorrow.

    Locks: the sender's row of the day.
    """
    zone = ZoneInfo(batch.timezone)
    at = now().astimezone(zone)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_senderday AS d (sender_id, day_on, segments) VALUES (%s, %s, 0) "
            "ON CONFLICT (sender_id, day_on) DO UPDATE SET segments = d.segments "
            "RETURNING segments",
            [batch.sender_id, at.date()],
        )
        used = cursor.fetchone()[0]
        allowed, total = 0, 0
        for size in sizes:
            if used + total + size > (batch.daily_cap or 0):
                break
            total += size
            allowed += 1
        cursor.execute(
            "UPDATE messaging_senderday SET segments = segments + %s "
            "WHERE sender_id = %s AND day_on = %s",
            [total, batch.sender_id, at.date()],
        )
    if not allowed:
        tomorrow = datetime.combine(at.date() + timedelta(days=1), time(), tzinfo=zone)
        put_off([(batch.sender_id, (tomorrow - at).total_seconds())])
    return allowed
