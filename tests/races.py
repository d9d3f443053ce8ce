"""Two transactions at once, on connections of their own, one held where the other must meet it."""

import threading
import time
from collections.abc import Callable

from django.db import connection

_WITHIN_S = 30


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
