"""A small HTTP/1.1 client: kept-alive connections, callbacks instead of futures, a bounded number
in flight.

Written for one job, many small requests to few hosts from the server's own event loop; measured in
docs/carriersim.md against what a general client manages. Redirects are answers, not followed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

_MOST_BODY_BYTES = 1 << 20
_SWEEP_S = 0.1


@dataclass(slots=True, frozen=True)
class Origin:
    """Where a connection goes."""

    scheme: str
    host: str
    port: int


@dataclass(slots=True, frozen=True)
class Answer:
    """What came of a request.

    Attributes:
        status: the HTTP status, 0 for none.
        body: the answer's body.
        failure: `ct` (no connection), `rt` (no whole answer), or empty.
    """

    status: int
    body: bytes
    failure: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


@dataclass(slots=True, eq=False)
class Request:
    """One request as bytes. `done` is called exactly once, in the event loop."""

    origin: Origin
    data: bytes
    done: Callable[[Answer], None]
    connect_s: float = 5.0
    read_s: float = 15.0
    is_head: bool = False
    deadline: float = 0.0


class BadURL(ValueError):
    """Not an http address that can be asked."""


@lru_cache(maxsize=256)
def _origin(scheme: str, netloc: str) -> tuple[Origin, str]:
    parts = urlsplit(f"{scheme}://{netloc}")
    try:
        port = parts.port or (443 if scheme == "https" else 80)
    except ValueError as error:
        raise BadURL(netloc) from error
    if scheme not in ("http", "https") or not parts.hostname:
        raise BadURL(f"{scheme}://{netloc}")
    return Origin(scheme, parts.hostname, port), netloc.rpartition("@")[2]


def target(url: str) -> tuple[Origin, str, str]:
    """(origin, Host header, path with query) of an address without fragment.

    Raises:
        BadURL: it is not an http address.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not url.isascii() or any(char in url for char in " \r\n"):
        raise BadURL(url)
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    origin, host = _origin(scheme, rest[:cut])
    path = rest[cut:]
    return origin, host, path if path.startswith("/") else f"/{path}"


class Client:
    """Sends requests over kept-alive connections, one request at a time on each."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._idle: dict[Origin, list[_Connection]] = {}
        self._busy: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    def send(self, request: Request) -> None:
        """Start a request; its `done` gets the answer."""
        self.in_flight += 1
        idle = self._idle.get(request.origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                self._start(connection, request)
                return
        self._connect(request)

    def close(self) -> None:
        """Drop all connections without answers."""
        for task in self._connecting:
            task.cancel()
        for connection in [*self._busy, *(one for idle in self._idle.values() for one in idle)]:
            connection.request = None
            connection.close()
        self._idle.clear()
        self._busy.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def finish(self, request: Request, answer: Answer) -> None:
        """Hand the answer on (for connections)."""
        self.in_flight -= 1
        request.done(answer)

    def release(self, connection: _Connection, *, reusable: bool) -> None:
        """Take a connection back (for connections)."""
        self._busy.discard(connection)
        if reusable:
            self._idle.setdefault(connection.origin, []).append(connection)
        else:
            connection.close()

    def retry(self, request: Request) -> None:
        """Send again what a stale kept-alive connection swallowed (for connections)."""
        self._connect(request)

    def _start(self, connection: _Connection, request: Request) -> None:
        self._busy.add(connection)
        request.deadline = time.monotonic() + request.read_s
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        connection.begin(request)

    def _connect(self, request: Request) -> None:
        task = asyncio.get_running_loop().create_task(self._open(request))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _open(self, request: Request) -> None:
        origin = request.origin
        if origin.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(request.connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self, origin),
                    origin.host,
                    origin.port,
                    ssl=self._tls if origin.scheme == "https" else None,
                )
        except (OSError, TimeoutError):
            self.finish(request, Answer(0, b"", "ct"))
            return
        self._start(connection, request)

    def _sweep(self) -> None:
        """Give up on requests past their deadline; one timer for all of them."""
        now = time.monotonic()
        for connection in [one for one in self._busy if one.request and one.request.deadline < now]:
            connection.fail()
        self._sweeper = None
        if self._busy:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)


class _Connection(asyncio.Protocol):
    """One connection; reads answers with Content-Length, chunked, or ended by closing."""

    def __init__(self, client: Client, origin: Origin) -> None:
        self.origin = origin
        self.request: Request | None = None
        self.is_open = False
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def begin(self, request: Request) -> None:
        """Write a request."""
        self.request = request
        self._buffer = b""
        assert self._transport is not None
        self._transport.write(request.data)

    def data_received(self, data: bytes) -> None:
        if self.request is None:
            self.close()
            return
        self._buffer = self._buffer + data if self._buffer else data
        self._read(ended=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        request = self.request
        if request is None:
            return
        if self._buffer:
            self._read(ended=True)
        elif self._used:
            # The server closed the idle connection as we wrote: nothing was read, so ask again.
            self.request = None
            self._client.release(self, reusable=False)
            self._client.retry(request)
        else:
            self.fail()

    def fail(self) -> None:
        """End the running request without an answer."""
        request, self.request = self.request, None
        self._client.release(self, reusable=False)
        if request is not None:
            self._client.finish(request, Answer(0, b"", "rt"))

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def _read(self, *, ended: bool) -> None:
        """Look whether the buffer holds a whole answer, and hand it on."""
        request, buffer = self.request, self._buffer
        assert request is not None
        head_end = buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if ended or len(buffer) > _MOST_BODY_BYTES:
                self.fail()
            return
        try:
            status = int(buffer[9:12])
            head = buffer[:head_end].lower()
            if 100 <= status < 200:
                self._buffer = buffer[head_end + 4 :]
                if self._buffer or ended:
                    self._read(ended=ended)
                return
            body = self._body(head, buffer, head_end + 4, status, request.is_head, ended)
        except ValueError:
            self.fail()
            return
        if body is None:
            if ended or len(buffer) > _MOST_BODY_BYTES:
                self.fail()
            return
        self.request = None
        self._used = True
        keep = self.is_open and buffer[:8] == b"HTTP/1.1" and b"\r\nconnection: close" not in head
        self._client.release(self, reusable=keep)
        self._client.finish(request, Answer(status, body))

    @staticmethod
    def _body(
        head: bytes, buffer: bytes, start: int, status: int, is_head: bool, ended: bool
    ) -> bytes | None:
        """The whole body, or None while some of it is missing."""
        if is_head or status in (204, 304):
            return b""
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            end = head.find(b"\r\n", at + 2)
            length = int(head[at + 17 : end if end >= 0 else None])
            return buffer[start : start + length] if len(buffer) - start >= length else None
        if b"\r\ntransfer-encoding: chunked" in head:
            return _unchunked(buffer, start)
        return buffer[start:] if ended else None


def _unchunked(buffer: bytes, start: int) -> bytes | None:
    """The body of a chunked answer, or None while some of it is missing."""
    parts: list[bytes] = []
    while True:
        line_end = buffer.find(b"\r\n", start)
        if line_end < 0:
            return None
        size = int(buffer[start:line_end].split(b";")[0], 16)
        start = line_end + 2
        if size == 0:
            return b"".join(parts) if buffer.endswith(b"\r\n\r\n") else None
        if len(buffer) < start + size + 2:
            return None
        parts.append(buffer[start : start + size])
        start += size + 2
