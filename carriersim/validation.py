"""Reads the form of a create request and refuses what Twilio refuses, with its codes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus, urlsplit

from carriersim.errors import CarrierError
from carriersim.media import MOST_FILES
from carriersim.store import Account, Store

_PHONE = re.compile(r"\+(?:1[2-9]\d\d[2-9]\d{6}|[2-9]\d{7,14})").fullmatch
_SENDER = re.compile(r"\+[1-9]\d{7,14}|\d{3,6}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}").fullmatch
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}").fullmatch
MOST_BODY = 1600
_LEAST_AHEAD_S, _MOST_AHEAD_S = 5 * 60, 35 * 86400


@dataclass(slots=True)
class Order:
    """A create request that may be accepted."""

    to: str
    sender: str
    body: str
    status_callback: str
    service: str
    starts_at: float | None
    media: tuple[str, ...]
    smart: bool


def parse_form(data: bytes) -> dict[str, list[str]]:
    """Values by name of a form-urlencoded body, empty values kept."""
    form: dict[str, list[str]] = {}
    for pair in data.decode("utf-8", "replace").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            form.setdefault(_plain(name), []).append(_plain(value))
    return form


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def read_order(
    form: dict[str, list[str]], *, account: Account, store: Store, known_only: bool
) -> Order:
    """Check a create request.

    Args:
        known_only: whether `From` must be registered for the account.

    Raises:
        CarrierError: the first thing that is wrong with it.
    """

    def value(name: str) -> str:
        values = form.get(name)
        return values[-1] if values else ""

    to, body, service = value("To"), value("Body"), value("MessagingServiceSid")
    media = tuple(form.get("MediaUrl", ()))
    if not to:
        raise CarrierError(21604)
    if not value("From") and not service:
        raise CarrierError(21603)
    if not body and not media:
        raise CarrierError(21602)
    if len(body) > MOST_BODY:
        raise CarrierError(21617)
    if len(media) > MOST_FILES:
        raise CarrierError(21623)
    for url in media:
        if not _is_address(url):
            raise CarrierError(21620, url)
    if not _PHONE(to):
        raise CarrierError(21211, to)
    callback = value("StatusCallback")
    if callback:
        _check_callback(callback)
    validity = value("ValidityPeriod")
    if validity and not (validity.isdigit() and 1 <= int(validity) <= 36000):
        raise CarrierError(21624, validity)
    return Order(
        to=to,
        sender=_sender(value("From"), service, account=account, store=store, known_only=known_only),
        body=body,
        status_callback=callback,
        service=service,
        starts_at=_starts_at(value("ScheduleType"), value("SendAt"), service),
        media=media,
        smart=value("SmartEncoded").lower() == "true",
    )


def _sender(sender: str, service: str, *, account: Account, store: Store, known_only: bool) -> str:
    """The number it goes out from: `From`, or the service's first."""
    if service and not _SERVICE(service):
        raise CarrierError(21705, service)
    if not sender:
        pool = (one.number for one in store.numbers.values() if one.account_sid == account.sid)
        sender = next(pool, "")
        if not sender:
            raise CarrierError(21703)
        return sender
    if not _SENDER(sender):
        raise CarrierError(21212, sender)
    number = store.numbers.get(sender)
    if number.account_sid != account.sid if number else known_only:
        raise CarrierError(21606, sender)
    return sender


def _check_callback(url: str) -> None:
    if not _is_address(url):
        raise CarrierError(21609, url)


def _is_address(url: str) -> bool:
    """Absolute, http, and a host name without underscores."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname
    return parts.scheme in ("http", "https") and host is not None and "_" not in host


def _starts_at(kind: str, send_at: str, service: str) -> float | None:
    if not kind:
        return None
    if not send_at:
        raise CarrierError(35111)
    if not service:
        raise CarrierError(35118)
    starts_at = moment(send_at)
    if starts_at is None or not _LEAST_AHEAD_S <= starts_at - time.time() + 1 <= _MOST_AHEAD_S + 1:
        raise CarrierError(35114)
    return starts_at


def moment(text: str) -> float | None:
    """Unix seconds of an ISO 8601 time (UTC where it names no zone), or None."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
