"""A load generator: prebuilt HTTP requests over kept connections, as fast as they are answered, or
at a fixed rate whether they are answered or not.

Requests are bytes made beforehand, so that the generator costs as little as it can: on two cores it
shares them with what it measures. It runs in a process of its own.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import cast

import uvloop

_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Outcome:
    """What came of a load: answers of the expected status, others, seconds, latencies in ms."""

    answered: int
    other: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        """Expected answers a second."""
        return self.answered / self.seconds


def closed_loop(port: int, requests: Sequence[bytes], *, connections: int, expect: int) -> Outcome:
    """Send all requests, each connection its next as soon as the last is answered."""
    return _in_process(port, requests, connections, expect, 0.0)


def open_loop(
    port: int, requests: Sequence[bytes], *, connections: int, expect: int, rate: float
) -> Outcome:
    """Send at `rate` a second; latency counts from when a request was due, not when it left."""
    return _in_process(port, requests, connections, expect, rate)


def _in_process(
    port: int, requests: Sequence[bytes], connections: int, expect: int, rate: float
) -> Outcome:
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        return pool.submit(_run, port, requests, connections, expect, rate).result()


def _run(
    port: int, requests: Sequence[bytes], connections: int, expect: int, rate: float
) -> Outcome:
    return uvloop.run(_Load(port, requests, connections, expect, rate).run())


class _Load:
    def __init__(
        self, port: int, requests: Sequence[bytes], connections: int, expect: int, rate: float
    ) -> None:
        self.port = port
        self.requests = requests
        self.connections = connections
        self.expected = b"%d" % expect
        self.rate = rate
        self.next = 0
        self.took_ms: list[float] = []
        self.other = 0
        self.idle: list[_Connection] = []
        self.began = 0.0
        self.done = asyncio.Event()

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(self.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self.port
            )
            self.idle.append(connection)
        self.began = time.perf_counter()
        if self.rate:
            await self._keep_rate()
        else:
            for connection in self.idle:
                self.give(connection)
        await self.done.wait()
        seconds = time.perf_counter() - self.began
        took = sorted(self.took_ms)
        return Outcome(len(took), self.other, seconds, _share(took, 0.5), _share(took, 0.99))

    async def _keep_rate(self) -> None:
        while self.next < len(self.requests):
            due = min(int((time.perf_counter() - self.began) * self.rate), len(self.requests))
            while self.next < due and self.idle:
                self.send(self.idle.pop())
            await asyncio.sleep(0.001)  # uvloop's shortest: anything below spins

    def give(self, connection: "_Connection") -> None:
        """A connection is free."""
        if self.rate:
            self.idle.append(connection)
            if self.next < (time.perf_counter() - self.began) * self.rate:
                self.send(self.idle.pop())
        elif self.next < len(self.requests):
            self.send(connection)

    def send(self, connection: "_Connection") -> None:
        if self.next >= len(self.requests):
            return
        number = self.next
        self.next += 1
        due = self.began + number / self.rate if self.rate else time.perf_counter()
        connection.send(self.requests[number], due)

    def answered(self, connection: "_Connection", data: bytes, due: float) -> None:
        if data[9:12] == self.expected:
            self.took_ms.append((time.perf_counter() - due) * 1000)
        else:
            self.other += 1
        if len(self.took_ms) + self.other == len(self.requests):
            self.done.set()
        else:
            self.give(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._due = 0.0
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        if not held.endswith(_END):  # answers of these benchmarks have no body
            self._held = held
            return
        self._held = b""
        self._load.answered(self, held, self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._load.done.is_set():
            self._load.other += 1


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(len(ordered) * share) - 1] if ordered else math.nan
