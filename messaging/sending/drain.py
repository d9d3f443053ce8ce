"""The loop of a send process: windows one after another until there is nothing to do.

Owns one process' transport and the overlap of its windows: while requests of one are in flight the
next is claimed and the last is recorded, each in a thread of its own, so that neither the carrier
nor PostgreSQL is waited for. A request that hangs holds up its own window only, and a dry sender
holds up nobody: its lane is put off and the next is served.
"""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
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
from messaging.gateways.base import Answer, Endpoint
from messaging.gateways.transport import Transport
from messaging.models import Batch
from messaging.sending.claim import claim, next_ready_in_s, put_off
from messaging.sending.exchange import Exchange
from messaging.sending.results import record
from messaging.sending.window import Prepared, Progress, prepare
from messaging.services.control import batch_pause

log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")

# One task sends for at most so long, so that a worker that is told to stop does so soon.
_SHIFT_S: Final = 20.0
# Work that will be ready within this is waited for here; later work is a sweeper's.
_WAIT_S: Final = 1.0
_NAP_S: Final = 0.02
# How long to wait for the network while a claim may come back any moment.
_POLL_S: Final = 0.002
_UNREACHABLE_S: Final = 5.0
# Windows that may be open (waiting for a slow answer) or unrecorded at once: this bounds memory.
_WINDOWS: Final = 8
_UNRECORDED: Final = 3
# A thread that has its answer from PostgreSQL waits at most so long until the one that makes the
# requests lets it go on; Python's own 5 ms, a dozen times for each window, would be what is waited
# for most.
_SWITCH_S: Final = 0.0005
# A window of at most so many texts goes ahead of what is claimed but not yet started, which it
# delays by milliseconds. None is passed for ever: while enough waits to start nothing is claimed.
_SMALL: Final = 100
# The next window is claimed when what is left to start lasts for less than this.
_AHEAD_S: Final = 0.05


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
    pump = Pump(_transport(), claimer, recorder, until=time.monotonic() + shift_s)
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


@dataclass(slots=True, eq=False)
class _Open:
    """A window whose requests are being made."""

    exchange: Exchange
    requests: Iterator[tuple[int, Endpoint, bytes]]
    started: int = 0
    unanswered: int = 0

    def answered(self, place: int, answer: Answer, started: float, ended: float) -> None:
        self.unanswered -= 1
        self.exchange.answered(place, answer, started, ended)


