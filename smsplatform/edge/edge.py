"""The edge process: a bare ASGI application for carrier webhooks and short links.

Owns what belongs together per event loop (caches, group commits, hints) and the choice by path.
It runs without the web process, without Redis, and, for links it knows, for a while without
PostgreSQL.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final

from django.conf import settings
from django.db import connection

from common.garbage import collect_rarely
from common.groupcommit import GroupCommit
from messaging.media_links import PREFIX as PICTURES
from smsplatform.edge.cache import (
    ACCOUNT_FRESH_S,
    DOMAINS_FRESH_S,
    LINK_FRESH_S,
    Cache,
    NewestLink,
    load_account,
    load_domains,
    load_link,
)
from smsplatform.edge.http import Answer, Receive, Scope, Send
from smsplatform.edge.media import Pictures
from smsplatform.edge.redirects import HELD_HITS, PATIENCE_S, UNKNOWN, Redirects
from smsplatform.edge.stores import (
    PREPARE_CLICKS,
    PREPARE_EVENTS,
    ClickRow,
    EventRow,
    Hinter,
    write_clicks,
    write_events,
)
from smsplatform.edge.webhooks import PREFIX, Webhooks
from tracking import codes

# Carriers give up after 15 s; one that is told 503 repeats the webhook, a silent one does not.
EVENT_PATIENCE_S: Final = 5.0


class Edge:
    """All parts of one event loop."""

    def __init__(self) -> None:
        threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="edge-read")
        self._hints = [Hinter("messaging.apply_events"), Hinter("messaging.apply_clicks")]
        dsn = database_dsn()
        self._events: GroupCommit[EventRow] = GroupCommit(
            dsn=dsn,
            prepare=PREPARE_EVENTS,
            write=write_events,
            patience_s=EVENT_PATIENCE_S,
            flushed=self._hints[0].want,
        )
        self._clicks: GroupCommit[ClickRow] = GroupCommit(
            dsn=dsn,
            prepare=PREPARE_CLICKS,
            write=write_clicks,
            patience_s=PATIENCE_S,
            keep=HELD_HITS,
            flushed=self._hints[1].want,
        )
        self._webhooks = Webhooks(
            origin=settings.EDGE_URL,
            accounts=Cache(load_account, fresh_s=ACCOUNT_FRESH_S, threads=threads),
            events=self._events,
        )
        self._redirects = Redirects(
            codes=codes.current(),
            links=Cache(load_link, fresh_s=LINK_FRESH_S, threads=threads),
            newest=NewestLink(threads),
            domains=Cache(lambda _: load_domains(), fresh_s=DOMAINS_FRESH_S, threads=threads),
            clicks=self._clicks,
            hash_key=hashlib.blake2b(settings.LINK_KEY.encode(), person=b"visitors").digest(),
            proxies=settings.ALLAUTH_TRUSTED_PROXY_COUNT,
        )

        # Threads of their own: reading a picture must not hold up a link or a webhook.
        self._pictures = Pictures(ThreadPoolExecutor(2, thread_name_prefix="edge-pictures"))

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._events.start()
        self._clicks.start()
        for hint in self._hints:
            hint.start()

    async def stop(self) -> None:
        """Commit what waits, then end."""
        await self._events.stop()
        await self._clicks.stop()
        for hint in self._hints:
            hint.stop()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if path.startswith(PREFIX):
            await self._webhooks(scope, receive, send)
        elif len(path) == codes.CODE_LENGTH + 1:
            await self._redirects(scope, send)
        elif path.startswith(PICTURES):
            await self._pictures(scope, send)
        elif path == "/healthz":
            await self._health().to(send)
        else:
            await UNKNOWN.to(send, head_only=scope["method"] == "HEAD")

    def _health(self) -> Answer:
        """200 while the process serves: without PostgreSQL it still redirects what it knows."""
        report = {
            "ok": True,
            "postgres": not (self._events.is_away or self._clicks.is_away),
            "events": asdict(self._events.counts),
            "clicks": asdict(self._clicks.counts),
            "webhooks": asdict(self._webhooks.counts),
            "redirects": asdict(self._redirects.counts),
        }
        return Answer(200, json.dumps(report).encode(), b"application/json")


def database_dsn() -> dict[str, Any]:
    """Django's database as arguments of `psycopg2.connect`."""
    parameters = connection.get_connection_params()
    return {
        name: value
        for name, value in parameters.items()
        if name not in ("cursor_factory", "client_encoding", "context", "prepare_threshold")
    }


_edge: Edge | None = None


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    global _edge
    if scope["type"] == "http":
        if _edge is None:
            _edge = _started()
        await _edge.handle(scope, receive, send)
    elif scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _edge = _edge or _started()
                await send({"type": "lifespan.startup.complete"})
            else:
                if _edge is not None:
                    await _edge.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _started() -> Edge:
    edge = Edge()
    edge.start()
    collect_rarely()
    return edge
