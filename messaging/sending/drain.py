"""The loop of a send process: windows one after another until there is nothing to do.

Owns a window's way from the claim to what its answers mean for senders and batches, and the
process' transport and threads. How windows overlap is `pump`'s.
"""

import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import lru_cache, wraps
from typing import Any, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection
from django.db.utils import InterfaceError, OperationalError

from common.garbage import collect_rarely
from common.jobs import enqueue
from messaging import carrier_codes, rate
from messaging.choices import BatchState
from messaging.errors import BatchOver, LimiterAway
from messaging.gateways.transport import Transport
from messaging.models import Batch
from messaging.sending.claim import claim
from messaging.sending.exchange import Exchange
from messaging.sending.lanes import put_off
from messaging.sending.pump import Pump
from messaging.sending.results import record
from messaging.sending.window import Prepared, Progress, prepare
from messaging.services.control import batch_pause

log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")

# One task sends for at most so long, so that a worker that is told to stop does so soon.
_SHIFT_S: Final = 20.0
_UNREACHABLE_S: Final = 5.0
# Staff put a log-in or a number right; until then every text from it is turned away alike.
_BARRED_S: Final = 60.0
# A thread that has its answer from PostgreSQL waits at most so long until the one that makes the
# requests lets it go on; Python's own 5 ms, a dozen times for each window, would be what is waited
# for most.
_SWITCH_S: Final = 0.0005


def drain(*, shift_s: float = _SHIFT_S, overlap: bool = False) -> int:
    """Send until nothing is ready, or for `shift_s` seconds.

    Args:
        shift_s: No window is claimed after so long.
        overlap: Claim and record in threads while requests are in flight.

    Returns:
        How many requests were made.

    Side effects: hints to go on when the shift is over, and to finish batches.
    """
    claimer: Executor = _threads("claim", 2) if overlap else Inline()
    recorder: Executor = _threads("record", 2) if overlap else Inline()
    if overlap:
        _tune_process()
    pump = Pump(
        _transport(),
        claim=lambda: claimer.submit(_next),
        record=lambda exchange: recorder.submit(_finish, exchange),
        until=time.monotonic() + shift_s,
    )
    asked = pump.run()
    if pump.is_unfinished:
        enqueue("messaging.send_windows")
    if asked:
        enqueue("messaging.finish_batches")
    return asked


def serve_window() -> int | None:
    """Claim one window and deal with it, nothing overlapping.

    Returns:
        How many requests were made; None when there was nothing to claim.

    Raises:
        LimiterAway: Redis does not answer; what was claimed was given back.
    """
    prepared = _next()
    if prepared is None:
        return None
    exchange = Exchange(prepared)
    exchange.run(_transport())
    _finish(exchange)
    return len(exchange.told)


class Inline(Executor):
    """Runs what it is given at once, in the caller's thread and database connection."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run `fn`; its error is kept in the future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on by future.result()
            future.set_exception(error)
        return future


def _connected(act: Callable[P, T]) -> Callable[P, T]:
    """`act`, leaving its thread's database connection as a finished request or task would.

    One that turned out to be dead is given up, so that the next is new; Celery does so between
    tasks for its own thread only.
    """

    @wraps(act)
    def acting(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return act(*args, **kwargs)
        except (OperationalError, InterfaceError):
            connection.close()
            raise
        finally:
            # With DEBUG Django remembers 9,000 statements, of which a window's have 100 kB each.
            connection.queries_log.clear()

    return acting


@_connected
def _next() -> Prepared | None:
    """Claim a window and make it ready.

    Raises:
        LimiterAway: Redis does not answer; what was claimed was given back.
        OperationalError, InterfaceError: nor does PostgreSQL; likewise, once it was there again.
    """
    window = claim()
    if window is None:
        return None
    try:
        return prepare(window)
    except (LimiterAway, OperationalError, InterfaceError):
        # Nobody was asked for, so nobody is in doubt.
        unsent = Prepared(window, [Progress(lease) for lease in window.leases])
        for progress in unsent.progress:
            progress.leave(progress.lease.first_no)
        record(Exchange(unsent))
        raise


@_connected
def _finish(exchange: Exchange) -> int:
    """Record a window, then act on what the answers mean for senders and batches."""
    record(exchange)
    try:
        _follow_up(exchange)
    except LimiterAway:
        log.warning("Redis does not answer: a sender was not slowed down")
    return len(exchange.told)


def _follow_up(exchange: Exchange) -> None:
    batches = [progress.lease.batch for progress in exchange.prepared.progress]
    rates = {batch.sender_id: batch.rate_per_s for batch in batches}
    for sender_id, share in exchange.throttled.items():
        rate.slow(sender_id=sender_id, rate_per_s=rates[sender_id], share=share)
    waits = dict.fromkeys(exchange.unreachable, _UNREACHABLE_S)
    waits |= dict.fromkeys(exchange.barred, _BARRED_S)
    if waits:
        put_off(list(waits.items()))
    for batch_id, result in exchange.stopped.items():
        explained = carrier_codes.explain(result.code)
        _stop(
            batch_id,
            f"{explained.meaning} {explained.advice} Then resume: what has not gone waits.",
        )
    for batch_id, room in exchange.prepared.window.rooms.over.items():
        _stop(batch_id, room.sentence())


def _stop(batch_id: int, reason: str) -> None:
    """Pause a blast that cannot go on until somebody puts something right."""
    batch = Batch.objects.select_related("account").get(pk=batch_id)
    if batch.state != BatchState.RUNNING:
        return
    try:
        batch_pause(
            account=batch.account,
            actor=None,
            batch=batch,
            reason=reason,
        )
    except BatchOver:
        log.info("batch %s ended while it was being paused", batch_id)


@lru_cache(maxsize=1)
def _tune_process() -> None:
    """Make this process one that sends: once, for its life."""
    sys.setswitchinterval(_SWITCH_S)
    collect_rarely()


@lru_cache(maxsize=1)
def _transport() -> Transport:
    """This process' connections; made after the worker forked, kept for its life."""
    return Transport(
        concurrency=settings.SEND_CONCURRENCY, timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S
    )


@lru_cache(maxsize=2)
def _threads(name: str, size: int) -> ThreadPoolExecutor:
    """Threads for `name`, each with a database connection of its own, for the process' life."""
    return ThreadPoolExecutor(size, thread_name_prefix=name)
