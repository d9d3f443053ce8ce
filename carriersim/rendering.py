"""A message, an account, a number as Twilio's API shows them."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from typing import Any

from carriersim.callbacks import API_VERSION
from carriersim.store import INBOUND, Account, Message, Number

# Texts of https://www.twilio.com/docs/api/errors; clients must go by the code.
_ERROR_TEXTS = {
    21610: "Attempt to send to unsubscribed recipient",
    30001: "Queue overflow",
    30003: "Unreachable destination handset",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    11200: "HTTP retrieval failure",
    12300: "Invalid Content-Type",
    30019: "Content size exceeds carrier limit",
}


@lru_cache(maxsize=4096)
def _rfc2822(second: int) -> str:
    return formatdate(second).replace("-0000", "+0000")


def date(when: float | None) -> str | None:
    """RFC 2822, as Twilio writes times."""
    return None if when is None else _rfc2822(int(when))


def message_data(message: Message, *, now: float, price_per_segment: str) -> dict[str, Any]:
    """The Message resource. A service's message shows no sender and no segments until sent."""
    status = message.status(now)
    code = message.error_code(now)
    sent_at = message.sent_at if message.sent_at is not None and message.sent_at <= now else None
    updated = [at for at in (message.sent_at, message.final_at) if at is not None and at <= now]
    undecided = bool(message.service) and status in ("accepted", "scheduled", "canceled")
    segments = 0 if undecided else message.segments()
    uri = f"/{API_VERSION}/Accounts/{message.account.sid}/Messages/{message.sid}"
    priced = sent_at is not None and message.direction != INBOUND
    return {
        "body": message.shown_body(),
        "num_segments": str(segments),
        "direction": message.direction,
        "from": None if undecided else message.sender,
        "date_updated": date(max(updated, default=message.created_at)),
        "price": f"-{float(price_per_segment) * segments:.5f}" if priced else None,
        "error_message": _ERROR_TEXTS.get(code) if code else None,
        "uri": f"{uri}.json",
        "account_sid": message.account.sid,
        "num_media": str(len(message.media)),
        "to": message.to,
        "date_created": date(message.created_at),
        "status": status,
        "sid": message.sid,
        "date_sent": date(sent_at),
        "messaging_service_sid": message.service or None,
        "error_code": code,
        "price_unit": "USD",
        "api_version": API_VERSION,
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def account_data(account: Account) -> dict[str, Any]:
    """The Account resource."""
    return {
        "sid": account.sid,
        "friendly_name": "carriersim",
        "status": "active" if account.active else "suspended",
        "type": "Trial" if account.trial else "Full",
        "owner_account_sid": account.sid,
        "date_created": None,
        "date_updated": None,
        "uri": f"/{API_VERSION}/Accounts/{account.sid}.json",
        "subresource_uris": {"messages": f"/{API_VERSION}/Accounts/{account.sid}/Messages.json"},
    }


def number_data(number: Number, place: int) -> dict[str, Any]:
    """The IncomingPhoneNumber resource; the sid is its place in the list."""
    sid = f"PN{place:032x}"
    return {
        "sid": sid,
        "account_sid": number.account_sid,
        "friendly_name": number.number,
        "phone_number": number.number,
        "sms_url": number.inbound_url,
        "sms_method": "POST",
        "capabilities": {"voice": False, "sms": True, "mms": True, "fax": False},
        "api_version": API_VERSION,
        "uri": f"/{API_VERSION}/Accounts/{number.account_sid}/IncomingPhoneNumbers/{sid}.json",
    }
