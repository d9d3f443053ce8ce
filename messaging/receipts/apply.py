"""Applying what waits: texts first, then status callbacks, until nothing waits.

Owns the order and the time one task may take. Any number of workers may do this at once; hits are
judged by one of them at a time.
"""

import logging
import time
from collections.abc import Callable

from django.db import OperationalError

from common.jobs import enqueue
from messaging.receipts.clicks import clicks_apply
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next

log = logging.getLogger(__name__)

# A worker process gives its place to other work now and then.
TASK_S = 20.0
# Two workers may choose each other's locks; one of them is told to try again.
_TRIES = 3


def events_apply() -> int:
    """Apply queued events until none is left, or for TASK_S. Returns how many were applied.

    Side effects: asks for itself again when time was up.
    """
    until_s = time.monotonic() + TASK_S
    applied = 0
    while time.monotonic() < until_s:
        if _retrying(text_apply_next):
            applied += 1
            continue
        statuses = _retrying(statuses_apply)
        applied += statuses
        if not statuses:
            return applied
    enqueue("messaging.apply_events")
    return applied


def clicks_apply_all() -> int:
    """Judge pending hits until none is left, or for TASK_S. Returns how many were judged.

    Side effects: asks for itself again when time was up.
    """
    until_s = time.monotonic() + TASK_S
    judged = 0
    while time.monotonic() < until_s:
        step = _retrying(clicks_apply)
        judged += step
        if not step:
            return judged
    enqueue("messaging.apply_clicks")
    return judged


def _retrying(act: Callable[[], int]) -> int:
    for _ in range(_TRIES - 1):
        try:
            return act()
        except OperationalError as error:
            log.warning("%s is tried again: %s", act.__name__, error)
    return act()
