"""Pictures for carriers: `/media/<signed name>`, without a log-in, for as long as the name says.

Owns what is answered. Who may make such names is `messaging.media_links`'. A carrier asks once for
each phone of a blast, so the newest pictures are kept in memory.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import Error as DatabaseError
from django.db import close_old_connections

from common.clock import now
from messaging.media_links import PREFIX, media_read
from messaging.models import Media
from messaging.selectors.media import media_bytes, media_headers
from smsplatform.edge.http import Answer, Scope, Send, text

# A picture that is sent has a megabyte at most; what came in may have more, and is asked for once.
_KEPT: Final = 32
_KEPT_BYTES: Final = 1_000_000
# The name says which bytes: they never change, and nobody else is told the name.
_CACHED: Final = {
    "Cache-Control": "public, max-age=86400, immutable",
    "X-Robots-Tag": "noindex",
}
_UNKNOWN: Final = text(404, "There is no such picture, or its time is over.")
_NOT_GET: Final = text(405, "Pictures are read with GET.", (b"allow", b"GET, HEAD"))
_AWAY: Final = text(503, "This picture cannot be read right now.", (b"retry-after", b"2"))


class Pictures:
    """Answers signed names; one per event loop."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._kept: OrderedDict[int, Answer] = OrderedDict()

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Answer one request below `/media/`."""
        is_head = scope["method"] == "HEAD"
        if scope["method"] not in ("GET", "HEAD"):
            await _NOT_GET.to(send)
            return
        media_id = media_read(scope["path"][len(PREFIX) :], at=now())
        if media_id is None:
            await _UNKNOWN.to(send, head_only=is_head)
            return
        answer = self._kept.get(media_id)
        if answer is None:
            loop = asyncio.get_running_loop()
            try:
                found = await loop.run_in_executor(self._threads, _load, media_id)
            except DatabaseError:
                await _AWAY.to(send, head_only=is_head)
                return
            answer = found or _UNKNOWN
            if found is not None and found.size_bytes <= _KEPT_BYTES:
                self._kept[media_id] = found
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        await answer.to(send, head_only=is_head)


def _load(media_id: int) -> Answer | None:
    """A file as an answer; None for one that is gone. One query."""
    close_old_connections()
    media = Media.objects.filter(pk=media_id).first()
    if media is None:
        return None
    try:
        data = media_bytes(media)
    except FileNotFoundError:
        return None
    headers = [
        (name.lower().encode(), value.encode())
        for name, value in {**media_headers(media), **_CACHED}.items()
    ]
    return Answer(200, data, b"", *headers)
