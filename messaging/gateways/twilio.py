"""Twilio Programmable Messaging: requests, answers and lists. Pure: no database, no network.

Owns the translation between `messaging.gateways.base` and Twilio's 2010-04-01 Messages API.
Webhooks are in `twilio_webhooks.py`, what codes mean in `messaging.carrier_codes`.
https://www.twilio.com/docs/messaging/api/message-resource
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urljoin

from messaging import carrier_codes
from messaging.carrier_codes import Retry
from messaging.choices import Outcome, Reason
from messaging.gateways.base import Answer, Endpoint, Line, Listed, ListPage, Result
from messaging.gateways.twilio_lookup import line_found, lookup_url
from messaging.gateways.twilio_webhooks import STATES

# Without these Twilio gives up after one try, and a 500 from us is not tried again at all: the
# status would be lost. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
CALLBACK_RULES: Final = "#rc=5&rp=5xx,ct,rt"

# Read by pattern, not by json.loads, which costs ten times as much; quotes inside a text are
# escaped in JSON, so no message body can contain this.
_SID: Final = re.compile(rb'"sid"\s*:\s*"([A-Z]{2}[0-9a-fA-F]{32})"')

# Codes after which every further request with the same log-in or number would fail alike. 21612 is
# about this phone only.
_STOPPING: Final = frozenset({Reason.CARRIER_ACCOUNT, Reason.BAD_SENDER})
_ONE_PHONE: Final = frozenset({"21612"})
_PAGE_SIZE: Final = 100
_LONG_PAGE_SIZE: Final = 1000


class TwilioGateway:
    """One Twilio account."""

    tells_lines = True

    def __init__(
        self, *, account_sid: str, auth_token: str, api_base_url: str, callback_base: str
    ) -> None:
        """Open nothing.

        Args:
            account_sid: `AC...`.
            auth_token: Its secret.
            api_base_url: Twilio's, or a stand-in's.
            callback_base: What `<message>-<attempt>` is appended to for status callbacks.
        """
        basic = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._base = api_base_url.rstrip("/")
        self._list = f"{self._base}/2010-04-01/Accounts/{account_sid}/Messages.json"
        headers = (f"Authorization: Basic {basic}", "Accept: application/json")
        self.sending = Endpoint(
            "POST", self._list, (*headers, "Content-Type: application/x-www-form-urlencoded")
        )
        self.reading = Endpoint("GET", self._list, headers)
        self._callback = "&StatusCallback=" + quote_plus(callback_base)
        self._rules = quote_plus(CALLBACK_RULES)
        self._from: dict[str, str] = {}

    @staticmethod
    def encode(text: str) -> str:
        """`text` as a form value."""
        return quote_plus(text)

    @staticmethod
    def encode_media(urls: Sequence[str]) -> str:
        """Repeated MediaUrl parameters."""
        return "".join("&MediaUrl=" + quote_plus(url) for url in urls)

    def request(
        self, *, to: str, our_number: str, encoded_body: str, ref: str, media: str = ""
    ) -> bytes:
        """The form that creates one message."""
        sender = self._from.get(our_number)
        if sender is None:
            sender = self._from[our_number] = "&From=" + quote_plus(our_number) + "&Body="
        # E.164 needs no more encoding than its plus.
        return (
            f"To=%2B{to[1:]}{sender}{encoded_body}{media}{self._callback}{ref}{self._rules}"
        ).encode("ascii")

    def result(self, answer: Answer) -> Result:
        """What Twilio's answer to a create request came to."""
        status = answer.status
        if 200 <= status < 300:
            found = _SID.search(answer.body)
            if found is None:
                return Result(Outcome.UNKNOWN, http_status=status)
            return Result(Outcome.ACCEPTED, found[1].decode(), status)
        if not answer.is_written:
            return Result(Outcome.RETRYABLE)
        # 408: "the server did not receive a complete request", said by proxies also when it did.
        if status == 0 or status >= 500 or status == 408:
            return Result(Outcome.UNKNOWN, http_status=status, code=_code(answer.body))
        return _refusal(status, _code(answer.body))

    def line_endpoint(self, *, phone: str) -> Endpoint:
        """Lookup v2, of one number."""
        url = lookup_url(api_base_url=self._base, phone=phone)
        return Endpoint("GET", url, self.reading.headers)

    def line(self, answer: Answer) -> Line:
        """What Lookup's answer came to."""
        return line_found(answer)

    def list_url(self, *, to: str) -> str:
        """Asked by To alone: DateSent is null while a message is queued, so it would hide some."""
        return f"{self._list}?{urlencode({'To': to, 'PageSize': _PAGE_SIZE})}"

    def list_from_url(self, *, our_number: str) -> str:
        """Everything sent from one number, newest first; by no date, for the same reason."""
        return f"{self._list}?{urlencode({'From': our_number, 'PageSize': _LONG_PAGE_SIZE})}"

    def list_page(self, answer: Answer) -> ListPage | None:
        """One page of Messages.json."""
        if answer.status != 200:
            return None
        try:
            page = json.loads(answer.body)
            messages = [_listed(row) for row in page["messages"]]
            following = page.get("next_page_uri")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return ListPage(messages, urljoin(self._base + "/", following) if following else "")


def _refusal(status: int, code: str) -> Result:
    explained = carrier_codes.explain(code)
    stops = explained.is_tenant_stop or (explained.reason in _STOPPING and code not in _ONE_PHONE)
    if not code:
        # Not Twilio's words: a proxy, or an address that is not Twilio's API at all.
        stops = status < 400 or status in (401, 403, 404, 405)
    if stops or status == 429 or explained.retry == Retry.LATER:
        outcome = Outcome.RETRYABLE
    else:
        outcome = Outcome.REJECTED
    return Result(
        outcome,
        http_status=status,
        code=code,
        reason=explained.reason,
        is_opt_out=explained.reason == Reason.OPTED_OUT,
        stops_sender=stops,
    )


def _code(body: bytes) -> str:
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    code = parsed.get("code") if isinstance(parsed, dict) else None
    return str(code) if isinstance(code, int) else ""


def _listed(row: dict[str, Any]) -> Listed:
    return Listed(
        carrier_id=row["sid"],
        phone=row.get("to") or "",
        our_number=row.get("from") or "",
        body=row.get("body") or "",
        state=STATES.get(row.get("status") or "", ""),
        code=str(row.get("error_code") or ""),
        segments=int(row.get("num_segments") or 0),
        created_at=_moment(row["date_created"]),
        is_outbound=str(row.get("direction") or "").startswith("outbound"),
        media=int(row.get("num_media") or 0),
        cost_micros=_micros(row.get("price")),
        currency=str(row.get("price_unit") or "").upper()[:3],
    )


def _micros(price: object) -> int | None:
    """Twilio's "-0.00750" is 7,500: what is taken from its balance. None while there is none."""
    try:
        return abs(int(Decimal(str(price)) * 1_000_000)) if price is not None else None
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    at = parsedate_to_datetime(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