class Pump:
    """Keeps one transport busy: claims ahead, starts requests as connections are free, records.

    Attributes:
        asked: Requests made and recorded.
        is_unfinished: Whether it stopped because its time was over, not for want of work.
    """

    def __init__(
        self, transport: Transport, claimer: Executor, recorder: Executor, *, until: float
    ) -> None:
        """Start nothing yet. `until` is a `time.monotonic()`."""
        self.asked = 0
        self.is_unfinished = False
        self._transport = transport
        self._claimer, self._recorder = claimer, recorder
        self._until = until
        self._claiming: list[Future[Prepared | None]] = []
        self._claim_at = 0.0
        self._is_closing = False
        self._failure: Exception | None = None
        # A window goes from one to the next: requests to start, answers to come, to be recorded.
        self._starting: deque[_Open] = deque()
        self._started: list[_Open] = []
        self._recording: list[Future[int]] = []
        self._speed = _Speed()

    def run(self) -> int:
        """Work until there is none or the time is over; everything claimed is recorded.

        Returns:
            How many requests were made.

        Raises:
            Exception: what a claim or a recording failed with; everything else was ended first.
        """
        try:
            while self._step():
                pass
        except BaseException:
            # What is in flight is left to its leases: it will be judged.
            self._transport.abandon()
            raise
        if self._failure:
            raise self._failure
        return self.asked

    def _step(self) -> bool:
        self._gather()
        if self._may_claim():
            self._claiming.append(self._claimer.submit(_next))
            self._gather()
        self._start()
        if self._transport.in_flight:
            self._speed.count(self._transport.poll(_POLL_S if self._claiming else _NAP_S))
        self._close()
        return bool(self._transport.in_flight or self._starting) or self._rest()

    def _may_claim(self) -> bool:
        # Two at once only while there is nothing to do meanwhile.
        if len(self._claiming) > (not self._starting) or self._is_closing:
            return False
        if time.monotonic() < self._claim_at:
            return False
        if len(self._starting) + len(self._started) >= _WINDOWS:
            return False
        if len(self._recording) >= _UNRECORDED:
            return False
        if time.monotonic() > self._until:
            self._is_closing = self.is_unfinished = True
            return False
        waiting = sum(len(one.exchange.prepared.sends) - one.started for one in self._starting)
        ahead = max(settings.SEND_CONCURRENCY, int(self._speed.per_s * _AHEAD_S))
        return waiting < min(ahead, settings.SEND_WINDOW)

    def _gather(self) -> None:
        """Take up what the threads have done. After a failure nothing more is claimed."""
        for recorded in [one for one in self._recording if one.done()]:
            self._recording.remove(recorded)
            self._claim_at = 0.0  # a chunk came back
            if not self._failed(recorded):
                self.asked += recorded.result()
        for claimed in [one for one in self._claiming if one.done()]:
            self._claiming.remove(claimed)
            if self._failed(claimed):
                continue
            prepared = claimed.result()
            if prepared is None:
                self._claim_at = time.monotonic() + _NAP_S
            else:
                exchange = Exchange(prepared)
                opened = _Open(exchange, exchange.begin())
                if len(prepared.sends) <= _SMALL:
                    self._starting.appendleft(opened)
                else:
                    self._starting.append(opened)

    def _failed(self, future: "Future[Any]") -> bool:
        error = future.exception()
        if error is None:
            return False
        self._is_closing = True
        if isinstance(error, LimiterAway):
            log.warning("Redis does not answer: nothing is sent until it does")
        elif isinstance(error, Exception):
            self._failure = self._failure or error
        return True

    def _start(self) -> None:
        transport = self._transport
        while self._starting and transport.room:
            one = self._starting[0]
            request = next(one.requests, None)
            if request is None:
                self._started.append(self._starting.popleft())
                continue
            one.started += 1
            one.unanswered += 1
            transport.start(one.answered, *request)

    def _close(self) -> None:
        """Record the windows that have all their answers."""
        over = [one for one in self._started if not one.unanswered]
        for one in over:
            self._started.remove(one)
            self._recording.append(self._recorder.submit(_finish, one.exchange))

    def _rest(self) -> bool:
        """Nothing is in flight: wait for the threads, or for work that is nearly ready."""
        pending: set[Future[Any]] = {*self._recording, *self._claiming}
        if pending:
            wait(pending, return_when=FIRST_COMPLETED)
            return True
        if self._is_closing:
            return False
        if time.monotonic() < self._claim_at:
            ready_in_s = next_ready_in_s()
            if ready_in_s is None or ready_in_s > _WAIT_S:
                return False
            left_s = max(self._until - time.monotonic(), 0.0)
            time.sleep(min(max(ready_in_s, _NAP_S), left_s))
        return True


class _Speed:
    """Requests answered per second, lately."""

    def __init__(self) -> None:
        self.per_s = 0.0
        self._since, self._answered = time.monotonic(), 0

    def count(self, answered: int) -> None:
        self._answered += answered
        elapsed = time.monotonic() - self._since
        if elapsed > 0.2:
            self.per_s = self._answered / elapsed
            self._since, self._answered = time.monotonic(), 0


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
    """
    window = claim()
    if window is None:
        return None
    try:
        return prepare(window)
    except LimiterAway:
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
    if exchange.unreachable:
        put_off([(sender_id, _UNREACHABLE_S) for sender_id in exchange.unreachable])
    for batch_id, result in exchange.stopped.items():
        explained = carrier_codes.explain(result.code)
        _stop(
            batch_id,
            f"{explained.meaning} {explained.advice} Then resume: what has not gone waits.",
        )
    for batch_id, room in exchange.prepared.window.rooms.over.items():
        _stop(batch_id, room.sentence())


def _stop(batch_id: int, reason: str) -> None:
    """Pause a batch that cannot go on until somebody puts something right."""
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
