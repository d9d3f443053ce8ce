"""Many HTTP requests at once over kept connections, by libcurl's multi interface.

Owns connections and time limits; knows nothing of carriers or messages. One process keeps one
`Transport` for its life, so that connections stay open from window to window.

Two properties matter more than speed:

- **A request is written at most once.** libcurl by itself repeats a request, also a POST, when a
  kept connection closes before the first byte of the answer ("Connection died, retrying a fresh
  connect"): a carrier that took the message and then dropped the connection would get it twice.
  The body is therefore handed over by a read callback that cannot be rewound; libcurl then gives
  up with CURLE_SEND_FAIL_REWIND and the outcome is unknown. A GET has no body: where a
  second one would be billed, no connection is kept (`keeps_connections`), and only on kept ones
  is a request repeated. (tests/messaging/test_transport.py)
- **It is known whether anything was written.** Only then is a failure ambiguous.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import certifi
import pycurl

from messaging.gateways.base import Answer, Endpoint

# Failures before the first byte of a request could be written, whatever the connection did.
_NEVER_WRITTEN = frozenset(
    {
        pycurl.E_URL_MALFORMAT,
        pycurl.E_COULDNT_RESOLVE_PROXY,
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
    }
)
_POLL_S = 0.05
# A connection that was idle for longer is not used again. Servers close idle ones, many of them at
# 30 or 60 s: a request written just then comes to nothing that anybody knows.
_IDLE_MOST_S = 15


Handler = Callable[[int, Answer, float, float], None]


class Transport:
    """A pool of connections and the requests in flight on them. Used by one thread at a time."""

    def __init__(
        self, *, concurrency: int, timeout_s: float, keeps_connections: bool = True
    ) -> None:
        """Open nothing yet.

        Args:
            concurrency: Most requests in flight.
            timeout_s: A request without a complete answer by then has failed.
            keeps_connections: Whether the next request may use them. For GETs that cost money it
                must not: see above.
        """
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
        self._free = [_Slot(timeout_s, keeps_connections) for _ in range(concurrency)]
        self._slots = {slot.curl: slot for slot in self._free}

    @property
    def room(self) -> int:
        """How many more requests can start now."""
        return len(self._free)

    @property
    def in_flight(self) -> int:
        """How many requests have started and not ended."""
        return len(self._slots) - len(self._free)

    def start(self, handler: Handler, key: int, endpoint: Endpoint, body: bytes) -> None:
        """Begin one request; there must be room.

        Args:
            handler: Called from `poll` with (key, answer, started, ended), the times as unix
                seconds.
            key: What the handler knows the request by.
            endpoint: Where it goes.
            body: What it carries; an empty one makes a GET.
        """
        slot = self._free.pop()
        slot.load(handler, key, endpoint, body)
        self._multi.add_handle(slot.curl)

    def poll(self, wait_s: float = _POLL_S) -> int:
        """Move requests on, and call the handlers of those that ended.

        Args:
            wait_s: How long to wait for the network where nothing has ended.

        Returns:
            How many have ended.
        """
        self._multi.perform()
        ended = self._collect()
        if not ended and wait_s:
            self._multi.select(wait_s)
        return ended

    def run(self, requests: Iterable[tuple[int, Endpoint, bytes]], handler: Handler) -> None:
        """Make all of (key, endpoint, body) and wait for their answers."""
        source = iter(requests)
        try:
            request = next(source, None)
            while request is not None or self.in_flight:
                while request is not None and self._free:
                    self.start(handler, *request)
                    request = next(source, None)
                self.poll()
        except BaseException:
            self.abandon()
            raise

    def _collect(self) -> int:
        multi, free, slots = self._multi, self._free, self._slots
        ended, queued = 0, 1
        while queued:
            queued, done, failed = multi.info_read(len(slots))
            at = time.time()
            for curl in done:
                slot = slots[curl]
                answer = Answer(curl.getinfo(pycurl.RESPONSE_CODE), slot.answer())
                multi.remove_handle(curl)
                free.append(slot)
                slot.handler(slot.key, answer, slot.started_at, at)
            for curl, error, words in failed:
                slot = slots[curl]
                answer = Answer(0, b"", _may_be_written(curl, error), f"{error}: {words}")
                multi.remove_handle(curl)
                free.append(slot)
                slot.handler(slot.key, answer, slot.started_at, at)
            ended += len(done) + len(failed)
        return ended

    def abandon(self) -> None:
        """After an error of the caller: forget what is in flight; nobody will hear its outcome."""
        for slot in set(self._slots.values()) - set(self._free):
            self._multi.remove_handle(slot.curl)
            self._free.append(slot)

    def close(self) -> None:
        """Close every connection."""
        for slot in self._free:
            slot.curl.close()
        self._multi.close()


class _Slot:
    """A reusable request: libcurl's handle, the body it reads and the answer it writes."""

    handler: Handler

    def __init__(self, timeout_s: float, keeps_connections: bool) -> None:
        self.key = 0
        self.started_at = 0.0
        self._body = b""
        self._parts: list[bytes] = []
        self._endpoint: Endpoint | None = None
        self.curl: Any = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.TIMEOUT_MS, int(timeout_s * 1000)),
            (pycurl.CONNECTTIMEOUT_MS, int(timeout_s * 1000)),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.FRESH_CONNECT, not keeps_connections),
            (pycurl.FORBID_REUSE, not keeps_connections),
            (pycurl.MAXAGE_CONN, _IDLE_MOST_S),
            # The wheel's libcurl looks where Red Hat keeps its certificates, and nowhere else.
            (pycurl.CAINFO, certifi.where()),
            (pycurl.READFUNCTION, self._read),
            (pycurl.WRITEFUNCTION, self._parts.append),
        ):
            self.curl.setopt(option, value)

    def load(self, handler: Handler, key: int, endpoint: Endpoint, body: bytes) -> None:
        self.handler = handler
        self.key = key
        self._body = body
        self._parts.clear()
        if endpoint is not self._endpoint:
            self.curl.setopt(pycurl.URL, endpoint.url)
            # libcurl would wait a second for "100 Continue" before the body of a large POST.
            self.curl.setopt(pycurl.HTTPHEADER, ["Expect:", *endpoint.headers])
            self.curl.setopt(pycurl.HTTPGET if endpoint.method == "GET" else pycurl.POST, 1)
            self._endpoint = endpoint
        if body:
            self.curl.setopt(pycurl.POSTFIELDSIZE, len(body))
        self.started_at = time.time()

    def answer(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _read(self, most: int) -> bytes:
        """Hand over the body once; a second reading (a repeated request) is not possible."""
        part, self._body = self._body[:most], self._body[most:]
        return part


def _may_be_written(curl: Any, error: int) -> bool:
    return error not in _NEVER_WRITTEN and curl.getinfo(pycurl.REQUEST_SIZE) > 0
