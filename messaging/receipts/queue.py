"""The queue of carrier events: taking from it and setting aside what cannot be applied.

Owns `CarrierEventQueue` and how an event ended. An event is taken by deleting its queue row inside
the transaction that applies it: a crash puts it back, a commit ends it, and no event is ever found
by "id above the last seen" (ids commit out of order).
"""

from django.db.backends.utils import CursorWrapper

from messaging.choices import EventEnd, EventKind
from messaging.models import CarrierEvent

# An error as staff read it; the column's width.
_ERROR_LENGTH = 300


class SetAside(Exception):
    """An event that must not take effect; the sentence is what staff are shown."""


def take(cursor: CursorWrapper, *, statuses: bool, limit: int) -> list[int]:
    """Take up to `limit` of the oldest events off the queue, oldest first.

    Args:
        cursor: Of the applying transaction.
        statuses: Status callbacks; else everything else (texts, clicks), which overtakes them.
        limit: The most to take.

    Locks: the queue rows, skipping those another worker is applying.
    """
    cursor.execute(
        f"""
        DELETE FROM messaging_carriereventqueue
        WHERE event_id = ANY (ARRAY(
            SELECT event_id FROM messaging_carriereventqueue
            WHERE kind {"=" if statuses else "<>"} 'status'
            ORDER BY event_id LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING event_id
        """,
        [limit],
    )
    return sorted(event_id for (event_id,) in cursor.fetchall())


def put_back(cursor: CursorWrapper, events: list[int]) -> None:
    """Return status callbacks that were taken to the queue, for a transaction of their own."""
    cursor.execute(
        "INSERT INTO messaging_carriereventqueue (event_id, kind) "
        "SELECT event_id, %s FROM unnest(%s) AS e(event_id)",
        [EventKind.STATUS, events],
    )


def take_these(cursor: CursorWrapper, events: list[int]) -> list[int]:
    """Take those of `events` off the queue that nobody else has taken meanwhile, oldest first.

    Locks: the queue rows, skipping those another worker is applying.
    """
    cursor.execute(
        """
        DELETE FROM messaging_carriereventqueue
        WHERE event_id = ANY (ARRAY(
            SELECT event_id FROM messaging_carriereventqueue
            WHERE event_id = ANY (%s) ORDER BY event_id FOR UPDATE SKIP LOCKED))
        RETURNING event_id
        """,
        [events],
    )
    return sorted(event_id for (event_id,) in cursor.fetchall())


def set_aside(*, event_id: int, error: str) -> None:
    """Keep an event that could not be applied, with the reason staff are shown."""
    CarrierEvent.objects.filter(pk=event_id).update(
        ended=EventEnd.SET_ASIDE, error=error[:_ERROR_LENGTH]
    )
