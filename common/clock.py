"""The clocks of the platform.

Owns `now` and `today` (what is stored and shown) and `boot_s` (what leases of this machine are
judged by), and keeps time zones at hand. Whose zone is which is not here, nor is the database's
clock, which gives leases their ends.
"""

import time
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

# Linux only. Elsewhere (a developer's macOS) the monotonic clock stands in: it stops while the
# machine sleeps, which a laptop's development worker survives and a server never does.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """The present, as an aware UTC datetime."""
    return datetime.now(UTC)


def today() -> date:
    """The present day, in UTC."""
    return now().date()


def boot_s() -> float:
    """Seconds since this machine started, counting the time it was suspended.

    Never steps when the wall clock is set, and goes on while a virtual machine is frozen, so a
    worker that wakes up sees that its lease has run out. Only differences on one machine mean
    anything.
    """
    return time.clock_gettime(_BOOT_CLOCK)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name, read once.

    `ZoneInfo` itself keeps the last eight, and the recipients of one blast live in more: reading
    one again takes longer than sending a text.

    Raises:
        ZoneInfoNotFoundError: there is none.
    """
    return ZoneInfo(name)
