"""HTTP/1.1 of the edge: uvicorn's over httptools, with what a server without a proxy must bound.

Owns two limits that uvicorn leaves to a proxy: how long a request may take to arrive, and how large
its head may be. Bodies are bounded where they are read (`http.read_body`).
"""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From the first byte of a connection or request to its last. Carriers take milliseconds.
ARRIVE_WITHIN_S: Final = 30.0
# Request line and headers together, give or take what one read of the socket brings.
MOST_HEAD_BYTES: Final = 64 * 1024


class EdgeProtocol(HttpToolsProtocol):
    """One connection."""

    _arriving: asyncio.TimerHandle | None = None
    _is_whole = True  # whether every request that began has arrived to its end
    _is_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller who says nothing is not waited for."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._arriving = self.loop.call_later(ARRIVE_WITHIN_S, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request, a whole one, or several."""
        super().data_received(data)
        if self._is_whole:
            if self._arriving is not None:
                self._arrived()
            return
        if self._arriving is None:
            self._arriving = self.loop.call_later(ARRIVE_WITHIN_S, self.timeout_keep_alive_handler)
        if self._is_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The headers are larger than 64 KB.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_whole, self._is_head, self._head_bytes = False, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._is_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It has arrived."""
        self._is_whole = True
        super().on_message_complete()

    def _arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
