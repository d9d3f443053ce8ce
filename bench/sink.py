"""The bare server of `make bench-send`: answers every POST as a carrier would, and no more.

`python -m bench.sink PORT`. The same for the engine and for everything it is held against. A GET
answers what arrived since the last GET: by sender, the number of requests in each hundredth of a
second.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from typing import cast

import uvloop

_TAIL = (
    b'","status":"queued","num_segments":"1","error_code":null,"error_message":null,'
    b'"account_sid":"AC00000000000000000000000000000000","direction":"outbound-api","price":null}'
)
_BODY_LENGTH = len(b'{"sid":"SM') + 32 + len(_TAIL)
_HEAD = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    b'{"sid":"SM' % _BODY_LENGTH
)


class Sink:
    """What all connections share."""

    def __init__(self) -> None:
        self.count = 0
        self.arrived: dict[bytes, Counter[int]] = defaultdict(Counter)

    def take(self, body: bytes) -> None:
        self.count += 1
        start = body.find(b"&From=") + 6
        self.arrived[body[start : body.find(b"&", start)]][int(time.time() * 100)] += 1

    def report(self) -> bytes:
        told = json.dumps({sender.decode(): slots for sender, slots in self.arrived.items()})
        self.arrived.clear()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told.encode())


class Connection(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            if data.startswith(b"GET"):
                self._transport.write(self._sink.report())
                data = data[end + 4 :]
                continue
            at = data.lower().find(b"content-length:", 0, end)
            length = int(data[at + 15 : data.find(b"\r", at)])
            if len(data) < end + 4 + length:
                break
            self._sink.take(data[end + 4 : end + 4 + length])
            data = data[end + 4 + length :]
            self._transport.write(_HEAD + b"%032x" % self._sink.count + _TAIL)
        self._rest = data


async def _serve(port: int) -> None:
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sink), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_serve(int(sys.argv[1])))
