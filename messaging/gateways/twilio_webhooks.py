"""Twilio's webhooks: who signed them, what they say. Pure: no database, no network.

Owns the signature rule and the translation of payloads into `messaging.gateways.events`. Storing
them is the edge's, applying them `messaging.receipts`'. Every word and code here is from Twilio's
pages on message status callbacks, inbound webhooks and webhook security.
"""

import base64
import hashlib
import hmac
import json
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit

from messaging import carrier_codes
from messaging.choices import MessageState, Reason
from messaging.gateways.events import InboundText, LinkClick

Payload = dict[str, Any]

# Twilio's status words. `sent` can be the last word for ever; `read` comes from other channels;
# `canceled` is a scheduled message that was taken back and never left.
STATES: Final[dict[str, str]] = {  # plain strings: they are stored as they stand here
    "accepted": MessageState.ACCEPTED.value,
    "scheduled": MessageState.ACCEPTED.value,
    "queued": MessageState.ACCEPTED.value,
    "sending": MessageState.ACCEPTED.value,
    "sent": MessageState.SENT.value,
    "delivered": MessageState.DELIVERED.value,
    "partially_delivered": MessageState.DELIVERED.value,
    "read": MessageState.DELIVERED.value,
    "undelivered": MessageState.UNDELIVERED.value,
    "failed": MessageState.FAILED.value,
    "canceled": MessageState.FAILED.value,
}

_BAD: Final[frozenset[str]] = frozenset({MessageState.UNDELIVERED, MessageState.FAILED})


# ---- signature ----------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _origins(origin: str) -> tuple[str, ...]:
    """The two spellings of an origin that Twilio may sign: with and without its port."""
    parts = urlsplit(origin)
    default = 443 if parts.scheme == "https" else 80
    host = parts.netloc.split(":")[0] if parts.port else parts.netloc
    with_port = origin if parts.port else f"{parts.scheme}://{host}:{default}{parts.path}"
    return (origin, f"{parts.scheme}://{host}{parts.path}" if parts.port else with_port)


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Names and values of a form body in order, empty values and repeated names kept.

    Ten times as fast as `urllib.parse.parse_qsl` on what carriers send, and no different
    (tests/edge/test_signature.py).
    """
    text = body.decode("latin-1")
    if not text.isascii():
        text = quote(body, safe=string.printable)
    pairs = []
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in value or "+" in value:
            value = _unquote(value)
        if "%" in name or "+" in name:
            name = _unquote(name)
        if name or value:
            pairs.append((name, value))
    return pairs


_ASCII_BY_HEX: Final = {
    first + second: chr(int(first + second, 16))
    for first in "01234567"
    for second in string.hexdigits
}


def _unquote(text: str) -> str:
    """`urllib.parse.unquote_plus`; what stays within ASCII by table."""
    first, *rest = text.replace("+", " ").split("%")
    parts = [first]
    for part in rest:
        sign = _ASCII_BY_HEX.get(part[:2])
        if sign is None:  # beyond ASCII, or a stray percent sign
            return unquote_plus(text)
        parts.append(sign + part[2:])
    return "".join(parts)


def signed_text(pairs: Sequence[tuple[str, str]]) -> str:
    """What a form adds to the signed URL: names in byte order, a name's values once, sorted."""
    return "".join([name + value for name, value in sorted(set(pairs))])


def verify(
    *,
    origin: str,
    target: str,
    body: bytes,
    pairs: Sequence[tuple[str, str]] | None,
    signature: bytes,
    secrets: Sequence[bytes],
) -> bool:
    """Whether a webhook was signed with one of `secrets`.

    Rule: base64(HMAC-SHA1(auth token, URL + names and values)), the URL as configured with its
    query verbatim; a JSON body is covered by `bodySHA256` in that query instead. Equal in verdict
    to `twilio.request_validator.RequestValidator`.
    https://www.twilio.com/docs/usage/webhooks/webhooks-security

    Args:
        origin: EDGE_URL, which the carrier was given; never the Host header.
        target: Path and query as received.
        body: The raw body.
        pairs: The parsed form, or None for a JSON body.
        signature: The X-Twilio-Signature header.
        secrets: Auth tokens that may have signed it: the current one, the one before.
    """
    if pairs is None:
        declared = parse_qs(urlsplit(target).query).get("bodySHA256", [""])[0]
        actual = hashlib.sha256(body).hexdigest()
        if not hmac.compare_digest(actual.encode(), declared.encode("utf-8", "replace")):
            return False
        tail = target
    else:
        tail = target + signed_text(pairs)
    for secret in secrets:
        for spelling in _origins(origin):
            digest = hmac.digest(secret, (spelling + tail).encode("utf-8", "replace"), "sha1")
            if hmac.compare_digest(base64.b64encode(digest), signature):
                return True
    return False


