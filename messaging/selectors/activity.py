"""What happened when: deliveries, clicks and replies over time, for the pictures of reports.

Reads kept counts (`BatchActivity`), a few thousand rows for the largest blast; never messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import connection

Unit = Literal["minute", "hour", "day"]

# Ninety bars is what a chart shows without crowding.
_MOST_SLOTS = 90
# After a launch, so long at least slots are kept by the minute.
MINUTES_LAST = timedelta(hours=2, minutes=45)
_UNIT_S: dict[Unit, int] = {"minute": 60, "hour": 3600, "day": 86_400}

_SQL = """
SELECT date_trunc(%(unit)s, slot_at, %(zone)s) AS slot,
    coalesce(sum(people) FILTER (WHERE what = 'delivered'), 0)::bigint,
    coalesce(sum(people) FILTER (WHERE what = 'clicked'), 0)::bigint,
    coalesce(sum(people) FILTER (WHERE what = 'replied'), 0)::bigint
FROM messaging_batchactivity
WHERE batch_id = ANY(%(batches)s) AND what IN ('delivered', 'clicked', 'replied') AND people > 0
GROUP BY 1 ORDER BY 1
"""

_SPAN_SQL = """
SELECT min(b.launched_at), max(a.slot_at)
FROM messaging_batch b JOIN messaging_batchactivity a ON a.batch_id = b.id
WHERE b.id = ANY(%s) AND a.what IN ('delivered', 'clicked', 'replied') AND a.people > 0
"""

_WAITS_SQL = """
SELECT min(not_before) FROM messaging_chunk
WHERE batch_id = %s AND state <> 'done'
HAVING bool_and(state = 'ready' AND not_before > clock_timestamp() + interval '1 minute')
"""

_HALF_SQL = """
SELECT min(slot_at) FROM (
    SELECT slot_at, sum(sum(people)) OVER (ORDER BY slot_at) AS so_far,
        sum(sum(people)) OVER () AS whole
    FROM messaging_batchactivity WHERE batch_id = %s AND what = 'delivered'
    GROUP BY slot_at
) AS slots
WHERE whole > 0 AND so_far * 2 >= whole
"""


@dataclass(frozen=True, slots=True)
class Activity:
    """One slot of time: recipients whose delivery, first own click or first reply fell into it."""

    at: datetime
    delivered: int
    clicked: int
    replied: int


def activity_over_time(
    batch_ids: Sequence[int], *, zone: str, unit: Unit | None = None
) -> list[Activity]:
    """Deliveries, first clicks of people and first replies over time. At most two queries.

    Args:
        batch_ids: The batches, together.
        zone: Time zone whose hours and days the slots are.
        unit: Length of a slot; else the shortest that gives no more than ninety.

    Returns:
        Slots in which something happened, oldest first, `at` in `zone`; gaps are left out. By the
        minute in about the first three hours after a launch; later a quarter of an hour is kept as
        one, and stands at its beginning.
    """
    if not batch_ids:
        return []
    with connection.cursor() as cursor:
        if unit is None:
            cursor.execute(_SPAN_SQL, [list(batch_ids)])
            unit = _unit(*cursor.fetchone())
        cursor.execute(_SQL, {"unit": unit, "zone": zone, "batches": list(batch_ids)})
        rows = cursor.fetchall()
    local = ZoneInfo(zone)
    return [Activity(at.astimezone(local), *counts) for at, *counts in rows]


def half_delivered_after(batch_id: int, *, since: datetime) -> timedelta | None:
    """By how long after `since` half of a batch's deliveries had arrived; None without any.

    To the end of the slot it happened in (docs/adr/0014-activity-in-slots.md). One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HALF_SQL, [batch_id])
        (half,) = cursor.fetchone()
    if half is None:
        return None
    length = timedelta(minutes=1 if half - since < MINUTES_LAST else 15)
    return max(half + length - since, timedelta(minutes=1))


def _unit(first: datetime | None, last: datetime | None) -> Unit:
    if first is None or last is None:
        return "minute"
    span_s = (last - first).total_seconds()
    for unit in ("minute", "hour"):
        if span_s <= _MOST_SLOTS * _UNIT_S[unit]:
            return unit
    return "day"


def batch_waits_until(batch_id: int) -> datetime | None:
    """When the next texts of a running batch go, where all that are left have to wait.

    None where somebody can be texted now, or in less than a minute. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITS_SQL, [batch_id])
        row = cursor.fetchone()
    return row[0] if row else None
