"""Writes of links: making them for a batch, checking where they lead, an account's settings.

Owns what a destination may be. Hits are stored by the edge and judged by messaging
(`messaging.receipts.clicks`), which knows to whom a link was sent and when.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import Invalid
from tracking.errors import BadDestination, DomainTaken
from tracking.models import Link, LinkSettings
from tracking.utm import with_utm

DESTINATION_LIMIT: Final = 2000
EXPIRY_DAYS_LIMIT: Final = 3650
THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_NO_DOMAIN: Final = "Type a domain of yours as go.your-shop.com, without https:// and slashes."
_PRIVATE_NAMES: Final = (".localhost", ".local", ".internal", ".home.arpa")
_SPACES: Final = frozenset(" \t\r\n\0\x7f")


def links_create(
    *,
    account: Account,
    batch_id: int,
    destinations: Sequence[str],
    label: str,
    recipients: int,
    rules: LinkSettings | None = None,
    utm: Mapping[str, str] | None = None,
) -> list[Link]:
    """Make the links of a batch, in the order they stand in its text. Two queries, none for none.

    Args:
        account: Whose links.
        batch_id: The batch whose recipients they are sent to.
        destinations: Where they lead; equal ones are links of their own.
        label: What lists call them: the blast's name.
        recipients: Recipient numbers 1 to this one are live.
        rules: The account's settings as its text was counted under; None for the defaults.
        utm: What this batch says of its own (`UTM_PARTS`), else the account's and the label.

    Raises:
        BadDestination: see `links_check`; nothing was made.
    """
    if not destinations:
        return []
    links_check(destinations)
    rules = rules or LinkSettings(account=account)
    made_at = now()
    expires_at = None
    if rules.expires_after_days is not None:
        expires_at = made_at + timedelta(days=rules.expires_after_days)
    return Link.objects.bulk_create(
        Link(
            account=account,
            destination=_marked(destination, rules, label, utm or {}),
            label=label[:160],
            batch_id=batch_id,
            ordinal=ordinal,
            recipients=recipients,
            domain=rules.domain or "",
            expires_at=expires_at,
            created_at=made_at,
        )
        for ordinal, destination in enumerate(destinations)
    )


@transaction.atomic
def link_settings_update(
    *,
    account: Account,
    actor: User | None,
    domain: str | None,
    expires_after_days: int | None,
    fallback_url: str,
    utm_source: str,
    utm_medium: str,
) -> LinkSettings:
    """Say how the account's links look and how long they live; what differs is audited.

    Args:
        account: Whose links.
        actor: An admin, or who made the API key.
        domain: A host whose name server and TLS the operator has set up; None or "" for the
            platform's.
        expires_after_days: After the launch; None for never. For links made from now on.
        fallback_url: Where ended links lead; "" for a plain page.
        utm_source: "" adds no UTM parameters.
        utm_medium: Goes with the source.

    Raises:
        Invalid: a value that cannot be used, by field.
        DomainTaken: another account has the domain.

    Locks: the account's row of settings.
    """
    host = _domain_checked(domain or "")
    if expires_after_days is not None and not 1 <= expires_after_days <= EXPIRY_DAYS_LIMIT:
        raise Invalid(fields={"expires_after_days": f"Between 1 and {EXPIRY_DAYS_LIMIT:,} days."})
    if fallback_url:
        try:
            links_check([fallback_url])
        except BadDestination as error:
            raise Invalid(fields={"fallback_url": error.message}) from error
    if host and LinkSettings.objects.filter(domain=host).exclude(account=account).exists():
        raise DomainTaken(fields={"domain": DomainTaken.message})
    row, _ = LinkSettings.objects.select_for_update(no_key=True).get_or_create(account=account)
    wanted = {
        "domain": host or None,
        "expires_after_days": expires_after_days,
        "fallback_url": fallback_url,
        "utm_source": utm_source.strip(),
        "utm_medium": utm_medium.strip(),
    }
    before = {name: getattr(row, name) for name in wanted if getattr(row, name) != wanted[name]}
    if before:
        for name in before:
            setattr(row, name, wanted[name])
        row.save(update_fields=list(before))
        audit_record(
            account=account,
            actor=actor,
            action="links.changed",
            data={name: [old, wanted[name]] for name, old in before.items()},
        )
    return row


def _domain_checked(typed: str) -> str:
    host = typed.strip().lower().rstrip(".")
    if not host:
        return ""
    try:
        host = host.encode("idna").decode()
    except UnicodeError as error:
        raise Invalid(fields={"domain": _NO_DOMAIN}) from error
    if not _DOMAIN.fullmatch(host) or len(host) > 253 or _is_private(host):
        raise Invalid(fields={"domain": _NO_DOMAIN})
    if host in _our_hosts():
        raise Invalid(fields={"domain": "This is the platform’s own address."})
    return host


def _marked(destination: str, rules: LinkSettings, label: str, utm: Mapping[str, str]) -> str:
    marked = with_utm(
        destination,
        source=utm.get("utm_source") or rules.utm_source,
        medium=utm.get("utm_medium") or rules.utm_medium,
        campaign=utm.get("utm_campaign") or label,
    )
    return marked if len(marked) <= DESTINATION_LIMIT else destination


def links_check(urls: Sequence[str]) -> None:
    """Refuse a text's addresses that no short link can lead to. One query, none for none.

    Raises:
        BadDestination: see `destination_check`; or one is on an account's link domain.
    """
    for url in urls:
        destination_check(url)
    if not urls:
        return
    hosts = {(urlsplit(url).hostname or "").rstrip(".").lower(): url for url in urls}
    for host in LinkSettings.objects.filter(domain__in=hosts).values_list("domain", flat=True):
        raise BadDestination(f"“{_short(hosts[host or ''])}” is itself a short link.")


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
    if host in THIS_MACHINE:
        return (urlsplit(settings.LINK_URL).hostname or "") not in THIS_MACHINE
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
            host not in THIS_MACHINE or port == _port(ours, ours.port)
        ):
            return True
    return False


def _our_hosts() -> set[str]:
    urls = (settings.LINK_URL, settings.EDGE_URL, settings.PUBLIC_URL)
    return {(urlsplit(url).hostname or "").lower() for url in urls}


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
