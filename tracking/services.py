"""Writes of links: making them for a batch, checking where they lead.

Owns what a destination may be. Hits are stored by the edge and judged by messaging
(`messaging.receipts.clicks`), which knows to whom a link was sent and when.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from accounts.models import Account
from common.clock import now
from tracking.errors import BadDestination
from tracking.models import Link

DESTINATION_LIMIT: Final = 2000
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PRIVATE_NAMES: Final = (".localhost", ".local", ".internal", ".home.arpa")
_SPACES: Final = frozenset(" \t\r\n\0\x7f")


def links_create(
    *, account: Account, batch_id: int, destinations: Sequence[str], label: str, recipients: int
) -> list[Link]:
    """Make the links of a batch, in the order they stand in its text. One query.

    Args:
        account: Whose links.
        batch_id: The batch whose recipients they are sent to.
        destinations: Where they lead; equal ones are links of their own.
        label: What lists call them: the blast's name.
        recipients: Recipient numbers 1 to this one are live.

    Raises:
        BadDestination: see `destination_check`; nothing was made.
    """
    for destination in destinations:
        destination_check(destination)
    return Link.objects.bulk_create(
        Link(
            account=account,
            destination=destination,
            label=label[:160],
            batch_id=batch_id,
            ordinal=ordinal,
            recipients=recipients,
            created_at=now(),
        )
        for ordinal, destination in enumerate(destinations)
    )


def destination_check(url: str) -> None:
    """Refuse an address that a short link cannot or must not lead to.

    Raises:
        BadDestination: not http(s), no host, too long, with a log-in in it, a private address, or
            one of our own (a short link to a short link is a loop, one to the dashboard a trap).
    """
    if len(url) > DESTINATION_LIMIT:
        raise BadDestination(
            f"A link of {len(url):,} characters is too long; up to {DESTINATION_LIMIT:,} work."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError as error:
        raise BadDestination(f"“{_short(url)}” is not a web address.") from error
    if parts.scheme.lower() not in ("http", "https"):
        raise BadDestination(f"“{_short(url)}” must begin with https:// or http://.")
    if not _is_host(host) or _SPACES & set(url) or "\\" in url:
        raise BadDestination(f"“{_short(url)}” is not a web address.")
    if "@" in parts.netloc:
        raise BadDestination(f"“{_short(url)}” must not contain a user name or password.")
    if _is_private(host):
        raise BadDestination(f"“{_short(url)}” is not reachable from the internet.")
    if _is_ours(host, _port(parts, port)):
        raise BadDestination(
            f"“{_short(url)}” leads back to this platform. Link to your own page instead."
        )


def _is_private(host: str) -> bool:
    """Whether only a private network or a machine itself knows it.

    On an installation that itself is tried out on one machine, that machine may be linked to.
    """
    if host in _THIS_MACHINE:
        return (urlsplit(settings.LINK_URL).hostname or "") not in _THIS_MACHINE
    if host.endswith(_PRIVATE_NAMES):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _is_ours(host: str, port: int) -> bool:
    """Whether it is a host of ours; on this machine itself also the port must be."""
    for url in (settings.LINK_URL, settings.EDGE_URL, settings.PUBLIC_URL):
        ours = urlsplit(url)
        if host == (ours.hostname or "").lower() and (
            host not in _THIS_MACHINE or port == _port(ours, ours.port)
        ):
            return True
    return False


def _port(parts: SplitResult, port: int | None) -> int:
    return port or (443 if parts.scheme.lower() == "https" else 80)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        names = host.split(".")
        # Browsers read a last name of digits (also 0x7f) as an address in disguise.
        return (
            (len(names) > 1 or host == "localhost")
            and all(0 < len(name) < 64 and not name.startswith("-") for name in names)
            and not names[-1].isdigit()
            and not names[-1].startswith("0x")
        )
    return True


def _short(url: str) -> str:
    return url if len(url) <= 60 else f"{url[:57]}…"
