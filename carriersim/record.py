"""The carrier's own record, for whoever has to judge: what was accepted, and what became of it.

Counts what was accepted, also what was deleted or redacted afterwards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from carriersim.people import Hit
from carriersim.store import INBOUND, OUTBOUND, Message, Store


def as_phone(text: str) -> str:
    """A number from a query string, where a bare plus arrives as a space."""
    return f"+{text.strip()}" if text[:1] == " " else text


@dataclass(slots=True, frozen=True)
class Selection:
    """Which messages to look at; times are unix seconds of creation."""

    since: float = 0.0
    until: float = float("inf")
    to: str = ""
    sender: str = ""
    account_sid: str = ""
    direction: str = OUTBOUND

    @classmethod
    def from_params(cls, params: dict[str, str]) -> Selection:
        """A selection from a query string.

        Raises:
            ValueError: a time is not a number.
        """
        return cls(
            since=float(params.get("since") or 0),
            until=float(params.get("until") or "inf"),
            to=as_phone(params.get("to", "")),
            sender=as_phone(params.get("from", "")),
            account_sid=params.get("account_sid", ""),
            direction=params.get("direction") or OUTBOUND,
        )

    def of(self, store: Store) -> Iterator[Message]:
        """The selected messages, oldest first."""
        # By index: messages may be added while a long answer is being streamed.
        for index in range(len(store.messages)):
            message = store.messages[index]
            if (
                (self.direction == "all" or message.direction == self.direction)
                and self.since <= message.created_at <= self.until
                and (not self.to or message.to == self.to)
                and (not self.sender or message.sender == self.sender)
                and (not self.account_sid or message.account.sid == self.account_sid)
            ):
                yield message


def summary(store: Store, selection: Selection, now: float) -> dict[str, Any]:
    """Counts; `repeated` are the recipients with more than one message."""
    recipients: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for message in selection.of(store):
        recipients[message.to] += 1
        statuses[message.status(now)] += 1
    return {
        "accepted": recipients.total(),
        "recipients": len(recipients),
        "most_to_one": max(recipients.values(), default=0),
        "repeated": {to: count for to, count in recipients.items() if count > 1},
        "by_status": dict(statuses),
        "inbound": sum(message.direction == INBOUND for message in store.messages),
    }


def recipients(store: Store, selection: Selection) -> dict[str, int]:
    """Number of accepted messages by recipient."""
    return Counter(message.to for message in selection.of(store))


def line(message: Message, now: float) -> str:
    """One message as a JSON line."""
    return json.dumps(
        {
            "sid": message.sid,
            "account_sid": message.account.sid,
            "to": message.to,
            "from": message.sender,
            "body": message.body,
            "direction": message.direction,
            "status": message.status(now),
            "error_code": message.error_code(now),
            "num_segments": message.segments(),
            "status_callback": message.status_callback,
            "created_at": message.created_at,
            "sent_at": message.sent_at,
            "final_at": message.final_at,
            "deleted": message.deleted,
            "callbacks_ok": message.callbacks_ok,
            "media": message.media,
            "fetched": [one.data() for one in message.fetched],
        }
    )


def hit_line(hit: Hit) -> str:
    """One fetch of a link as a JSON line."""
    return json.dumps(
        {
            "at": hit.at,
            "phone": hit.phone,
            "url": hit.url,
            "kind": hit.kind,
            "method": hit.method,
            "status": hit.status,
            "user_agent": hit.agent,
        }
    )
