"""The queue of carrier events: taking from it and setting aside what cannot be applied.

Owns `CarrierEventQueue` and how an event ended. Events are taken by deleting their queue row inside
the transaction that applies it: a crash puts it back, a commit ends it, and no event is ever found
by "id above the last seen" (ids commit out of order).
"""

from django.db.backends.utils import CursorWrapper

from messaging.choices import EventEnd, EventKind
from messaging.models import CarrierEvent

# An error as staff read it; the column's width.
_ERROR_LENGTH = 300

# Rows of status callbacks looked at first: each holds what one commit of the edge stored, one event
# or two thousand. Of the others each holds one.
_LOOK = 64

# Looked-at rows beyond the limit stay, locked until the transaction ends.
_TAKE = """
WITH looked AS MATERIALIZED (
    SELECT id, cardinality(event_ids) AS size FROM messaging_carriereventqueue
    WHERE kind {} 'status' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), counted AS (
    SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM looked
)
DELETE FROM messaging_carriereventqueue
WHERE id = ANY (ARRAY(SELECT id FROM counted WHERE before < %s))
RETURNING id, kind, event_ids
"""
_PUT_BACK_REST = """
INSERT INTO messaging_carriereventqueue (id, kind, event_ids) VALUES (%s, %s, %s)
"""


class SetAside(Exception):
    """An event that must not take effect; the sentence is what staff are shown."""


def take(cursor: CursorWrapper, *, statuses: bool, limit: int) -> list[int]:
    """Take up to `limit` of the oldest events off the queue, oldest first.

    Args:
        cursor: Of the applying transaction.
        statuses: Status callbacks; else everything else (texts, clicks), which overtakes them.
        limit: The most to take. What a row holds beyond it stays in that row.

    Locks: the queue rows, skipping those another worker is applying.
    """
    taken: list[int] = []
    rows, look = 0, _LOOK if statuses else limit
    while len(taken) < limit:
        cursor.execute(_TAKE.format("=" if statuses else "<>"), [look, limit - len(taken)])
        found = sorted(cursor.fetchall())
        if not found:
            break
        taken += [event_id for _, _, event_ids in found for event_id in event_ids]
        rows += len(found)
        look = 1 + (limit - len(taken)) * rows // len(taken)
    if len(taken) > limit:
        row, kind, _ = found[-1]
        cursor.execute(_PUT_BACK_REST, [row, kind, taken[limit:]])
    return sorted(taken[:limit])


def put_back(cursor: CursorWrapper, events: list[int]) -> list[int]:
    """Return status callbacks to the queue, each in a row of its own; returns those rows."""
    cursor.execute(
        "INSERT INTO messaging_carriereventqueue (event_ids, kind) "
        "SELECT ARRAY[event_id], %s FROM unnest(%s) AS e(event_id) RETURNING id",
        [EventKind.STATUS, events],
    )
    return [row for (row,) in cursor.fetchall()]


def take_these(cursor: CursorWrapper, rows: list[int]) -> list[int]:
    """Take the events of those of `rows` that nobody else has taken meanwhile, oldest first.

    Locks: the queue rows, skipping those another worker is applying.
    """
    cursor.execute(
        """
        DELETE FROM messaging_carriereventqueue
        WHERE id = ANY (ARRAY(
            SELECT id FROM messaging_carriereventqueue
            WHERE id = ANY (%s) ORDER BY id FOR UPDATE SKIP LOCKED))
        RETURNING event_ids
        """,
        [rows],
    )
    return sorted(event_id for (event_ids,) in cursor.fetchall() for event_id in event_ids)


def set_aside(*, event_id: int, error: str) -> None:
    """Keep an event that could not be applied, with the reason staff are shown."""
    CarrierEvent.objects.filter(pk=event_id).update(
        ended=EventEnd.SET_ASIDE, error=error[:_ERROR_LENGTH]
    )