# ---- payloads -----------------------------------------------------------------------------------


def payload_of(pairs: Sequence[tuple[str, str]]) -> Payload:
    """A form as stored: name to value, or to the list of values where a name came repeatedly."""
    payload: Payload = dict(pairs)
    if len(payload) == len(pairs):
        return payload
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: held[0] if len(held) == 1 else held for name, held in values.items()}


def payload_of_json(body: bytes) -> Payload | None:
    """A JSON body as stored (a list goes under `events`), or None when it is not JSON."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else {"events": parsed}


def status_words(payload: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """A status callback's own words: message id, account id, status, error code; "" for none.

    https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
    """
    return (
        _text(payload, "MessageSid", "SmsSid"),
        _text(payload, "AccountSid"),
        _text(payload, "MessageStatus", "SmsStatus"),
        _text(payload, "ErrorCode"),
    )


def status_meaning(word: str, code: str) -> tuple[str, str]:
    """The `MessageState` and `Reason` of a status and its error code.

    An unknown word has neither ("", ""): it is no error, and still proves that the carrier has the
    message. Where nothing went wrong there is no reason.
    """
    state = STATES.get(word, "")
    if state not in _BAD:
        return state, ""
    reason = Reason.CANCELED if word == "canceled" else carrier_codes.reason(code)
    return state, reason.value


def parse_inbound(payload: Mapping[str, Any]) -> InboundText:
    """An inbound text. https://www.twilio.com/docs/messaging/guides/webhook-request"""
    segments = _text(payload, "NumSegments")
    media_count = _text(payload, "NumMedia")
    media = [
        _text(payload, f"MediaUrl{place}")
        for place in range(min(int(media_count), 10) if _is_number(media_count) else 0)
    ]
    return InboundText(
        carrier_id=_text(payload, "MessageSid", "SmsMessageSid", "SmsSid"),
        account_ref=_text(payload, "AccountSid"),
        phone=_text(payload, "From"),
        our_number=_text(payload, "To"),
        body=_text(payload, "Body"),
        segments=int(segments) if _is_number(segments) else 1,
        opt_out_word=_text(payload, "OptOutType").upper(),
        media=tuple(address for address in media if address),
    )


def parse_clicks(payload: Mapping[str, Any]) -> list[LinkClick]:
    """Taps on links Twilio shortened: one plain callback, or CloudEvents of an event stream."""
    rows = payload.get("events", [payload])
    clicks = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        data = row.get("data", row)
        if isinstance(data, dict) and (data.get("sms_sid") or data.get("message_sid")):
            clicks.append(_click(data))
    return clicks


def _click(data: Mapping[str, Any]) -> LinkClick:
    return LinkClick(
        carrier_id=_text(data, "message_sid", "sms_sid"),
        account_ref=_text(data, "account_sid"),
        destination=_text(data, "link"),
        at=_moment(_text(data, "click_time")),
        user_agent=_text(data, "user_agent"),
    )


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        # PostgreSQL knows fewer zones than Python.
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5


def _text(payload: Mapping[str, Any], name: str, *others: str) -> str:
    """The first of these that is there and not empty, as text; a repeated name's first value."""
    value = payload.get(name)
    if value and isinstance(value, str):
        return value
    if isinstance(value, list):
        value = value[0] if value else ""
    if value not in (None, ""):
        return str(value)
    return _text(payload, *others) if others else ""
