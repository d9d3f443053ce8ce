"""Twilio Lookup v2: what kind of line a number is, for money. Pure: no database, no network.

https://www.twilio.com/docs/lookup/v2-api/line-type-intelligence
"""

import json
from typing import Any, Final
from urllib.parse import quote

from contacts.choices import LineType
from messaging.choices import Outcome
from messaging.gateways.base import Answer, Line

# On Twilio a host of its own; a stand-in answers at the address that it has.
_HOSTS: Final = {"https://api.twilio.com": "https://lookups.twilio.com"}
_TYPES: Final = {
    "mobile": LineType.MOBILE,
    "landline": LineType.LANDLINE,
    "fixedVoip": LineType.VOIP,
    "nonFixedVoip": LineType.VOIP,
    "tollFree": LineType.TOLL_FREE,
}
# The log-in is wrong, inactive or may not look up: every further request would fail alike.
_STOPPING: Final = frozenset({401, 402, 403})


def lookup_url(*, api_base_url: str, phone: str) -> str:
    """The address that tells the line type of `phone` (E.164)."""
    base = _HOSTS.get(api_base_url, api_base_url)
    return f"{base}/v2/PhoneNumbers/{quote(phone)}?Fields=line_type_intelligence"


def line_found(answer: Answer) -> Line:
    """What an answer of Lookup came to. Never raises: what is not understood is unknown."""
    status = answer.status
    if status == 200:
        return _told(answer.body)
    if not answer.is_written or status == 429:
        return Line(Outcome.RETRYABLE)
    if 400 <= status < 500:
        return Line(Outcome.REJECTED, stops=status in _STOPPING)
    return Line(Outcome.UNKNOWN)


def _told(body: bytes) -> Line:
    try:
        data: Any = json.loads(body)
        line = data.get("line_type_intelligence") or {}
        word, carrier = str(line.get("type")), line.get("carrier_name")
    except (ValueError, AttributeError):
        return Line(Outcome.UNKNOWN)
    return Line(Outcome.ACCEPTED, _TYPES.get(word, LineType.UNKNOWN), str(carrier or "")[:120])
