"""The overlap of a process' windows on one transport.

While requests of one window are in flight the next is claimed and the last is recorded, each in a
thread of its own, so that neither the carrier nor PostgreSQL is waited for. A request that hangs
holds up its own window only. What a window is, and what becomes of it, is `drain`'s.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from messaging.errors import LimiterAway
from messaging.gateways.base import Answer, Endpoint
from messaging.gateways.transport import Transport
from messaging.sending.exchange import Exchange
from messaging.sending.lanes import next_ready_in_s
from messaging.sending.window import Prepared

log = logging.getLogger(__name__)

# Work that will be ready within this is waited for here; later work is a sweeper's.
_WAIT_S: Final = 1.0
_NAP_S: Final = 0.02
# How long to wait for the network while a claim may come back any moment.
_POLL_S: Final = 0.002
# Windows that may be open (waiting for a slow answer) or unrecorded at once: this bounds memory.
_WINDOWS: Final = 8
_UNRECORDED: Final = 3
# A window of at most so many texts goes ahead of what is claimed but not yet started, which it
# delays by milliseconds. None is passed for ever: while enough waits to start nothing is claimed.
_SMALL: Final = 100
# The next window is claimed when what is left to start lasts for less than this.
_AHEAD_S: Final = 0.05


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
        self,
        transport: Transport,
        *,
        claim: Callable[[], "Future[Prepared | None]"],
        record: Callable[[Exchange], "Future[int]"],
        until: float,
    ) -> None:
        """Start nothing yet.

        Args:
            transport: Makes the requests.
            claim: Has the next window claimed and made ready; None where there is none.
            record: Has a window recorded; tells how many requests were made.
            until: No window is claimed after this `time.monotonic()`.
        """
        self.asked = 0
        self.is_unfinished = False
        self._transport = transport
        self._claim, self._record = claim, record
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
            self._claiming.append(self._claim())
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
            self._recording.append(self._record(one.exchange))

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
