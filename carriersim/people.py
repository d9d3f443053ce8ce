"""What happens on the phones: people tap links and reply, robots fetch previews.

Only addresses that begin with one of the `link_prefixes` are ever fetched, and redirects are not
followed, so that nothing outside is touched.
"""

from __future__ import annotations

import re
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple

from carriersim import behaviours
from carriersim.behaviours import Draws, Plan
from carriersim.outgoing import Answer, BadURL, Request, target
from carriersim.store import Message

if TYPE_CHECKING:
    from carriersim.simulator import Simulator

HUMAN_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
)
PREVIEW_AGENTS = (
    # What iMessage sends when it draws a preview.
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko)"
    " Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/41.0.2272.118 Safari/537.36 Google-PageRenderer Google"
    " (+https://developers.google.com/+/web/snippet/)",
    "WhatsApp/2.24.20.89 A",
)
SCANNER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36"
)
QUESTIONS = (
    "Are you open on Sunday?",
    "Does this work in the online shop too?",
    "How long is this valid?",
    "Do you have it in blue?",
    "What are your hours?",
    "Can I still order for tomorrow?",
)
FREE_STOPS = (
    "please stop texting me",
    "take me off this list",
    "no more messages please",
    "Stop sending me these!",
)

_LINK = re.compile(r"https?://[^\s<>\"]+")


class Hit(NamedTuple):
    """One fetch of a link, done or to be done. `status` None: no answer."""

    at: float
    phone: str
    url: str
    kind: str
    method: str
    status: int | None
    agent: str


def address_of(phone: str, kind: str) -> str:
    """The address a fetch comes from: a phone's own (RFC 6598), or the one scanner's (RFC 5737)."""
    if kind == "scanner":
        return "198.51.100.7"
    number = zlib.crc32(phone.encode()) & 0x3FFFFF
    return f"100.{64 + (number >> 16)}.{number >> 8 & 0xFF}.{number & 0xFF}"


class People:
    """Schedules what the phones do after a message was delivered."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    def begin(self, message: Message, plan: Plan, draws: Draws) -> None:
        """Schedule the hits and replies of a plan."""
        if message.final_at is None:
            return
        settings, scheduler = self._sim.settings, self._sim.scheduler
        over = message.final_at
        links = self._links(message.body) if plan.hits else []
        tapped_at = over
        for kind in plan.hits:
            if kind == "human":
                tapped_at += (
                    draws.between(behaviours.CLICK_DELAY, settings.delays.click) / settings.speed
                )
            for url in links:
                for hit in _hits(message.to, url, kind, draws):
                    scheduler.at(self._hit_at(hit, over, tapped_at, draws), self._hit, message, hit)
        replied_at = tapped_at
        for reply in plan.replies:
            replied_at += (
                draws.between(behaviours.REPLY_DELAY, settings.delays.reply) / settings.speed
            )
            scheduler.at(replied_at, self._reply, message, _words(reply, draws))

    def _links(self, body: str) -> list[str]:
        prefixes = tuple(self._sim.settings.link_prefixes)
        found = [url.rstrip(".,;:!?)'") for url in _LINK.findall(body)] if prefixes else []
        return [url for url in found if url.startswith(prefixes)]

    def _hit_at(self, hit: Hit, over: float, tapped_at: float, draws: Draws) -> float:
        if hit.kind == "human":
            return tapped_at
        if hit.kind == "scanner":
            return over
        delays, speed = self._sim.settings.delays, self._sim.settings.speed
        return over + draws.between(behaviours.PREVIEW_DELAY, delays.preview) / speed

    def _hit(self, message: Message, hit: Hit) -> None:
        self._sim.sender.enqueue(self._build, message, hit)

    def _build(self, message: Message, hit: Hit) -> Request | None:
        try:
            origin, host, path = target(hit.url)
        except BadURL:
            return None
        head = (
            f"{hit.method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {hit.agent}\r\n"
            "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
            "Accept-Language: en-US,en;q=0.9\r\n"
            f"X-Forwarded-For: {address_of(hit.phone, hit.kind)}\r\n\r\n"
        )
        return Request(
            origin=origin,
            data=head.encode(),
            done=lambda answer: self._done(hit, answer),
            is_head=hit.method == "HEAD",
        )

    def _done(self, hit: Hit, answer: Answer) -> None:
        counts = self._sim.stats.clicks
        if answer.failure:
            counts.failed += 1
        else:
            counts.ok += 1
        self._sim.hits.append(hit._replace(at=time.time(), status=answer.status or None))
        self._sim.sender.pump()

    def _reply(self, message: Message, text: str) -> None:
        self._sim.receive(account=message.account, sender=message.to, to=message.sender, body=text)


def _hits(phone: str, url: str, kind: str, draws: Draws) -> list[Hit]:
    """The requests of one visit: robots often ask HEAD first."""
    if kind == "human":
        agent = HUMAN_AGENTS[int(draws.share(behaviours.AGENT) * len(HUMAN_AGENTS))]
        methods = ["GET"]
    elif kind == "preview":
        agent = PREVIEW_AGENTS[int(draws.share(behaviours.AGENT) * len(PREVIEW_AGENTS))]
        methods = ["HEAD", "GET"] if draws.share(behaviours.METHOD) < 0.5 else ["GET"]
    else:
        agent = SCANNER_AGENT
        methods = ["HEAD", "GET"]
    return [Hit(0.0, phone, url, kind, method, None, agent) for method in methods]


def _words(reply: str, draws: Draws) -> str:
    """What is texted for a kind of reply."""
    choice = {"question": QUESTIONS, "free_stop": FREE_STOPS}.get(reply)
    return choice[int(draws.share(behaviours.REPLY_TEXT) * len(choice))] if choice else reply
