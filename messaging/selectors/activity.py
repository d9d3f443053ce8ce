"""What happened when: deliveries, clicks and replies over time, for the pictures of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import connection

Unit = Literal["minute", "hour", "day"]

# Ninety bars is what a chart shows without crowding.
_MOST_SLOTS = 90
_UNIT_S: dict[Unit, int] = {"minute": 60, "hour": 3600, "day": 86_400}

_SQL = """
SELECT slot, sum(delivered)::bigint, sum(clicked)::bigint, sum(replied)::bigint
FROM (
    SELECT date_trunc(%(unit)s, final_at, %(zone)s) AS slot,
        count(*) AS delivered, 0 AS clicked, 0 AS replied
    FROM messaging_message WHERE batch_id = ANY(%(batches)s) AND state = 'delivered'
    GROUP BY 1
    UNION ALL
    SELECT date_trunc(%(unit)s, human_click_at, %(zone)s), 0, count(*), 0
    FROM messaging_message WHERE batch_id = ANY(%(batches)s) AND human_click_at IS NOT NULL
    GROUP BY 1
    UNION ALL
    SELECT date_trunc(%(unit)s, replied_at, %(zone)s), 0, 0, count(*)
    FROM messaging_message WHERE batch_id = ANY(%(batches)s) AND replied_at IS NOT NULL
    GROUP BY 1
) AS happened
WHERE slot IS NOT NULL
GROUP BY slot ORDER BY slot
"""

_SPAN_SQL = """
SELECT min(b.launched_at), max(greatest(m.final_at, m.human_click_at, m.replied_at))
FROM messaging_batch b JOIN messaging_message m ON m.batch_id = b.id
WHERE b.id = ANY(%s)
"""

_WAITS_SQL = """
SELECT min(not_before) FROM messaging_chunk
WHERE batch_id = %s AND state <> 'done'
HAVING bool_and(state = 'ready' AND not_before > clock_timestamp() + interval '1 minute')
"""

_HALF_SQL = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY final_at)
FROM messaging_message WHERE batch_id = %s AND state = 'delivered' AND final_at IS NOT NULL
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
        Slots in which something happened, oldest first, `at` in `zone`; gaps are left out.
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
    """How long after `since` half of a batch's deliveries had arrived; None without any.

    Reads all messages of the batch: for batches of up to some 100,000. One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HALF_SQL, [batch_id])
        (half,) = cursor.fetchone()
    return None if half is None else max(half - since, timedelta())


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
