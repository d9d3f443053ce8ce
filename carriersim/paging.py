"""Twilio's lists: filters, pages, tokens.

Newest first. A page token names the message next to the page, so pages stay right while new
messages come in. A message is not in a list before `list_delay_s`, and under no DateSent filter
while unsent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from carriersim.errors import CarrierError
from carriersim.store import Account, Message, Store
from carriersim.validation import moment

DEFAULT_SIZE, MOST_SIZE = 50, 1000
_DAY_S = timedelta(days=1).total_seconds()


@dataclass(slots=True, frozen=True)
class Query:
    """The filters of a list; times are unix seconds, both ends included."""

    to: str = ""
    sender: str = ""
    sent_from: float | None = None
    sent_until: float | None = None

    def matches(self, message: Message, now: float) -> bool:
        """Whether a message is in the list."""
        if self.to and message.to != self.to:
            return False
        if self.sender and message.sender != self.sender:
            return False
        if self.sent_from is None and self.sent_until is None:
            return True
        if message.sent_at is None or message.sent_at > now:
            return False
        # Twilio's dates have no parts of a second.
        sent_at = int(message.sent_at)
        return (self.sent_from is None or sent_at >= self.sent_from) and (
            self.sent_until is None or sent_at <= self.sent_until
        )


def read_query(params: dict[str, str]) -> Query:
    """The filters of a query string; `DateSent=` takes a day or a moment."""
    sent_from, sent_until = _bound(params, "DateSent>"), _bound(params, "DateSent<")
    if params.get("DateSent"):
        sent_from = sent_until = _bound(params, "DateSent")
        # The SDK writes a day as its midnight.
        if sent_from is not None and sent_from % _DAY_S == 0:
            sent_until = sent_from + _DAY_S - 1
    return Query(params.get("To", ""), params.get("From", ""), sent_from, sent_until)


def _bound(params: dict[str, str], name: str) -> float | None:
    text = params.get(name)
    if not text:
        return None
    when = moment(text.replace(" ", "+"))
    if when is None:
        raise CarrierError(20001, f"{name}={text}")
    return when


def page_data(
    *,
    store: Store,
    account: Account,
    path: str,
    params: dict[str, str],
    now: float,
    list_delay_s: float,
    render: Callable[[Message], dict[str, Any]],
) -> dict[str, Any]:
    """One page of an account's messages, with the addresses of its neighbours.

    Raises:
        CarrierError: 20002 for a size, page or token that cannot be.
    """
    query = read_query(params)
    size = min(_whole(params, "PageSize", DEFAULT_SIZE), MOST_SIZE)
    page = _whole(params, "Page", 0)
    if size == 0:
        raise CarrierError(20002)
    token = params.get("PageToken", "")

    def shown(messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if (
                message.account is account
                and not message.deleted
                and message.created_at + list_delay_s <= now
                and query.matches(message, now)
            ):
                yield message

    if token[:2] == "PB":
        newer = shown(store.messages[_token_index(store, token) + 1 :])
        found = [message for message, _ in zip(newer, range(size), strict=False)][::-1]
        more = True
    else:
        end = _token_index(store, token) if token else len(store.messages)
        older = shown(store.before(end, to=query.to))
        for _ in range(0 if token else page * size):
            next(older, None)
        found = [message for message, _ in zip(older, range(size + 1), strict=False)]
        more = len(found) > size
        found = found[:size]

    def uri(number: int, page_token: str = "") -> str:
        kept = {key: params[key] for key in _FILTERS if params.get(key)}
        place = {"PageToken": page_token} if page_token else {}
        return f"{path}?{urlencode({**kept, 'PageSize': size, 'Page': number, **place})}"

    return {
        "messages": [render(message) for message in found],
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(len(found) - 1, 0),
        "uri": uri(page, token),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page - 1, f"PB{found[0].sid}") if page and found else None,
        "next_page_uri": uri(page + 1, f"PA{found[-1].sid}") if more and found else None,
    }


_FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>")


def _whole(params: dict[str, str], name: str, default: int) -> int:
    text = params.get(name, "")
    if text and not text.isdigit():
        raise CarrierError(20002)
    return int(text) if text else default


def _token_index(store: Store, token: str) -> int:
    message = store.by_sid(token[2:])
    if token[:2] not in ("PA", "PB") or message is None:
        raise CarrierError(20002)
    return message.index
