"""The few ASGI pieces the two sides share: types, reading a body, answering."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = b"application/json"
_MOST_BODY_BYTES = 1 << 20


class TooLarge(Exception):
    """A request body beyond a megabyte."""


async def read_body(receive: Receive) -> bytes:
    """The whole request body.

    Raises:
        TooLarge: it has more than 1 MiB.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MOST_BODY_BYTES:
            raise TooLarge
    return body


def header(scope: Scope, name: bytes) -> bytes:
    """A request header by its lower-case name, empty if absent."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: bytes = JSON,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send a whole answer."""
    length = str(len(body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", length),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, data: Any) -> None:
    """Send data as JSON."""
    await answer(send, status, json.dumps(data).encode())


async def answer_lines(send: Send, lines: Iterable[str]) -> None:
    """Stream JSON lines, a thousand at a time."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/x-ndjson")],
        }
    )
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == 1000:
            await send(
                {
                    "type": "http.response.body",
                    "body": ("\n".join(batch) + "\n").encode(),
                    "more_body": True,
                }
            )
            batch.clear()
    rest = ("\n".join(batch) + "\n").encode() if batch else b""
    await send({"type": "http.response.body", "body": rest})
