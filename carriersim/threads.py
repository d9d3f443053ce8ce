"""What the page with the phones reads: the phones, and one phone's texts as it shows them."""

from __future__ import annotations

from typing import Any

from carriersim.record import as_phone
from carriersim.store import INBOUND, Message, Store


def phones(store: Store, params: dict[str, str], now: float) -> list[dict[str, Any]]:
    """Phones with their last text, newest first. `search` matches digits; `limit` is 50."""
    digits = "".join(char for char in params.get("search", "") if char.isdigit())
    limit = _limit(params, 50)
    # The newest few are at the end of the list; a rare number would be looked for in all of it.
    newest = store.newest_of(digits) if digits else store.before(len(store.messages))
    found: dict[str, Message] = {}
    for message in newest:
        if len(found) == limit:
            break
        if message.phone not in found and _has_arrived(message, now):
            found[message.phone] = message
    return [{"phone": phone, **_bubble(message, now)} for phone, message in found.items()]


def thread(store: Store, params: dict[str, str], now: float) -> list[dict[str, Any]]:
    """The last texts from and to one phone, oldest first, each with our number."""
    messages = [
        one for one in store.thread(as_phone(params.get("phone", ""))) if _has_arrived(one, now)
    ]
    return [_bubble(message, now) for message in messages[-_limit(params, 100) :]]


def _has_arrived(message: Message, now: float) -> bool:
    """Whether the phone shows it: what was delivered to it, and what it sent itself."""
    return message.status(now) in ("delivered", "received")


def _bubble(message: Message, now: float) -> dict[str, Any]:
    inbound = message.direction == INBOUND
    return {
        "sid": message.sid,
        "number": message.to if inbound else message.sender,
        "typed": inbound,
        "body": message.shown_body(),
        "at": message.created_at if inbound else message.final_at,
        "status": message.status(now),
    }


def _limit(params: dict[str, str], default: int) -> int:
    text = params.get("limit", "")
    return min(int(text), 1000) if text.isdigit() and int(text) else default
