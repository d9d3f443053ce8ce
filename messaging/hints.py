"""Hints to the send queue that there is work. A lost one costs two seconds (the sweeper's).

Owns how many hints a new piece of work is worth. One hint keeps one worker process sending until
nothing is left, so more are only of use to bring in more processes.
"""

from typing import Final

from common.jobs import enqueue

_MOST: Final = 8


def hint_send(*, windows: int = 1) -> None:
    """Wake up to `windows` idle send processes once the current transaction is committed."""
    for _ in range(min(windows, _MOST)):
        enqueue("messaging.send_windows")
