"""Two transactions at once, on connections of their own, one held where the other must meet it."""

import threading
import time
from collections.abc import Callable, Sequence

from django.db import connection, transaction

from messaging.models import Message

_WITHIN_S = 120


def in_thread(act: Callable[[], object]) -> threading.Thread:
    """Start `act` in a thread with a database connection of its own, closed at its end."""

    def acting() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=acting)
    thread.start()
    return thread


def wait_for_lock_waits(sessions: int, *, or_ended: threading.Thread | None = None) -> None:
    """Return when so many sessions of this database wait for a lock, or the thread has ended."""
    end = time.monotonic() + _WITHIN_S
    waiting = 0
    while waiting < sessions and (or_ended is None or or_ended.is_alive()):
        assert time.monotonic() < end, f"{waiting} sessions wait for a lock"
        time.sleep(0.02)
        with connection.cursor() as cursor:
            # A transaction goes on seeing who was there when it first looked.
            cursor.execute(
                "SELECT pg_stat_clear_snapshot(); SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            (waiting,) = cursor.fetchone()


def lie_out_of_order(messages: Sequence[Message]) -> None:
    """Write the first anew: it lies behind the last, and a scan, cheap now, meets it later."""
    Message.objects.filter(pk=messages[0].pk).update(clicks=0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message")


def assert_locks_by_id(act: Callable[[], object], messages: Sequence[Message]) -> None:
    """While somebody holds the first message, `act` waits for it and holds not the last."""
    lie_out_of_order(messages)
    rows = Message.objects.select_for_update(no_key=True, skip_locked=True)
    with transaction.atomic():
        rows.get(pk=messages[0].pk)
        acting = in_thread(act)
        wait_for_lock_waits(1, or_ended=acting)
        is_waiting = acting.is_alive()
        free = list(rows.filter(pk=messages[-1].pk).values_list("pk", flat=True))
    acting.join()
    assert (is_waiting, free) == (True, [messages[-1].pk])
