"""The loop of a send process: window after window until there is nothing to do.

Owns one process' transport and the order claim, prepare, exchange, record. A process is never held
up by one sender: a dry bucket puts its lane off and the next lane is served.
"""

import logging
import time
from functools import lru_cache
from typing import Final

from django.conf import settings

from common.jobs import enqueue
from messaging import carrier_codes, rate
from messaging.errors import LimiterAway
from messaging.gateways.transport import Transport
from messaging.models import Batch
from messaging.sending.claim import claim, next_ready_in_s, put_off
from messaging.sending.exchange import Exchange
from messaging.sending.results import record
from messaging.sending.window import Prepared, Progress, prepare
from messaging.services.control import batch_pause

log = logging.getLogger(__name__)

# One task sends for at most so long, so that a worker that is told to stop does so soon.
_SHIFT_S: Final = 20.0
# Work that will be ready within this is waited for here; later work is a sweeper's.
_WAIT_S: Final = 1.0
_NAP_S: Final = 0.02
_UNREACHABLE_S: Final = 5.0


def drain(*, shift_s: float = _SHIFT_S) -> int:
    """Send until nothing is ready, or for `shift_s` seconds.

    Returns:
        How many requests were made.

    Side effects: hints to go on when the shift is over, and to finish batches.
    """
    limit = time.monotonic() + shift_s
    asked = 0
    try:
        while time.monotonic() < limit:
            made = serve_window()
            if made is None and not _wait(limit):
                break
            asked += made or 0
        else:
            enqueue("messaging.send_windows")
    except LimiterAway:
        log.warning("Redis does not answer: nothing is sent until it does")
    if asked:
        enqueue("messaging.finish_batches")
    return asked


def serve_window() -> int | None:
    """Claim one window and deal with it.

    Returns:
        How many requests were made; None when there was nothing to claim.

    Raises:
        LimiterAway: Redis does not answer; what was claimed was given back.
    """
    window = claim()
    if window is None:
        return None
    try:
        prepared = prepare(window)
    except LimiterAway:
        _give_back(Prepared(window, [Progress(lease) for lease in window.leases]))
        raise
    exchange = Exchange(prepared)
    exchange.run(_transport())
    record(exchange)
    _follow_up(exchange)
    return len(exchange.told)


def _give_back(prepared: Prepared) -> None:
    for progress in prepared.progress:
        progress.leave(progress.lease.first_no)
    record(Exchange(prepared))


def _follow_up(exchange: Exchange) -> None:
    """What the carrier's answers mean for the sender and the batch, after they are recorded."""
    rates = {
        progress.lease.batch.sender_id: progress.lease.batch.rate_per_s
        for progress in exchange.prepared.progress
    }
    for sender_id, share in exchange.throttled.items():
        rate.slow(sender_id=sender_id, rate_per_s=rates[sender_id], share=share)
    if exchange.unreachable:
        put_off([(sender_id, _UNREACHABLE_S) for sender_id in exchange.unreachable])
    for batch_id, result in exchange.stopped.items():
        explained = carrier_codes.explain(result.code)
        batch = Batch.objects.select_related("account").get(pk=batch_id)
        batch_pause(
            account=batch.account,
            actor=None,
            batch=batch,
            reason=f"{explained.meaning} {explained.advice} Then resume: what has not gone waits.",
        )


def _wait(limit: float) -> bool:
    """Wait a moment for work that is about to be ready; False when there is none soon."""
    ready_in_s = next_ready_in_s()
    if ready_in_s is None or ready_in_s > _WAIT_S:
        return False
    time.sleep(min(max(ready_in_s, _NAP_S), max(limit - time.monotonic(), 0.0)))
    return True


@lru_cache(maxsize=1)
def _transport() -> Transport:
    """This process' connections; made after the worker forked, kept for its life."""
    return Transport(
        concurrency=settings.SEND_CONCURRENCY, timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S
    )
