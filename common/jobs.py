"""Enqueueing by registered name, after commit.

Owns the one way services ask for background work. A task in the broker is a hint: when Redis is
away the hint is lost, logged, and a sweeper finds the work in PostgreSQL (see the beat timetable).
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def enqueue(task_name: str, *args: Any, countdown_s: float | None = None) -> None:
    """Hint that `task_name` has work, once the current transaction is committed.

    Args:
        task_name: A registered task name (`tests/contracts` checks that each exists).
        args: JSON-serialisable ids.
        countdown_s: Earliest start, in seconds from now.

    Side effects:
        One message to the broker; a lost broker is logged, never raised.
    """
    transaction.on_commit(lambda: _send(task_name, args, countdown_s))


def _send(task_name: str, args: tuple[Any, ...], countdown_s: float | None) -> None:
    try:
        current_app.send_task(task_name, args=args, countdown=countdown_s, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("hint %s%s lost, a sweeper will find the work: %s", task_name, args, error)
