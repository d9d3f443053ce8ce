"""Does things later: a heap of 10 ms ticks, each a plain list of (function, message, extra).

One timer of the event loop for everything outstanding, instead of a task or timer a message: a
million outstanding events are a million small tuples.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Any

from carriersim.store import Message

Action = Callable[[Message, Any], None]
_TICKS_PER_S = 100


class Scheduler:
    """Runs actions at wall-clock times, in order of time to 10 ms, first come first."""

    def __init__(self) -> None:
        self._ticks: dict[int, list[tuple[Action, Message, Any]]] = {}
        self._heap: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0
        self.waiting = 0

    def at(self, when: float, action: Action, message: Message, extra: Any = None) -> None:
        """Call `action(message, extra)` at a unix time, or as soon as possible if it has passed."""
        tick = int(when * _TICKS_PER_S) + 1
        events = self._ticks.get(tick)
        if events is None:
            events = self._ticks[tick] = []
            heapq.heappush(self._heap, tick)
            if self._timer is None or tick < self._timer_tick:
                self._set_timer()
        events.append((action, message, extra))
        self.waiting += 1

    def run_all(self) -> None:
        """Run everything that is waiting now, in order of its time."""
        self._run_until(max(self._heap, default=0))

    def clear(self) -> None:
        """Forget everything that is waiting."""
        self._ticks.clear()
        self._heap.clear()
        self.waiting = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = self._heap[0]
        delay_s = self._timer_tick / _TICKS_PER_S - time.time()
        self._timer = asyncio.get_running_loop().call_later(max(delay_s, 0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._run_until(int(time.time() * _TICKS_PER_S))
        if self._heap and self._timer is None:
            self._set_timer()

    def _run_until(self, last_tick: int) -> None:
        while self._heap and self._heap[0] <= last_tick:
            events = self._ticks.pop(heapq.heappop(self._heap))
            self.waiting -= len(events)
            for action, message, extra in events:
                action(message, extra)
