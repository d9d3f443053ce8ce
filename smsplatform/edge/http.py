"""The few HTTP parts the edge needs: bounded bodies, prebuilt answers, a plain page.

Owns the shapes of answers; which one is given is decided in `webhooks.py` and `redirects.py`.
"""

from collections.abc import Awaitable, Callable
from html import escape
from typing import Any, Final

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_BODY_BYTES: Final = 64 * 1024


class BodyTooLarge(Exception):
    """More than MOST_BODY_BYTES; no webhook of a carrier comes near it."""


class Answer:
    """A status with headers and a body, sent as two ASGI messages."""

    __slots__ = ("_body", "_start", "size_bytes", "status")

    def __init__(
        self, status: int, body: bytes = b"", kind: bytes = b"", *headers: tuple[bytes, bytes]
    ) -> None:
        self.status = status
        self.size_bytes = len(body)
        lines = list(headers)
        if kind:
            lines.append((b"content-type", kind))
        if status != 204:
            lines.append((b"content-length", b"%d" % len(body)))
        self._start = {"type": "http.response.start", "status": status, "headers": lines}
        self._body = {"type": "http.response.body", "body": body}

    async def to(self, send: Send, *, head_only: bool = False) -> None:
        """Send it; with `head_only` (a HEAD request) without its body."""
        await send(self._start)
        await send({"type": "http.response.body", "body": b""} if head_only else self._body)


def text(status: int, sentence: str, *headers: tuple[bytes, bytes]) -> Answer:
    """A plain sentence, for programs and their operators."""
    return Answer(status, sentence.encode() + b"\n", b"text/plain; charset=utf-8", *headers)


def page(status: int, title: str, sentence: str, *headers: tuple[bytes, bytes]) -> Answer:
    """A small page for whoever tapped a link, in light and dark, without a further request."""
    body = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots"
content="noindex"><title>{escape(title)}</title><style>
:root{{color-scheme:light dark}}body{{font:18px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;
display:grid;place-items:center}}main{{max-width:34rem;padding:1.5rem}}h1{{font-size:1.5rem}}
</style></head><body><main><h1>{escape(title)}</h1><p>{escape(sentence)}</p></main></body></html>"""
    return Answer(status, body.encode(), b"text/html; charset=utf-8", *headers)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: it says or proves to be larger than MOST_BODY_BYTES.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > MOST_BODY_BYTES:
            raise BodyTooLarge
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BODY_BYTES:
            raise BodyTooLarge
    return b"".join(parts)
