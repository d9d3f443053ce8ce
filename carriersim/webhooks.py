"""Everything the carrier sends out: one bounded queue, signed posts, Twilio's retry rules.

Retries follow the URL's fragment (`#rc=3&rp=5xx,ct,rt`), which is neither sent nor signed; without
one it is a single retry after a failed connection.
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from carriersim.outgoing import Answer, BadURL, Client, Request, target
from carriersim.scheduler import Scheduler
from carriersim.signing import form_encode, signature
from carriersim.store import Message

Build = Callable[[Message, Any], Request | None]
RETRY_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(slots=True)
class Counts:
    """What became of one kind of request."""

    ok: int = 0
    failed: int = 0
    retried: int = 0
    dropped: int = 0


@dataclass(slots=True, frozen=True)
class Policy:
    """When a webhook is tried again, and how long each try may take."""

    retries: int = 1
    causes: frozenset[str] = frozenset({"ct"})
    connect_s: float = 5.0
    read_s: float = 15.0

    def wants_retry(self, answer: Answer) -> bool:
        """Whether this answer is a cause to try again."""
        cause = answer.failure or f"{answer.status // 100}xx"
        return not answer.is_ok and ("all" in self.causes or cause in self.causes)


@lru_cache(maxsize=256)
def policy_of(fragment: str) -> Policy:
    """The policy that an URL's fragment asks for; what it leaves out or gets wrong is default."""
    asked = {name: values[-1] for name, values in parse_qs(fragment).items()}

    def number(name: str, least: int, most: int, default: int) -> int:
        text = asked.get(name, "")
        return int(text) if text.isdigit() and least <= int(text) <= most else default

    return Policy(
        retries=number("rc", 0, 5, 1),
        causes=frozenset(asked["rp"].split(",")) if "rp" in asked else frozenset({"ct"}),
        connect_s=number("ct", 100, 10000, 5000) / 1000,
        read_s=number("rt", 100, 15000, 15000) / 1000,
    )


class Sender:
    """Lets at most `limit` requests out at a time; the rest wait in order."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.paused = False
        self.client = Client()
        self._waiting: deque[tuple[Build, Message, Any]] = deque()

    @property
    def queued(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def enqueue(self, build: Build, message: Message, extra: Any) -> None:
        """Send what `build(message, extra)` returns, when there is a place for it."""
        self._waiting.append((build, message, extra))
        self.pump()

    def pump(self) -> None:
        """Start what there is room for; whoever finishes a request calls it again."""
        while self._waiting and self.client.in_flight < self.limit and not self.paused:
            build, message, extra = self._waiting.popleft()
            request = build(message, extra)
            if request is not None:
                self.client.send(request)

    def clear(self) -> None:
        """Forget what waits, and what is in flight: nobody hears of its answers."""
        self._waiting.clear()
        self.client.close()
        self.client = Client()


@dataclass(slots=True, eq=False)
class Post:
    """One webhook: what to post, and what to do after the first and after the last try."""

    url: str
    params: Mapping[str, str]
    auth_token: str
    counts: Counts
    first: Callable[[Answer], None] | None = None
    last: Callable[[Answer], None] | None = None
    tries: int = 0
    token: str = field(default_factory=lambda: f"{random.getrandbits(128):032x}")


class Webhooks:
    """Posts forms, signed, and again where the policy says so."""

    def __init__(self, sender: Sender, scheduler: Scheduler) -> None:
        self.speed = 1.0
        self._sender = sender
        self._scheduler = scheduler

    def enqueue(self, post: Post, message: Message) -> None:
        """Post when there is a place."""
        self._sender.enqueue(self.build, message, post)

    def build(self, message: Message, post: Post) -> Request | None:
        """The request of a post's next try; None for an URL that cannot be asked."""
        url, _, fragment = post.url.partition("#")
        policy = policy_of(fragment)
        try:
            origin, host, path = target(url)
        except BadURL:
            self._finish(post, Answer(0, b"", "ct"))
            return None
        body = form_encode(post.params)
        signed = signature(auth_token=post.auth_token, url=url, params=post.params)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n"
            "User-Agent: TwilioProxy/1.1\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\nX-Twilio-Signature: {signed}\r\n"
            f"I-Twilio-Idempotency-Token: {post.token}\r\n\r\n"
        )
        return Request(
            origin=origin,
            data=head.encode() + body,
            done=lambda answer: self._done(message, post, policy, answer),
            connect_s=policy.connect_s,
            read_s=policy.read_s,
        )

    def _done(self, message: Message, post: Post, policy: Policy, answer: Answer) -> None:
        post.tries += 1
        if post.first is not None and post.tries == 1:
            post.first(answer)
        if post.tries <= policy.retries and policy.wants_retry(answer):
            post.counts.retried += 1
            delay_s = RETRY_AFTER_S[post.tries - 1] / self.speed
            self._scheduler.at(time.time() + delay_s, self._again, message, post)
        else:
            self._finish(post, answer)
        self._sender.pump()

    def _again(self, message: Message, post: Post) -> None:
        self.enqueue(post, message)

    @staticmethod
    def _finish(post: Post, answer: Answer) -> None:
        if answer.is_ok:
            post.counts.ok += 1
        else:
            post.counts.failed += 1
        if post.last is not None:
            post.last(answer)
