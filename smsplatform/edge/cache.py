"""What the edge remembers of PostgreSQL: carrier accounts' secrets and links' destinations.

Owns two bounded in-process caches. A known entry never waits for the database: when it is old it is
refreshed behind the answer, and when PostgreSQL is away the old entry serves on. Only what is
not known yet is looked up first.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db import Error as DatabaseError
from django.db import close_old_connections

from common.crypto import decrypt
from common.groupcommit import Unavailable
from messaging.models import CarrierAccount
from tracking.locations import location
from tracking.models import Link, LinkSettings

V = TypeVar("V")

ACCOUNT_FRESH_S: Final = 10.0
LINK_FRESH_S: Final = 60.0
DOMAINS_FRESH_S: Final = 10.0
# An unknown id is remembered briefly: asking for it again and again must not become queries.
UNKNOWN_FRESH_S: Final = 2.0
MOST_ENTRIES: Final = 200_000


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """A carrier account as the edge needs it: the secrets that may have signed, newest first."""

    gateway: str
    secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A link as the edge needs it."""

    account_id: str
    destination: bytes
    recipients: int
    expires_at_s: float | None = None
    fallback: bytes = b""


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V | None
    asked_at: float


class Cache(Generic[V]):
    """Values by id, of one event loop. `None` means there is no such row.

    Args:
        load: Reads one value (blocking; run in a thread).
        fresh_s: How old a value may be before it is refreshed.
        threads: Where `load` runs.
    """

    def __init__(
        self, load: Callable[[int], V | None], *, fresh_s: float, threads: ThreadPoolExecutor
    ) -> None:
        self._load = load
        self._fresh_s = fresh_s
        self._threads = threads
        self._entries: OrderedDict[int, _Entry[V]] = OrderedDict()
        self._loading: dict[int, asyncio.Task[V | None]] = {}

    def peek(self, key: int) -> V | None:
        """The value if it is known and fresh, else None: then `get` it."""
        entry = self._entries.get(key)
        if entry is None or time.monotonic() - entry.asked_at > self._fresh_s:
            return None
        return entry.value

    async def get(self, key: int) -> V | None:
        """The value, from memory where possible.

        Raises:
            Unavailable: it is not known and PostgreSQL is away.
        """
        entry = self._entries.get(key)
        if entry is not None:
            fresh_s = self._fresh_s if entry.value is not None else UNKNOWN_FRESH_S
            age_s = time.monotonic() - entry.asked_at
            if age_s <= fresh_s:
                return entry.value
            if entry.value is not None:
                self._begin(key)
                return entry.value
        return await asyncio.shield(self._begin(key))

    async def refreshed(self, key: int, *, older_than_s: float) -> V | None:
        """The value read anew, unless it was read within `older_than_s`."""
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() - entry.asked_at < older_than_s:
            return entry.value
        return await asyncio.shield(self._begin(key))

    def _begin(self, key: int) -> "asyncio.Task[V | None]":
        task = self._loading.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(key))
            # A refresh behind an answer has nobody who waits for its error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loading[key] = task
        return task

    async def _read(self, key: int) -> V | None:
        try:
            loop = asyncio.get_running_loop()
            value = await loop.run_in_executor(self._threads, self._load, key)
        except DatabaseError as error:
            entry = self._entries.get(key)
            if entry is not None and entry.value is not None:
                return entry.value
            raise Unavailable from error
        finally:
            self._loading.pop(key, None)
        self._entries[key] = _Entry(value, time.monotonic())
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)
        return value


class NewestLink:
    """The highest link id there is, so that guessed codes cost no query each.

    Nearly every ten characters decode to an id far above it. Whoever brings such an id shares the
    one query that is under way.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._cache: Cache[int] = Cache(lambda _: load_newest_link(), fresh_s=0, threads=threads)
        self._known = 0

    async def may_exist(self, link_id: int) -> bool:
        """Whether a link may have this id.

        Raises:
            Unavailable: it is above all known ones and PostgreSQL is away.
        """
        if link_id > self._known:
            newest = await self._cache.refreshed(0, older_than_s=0)
            self._known = max(self._known, newest or 0)
        return link_id <= self._known


def load_account(pk: int) -> KnownAccount | None:
    """A carrier account and its secrets, decrypted. One query."""
    close_old_connections()
    account = CarrierAccount.objects.filter(pk=pk).first()
    if account is None:
        return None
    tokens = [account.secret_encrypted, account.previous_secret_encrypted]
    return KnownAccount(
        gateway=account.gateway,
        secrets=tuple(decrypt(token).encode() for token in tokens if token),
    )


def load_newest_link() -> int:
    """The highest link id, 0 where there is none. One query."""
    close_old_connections()
    return Link.objects.order_by("-id").values_list("id", flat=True).first() or 0


def load_link(pk: int) -> KnownLink | None:
    """Where a link leads, as the bytes of a Location header, and until when. One query."""
    close_old_connections()
    row = (
        Link.objects.filter(pk=pk)
        .values_list(
            "account_id",
            "destination",
            "recipients",
            "expires_at",
            "account__link_settings__fallback_url",
        )
        .first()
    )
    if row is None:
        return None
    account_id, destination, recipients, expires_at, fallback = row
    return KnownLink(
        str(account_id),
        location(destination),
        recipients,
        None if expires_at is None else expires_at.timestamp(),
        location(fallback or ""),
    )


def load_domains() -> dict[bytes, str]:
    """Every account's own link domain, and whose it is. One query."""
    close_old_connections()
    rows = LinkSettings.objects.filter(domain__isnull=False).values_list("domain", "account_id")
    return {(domain or "").encode(): str(account_id) for domain, account_id in rows}
