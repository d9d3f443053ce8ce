"""Short links: decode, record the hit, redirect.

Owns `/<code>` and what a hit keeps of its request. Whether a person was behind it is judged later
(`tracking.verdicts`): a robot's hit is recorded too, never dropped. The redirect waits for the
commit of its hit, but no longer than PATIENCE_S: a recipient must not pay for our database. A hit
that was not committed by then is held in bounded memory and counted (see `/healthz`); only a killed
edge loses it.
"""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from common.groupcommit import GroupCommit, Unavailable, Unstorable
from smsplatform.edge.cache import Cache, KnownLink, NewestLink
from smsplatform.edge.http import Answer, Scope, Send, page, text
from smsplatform.edge.stores import ClickRow
from tracking.codes import LinkCodes

PATIENCE_S: Final = 0.25
HELD_HITS: Final = 100_000
_DAY_MS: Final = 86_400_000

UNKNOWN: Final = page(
    404,
    "This link leads nowhere",
    "It may have been mistyped or cut off. Ask whoever sent it to you for a new one.",
)
ENDED: Final = page(
    410, "This link has ended", "It led somewhere for a while only. What it told of may be over."
)
_AWAY: Final = page(
    503, "One moment", "This link cannot be opened right now. Try again.", (b"retry-after", b"2")
)
_NOT_GET: Final = text(405, "Links are opened with GET.", (b"allow", b"GET, HEAD"))
_UNCACHED: Final = (b"cache-control", b"no-store")
# Whoever follows a link learns nothing of where it stood, and robots keep no list of codes.
_UNLISTED: Final = (b"x-robots-tag", b"noindex")


@dataclass(slots=True)
class Counts:
    """Redirects so far: `late` were answered before their hit was committed."""

    redirected: int = 0
    late: int = 0
    unknown: int = 0
    ended: int = 0


class Redirects:
    """Answers short links; one per event loop.

    Args:
        codes: What a code stands for.
        links: Destinations by link id.
        newest: Says which ids cannot exist.
        domains: Accounts' own link domains and whose they are (under the one key 0).
        clicks: Where hits are committed; keeps up to HELD_HITS while PostgreSQL is away.
        hash_key: Secret under which addresses are hashed, see `address_hash`.
        proxies: How many proxies of ours stand before us, each adding one X-Forwarded-For address.
    """

    def __init__(
        self,
        *,
        codes: LinkCodes,
        links: Cache[KnownLink],
        newest: NewestLink,
        domains: Cache[dict[bytes, str]],
        clicks: GroupCommit[ClickRow],
        hash_key: bytes,
        proxies: int,
    ) -> None:
        self.counts = Counts()
        self._codes = codes
        self._links = links
        self._newest = newest
        self._domains = domains
        self._clicks = clicks
        self._hash_key = hash_key
        self._proxies = proxies

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer(scope)
        await answer.to(send, head_only=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            return _NOT_GET
        try:
            found = await self._found(scope["path"][1:])
            if found is None or not await self._may_stand_on(scope, found[0]):
                self.counts.unknown += 1
                return UNKNOWN
        except Unavailable:
            return _AWAY
        link, link_id, recipient_no = found
        if link.expires_at_s is not None and link.expires_at_s <= time.time():
            self.counts.ended += 1
            if not link.fallback:
                return ENDED
            return _redirect(link.fallback)
        try:
            await self._clicks.submit(self._hit(scope, link, link_id, recipient_no))
        except (Unavailable, Unstorable):
            self.counts.late += 1
        self.counts.redirected += 1
        return _redirect(link.destination)

    async def _found(self, code: str) -> tuple[KnownLink, int, int] | None:
        """The link, its id and the recipient number of a code: the first that is live."""
        for link_id, recipient_no in self._codes.candidates(code):
            link = self._links.peek(link_id)
            if link is None:
                if not await self._newest.may_exist(link_id):
                    continue
                link = await self._links.get(link_id)
            if link is not None and 0 < recipient_no <= link.recipients:
                return link, link_id, recipient_no
        return None

    async def _may_stand_on(self, scope: Scope, link: KnownLink) -> bool:
        """Whether the host asked for is not another account's: none vouches for others' links.

        Hosts that are nobody's are let through: a link outlives the address it was made under.
        """
        owners = self._domains.peek(0)
        if owners is None:
            owners = await self._domains.get(0) or {}
        if not owners:
            return True
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        owner = owners.get(host.split(b":")[0].lower().rstrip(b"."))
        return owner is None or owner == link.account_id

    def _hit(self, scope: Scope, link: KnownLink, link_id: int, recipient_no: int) -> ClickRow:
        headers = dict(scope["headers"])
        client = scope.get("client")
        address = client[0] if client else ""
        forwarded = headers.get(b"x-forwarded-for")
        if self._proxies and forwarded:
            hops = forwarded.split(b",")
            address = hops[-min(self._proxies, len(hops))].strip().decode("latin-1")
        reads_pages = b"text/html" in headers.get(b"accept", b"")
        at_ms = time.time_ns() // 1_000_000
        return ClickRow(
            link.account_id,
            str(link_id),
            str(recipient_no),
            str(at_ms),
            "1" if reads_pages and headers.get(b"accept-language") else "0",
            scope["method"],
            headers.get(b"user-agent", b"")[:500].decode("latin-1").replace("\0", ""),
            address_hash(address, key=day_key(self._hash_key, at_ms // _DAY_MS)),
        )


@lru_cache(maxsize=1024)
def _redirect(destination: bytes) -> Answer:
    return Answer(302, b"", b"", (b"location", destination), _UNCACHED, _UNLISTED)


@lru_cache(maxsize=4)
def day_key(key: bytes, day: int) -> bytes:
    """The key of one UTC day (days since 1970): a hash tells addresses apart within a day only."""
    return hashlib.blake2b(b"address %d" % day, key=key[:64], digest_size=32).digest()


def address_hash(address: str, *, key: bytes) -> str:
    """16 bytes in hex that stand for a visitor's address; without the key no guess can be tried."""
    return hashlib.blake2b(address.encode(), key=key, digest_size=16).hexdigest()
