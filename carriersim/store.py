"""What the carrier knows: accounts, numbers, messages, opt-outs. In memory; `journal` keeps a copy.

A message's status is not stored but follows from its times, so that a million messages need no
timer when nobody asked for callbacks. A sid is worked out from the message's place in the list and
back, so it needs no index either.
"""

from __future__ import annotations

import bisect
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from carriersim.behaviours import DELIVERED, Outcome
from carriersim.media import Fetched, File
from carriersim.segments import segment_count, smart_encode

TRIAL_PREFIX = "Sent from your Twilio trial account - "
OUTBOUND, INBOUND, REPLY = "outbound-api", "inbound", "outbound-reply"

# An odd factor makes the mapping of 64-bit numbers one to one; its inverse undoes it.
_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_MASK = (1 << 64) - 1


@dataclass(slots=True)
class Account:
    """A Twilio account: who may send, and the token that signs its webhooks."""

    sid: str
    auth_token: str
    trial: bool = False
    active: bool = True
    tokens: float = 0.0
    tokens_at: float = 0.0


@dataclass(slots=True)
class Number:
    """One of our numbers and where texts to it are posted."""

    number: str
    account_sid: str
    inbound_url: str = ""


@dataclass(slots=True, eq=False)
class Message:
    """One message, outbound or inbound. Times are unix seconds.

    ```
    scheduled (starts_at) -> queued | accepted (with a service) -> sent (sent_at)
       \\-> canceled                \\-> failed (final_at, no sent_at)  \\-> outcome (final_at)
    ```
    """

    index: int
    prefix: str
    account: Account
    sender: str
    to: str
    body: str
    direction: str
    created_at: float
    status_callback: str = ""
    service: str = ""
    outcome: Outcome = DELIVERED
    starts_at: float | None = None
    sent_at: float | None = None
    final_at: float | None = None
    media: tuple[str, ...] = ()  # addresses, ours or (of what came in) our own
    trial: bool = False
    smart: bool = False
    canceled: bool = False
    redacted: bool = False
    deleted: bool = False
    callbacks_ok: int = 0
    fetched: tuple[Fetched, ...] = ()
    files: tuple[File, ...] = ()

    @property
    def sid(self) -> str:
        """Twilio's id: SM (MM with media) and 32 hex digits."""
        kind = "MM" if self.media else "SM"
        return f"{kind}{self.prefix}{(self.index + 1) * _FACTOR & _MASK:016x}"

    @property
    def phone(self) -> str:
        """The handset's number, whichever way the message went."""
        return self.sender if self.direction == INBOUND else self.to

    def status(self, now: float) -> str:
        """Twilio's status word at a time."""
        if self.direction == INBOUND:
            return "received"
        if self.canceled:
            return "canceled"
        if self.final_at is not None and now >= self.final_at:
            return self.outcome.status
        if self.sent_at is not None and now >= self.sent_at:
            return "sent"
        if self.starts_at is not None and now < self.starts_at:
            return "scheduled"
        return "accepted" if self.service else "queued"

    def is_over(self, now: float) -> bool:
        """Whether nothing more will happen to it."""
        return self.direction == INBOUND or self.canceled or self._is_final(now)

    def error_code(self, now: float) -> int | None:
        """Twilio's error code, once it failed."""
        return self.outcome.code if not self.canceled and self._is_final(now) else None

    def shown_body(self) -> str:
        """The text as the carrier shows it: with trial prefix, smart-encoded, redacted."""
        if self.redacted:
            return ""
        text = TRIAL_PREFIX + self.body if self.trial else self.body
        return smart_encode(text) if self.smart else text

    def segments(self) -> int:
        """How many segments it is billed as; a message with media is one, whatever it says."""
        if self.redacted or self.media:
            return 1
        return segment_count(self.shown_body())

    def _is_final(self, now: float) -> bool:
        return self.final_at is not None and now >= self.final_at


@dataclass(slots=True)
class Store:
    """Everything remembered. `prefix` makes sids of different runs differ."""

    accounts: dict[str, Account] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    opt_outs: set[tuple[str, str]] = field(default_factory=set)
    prefix: str = field(default_factory=lambda: secrets.token_hex(8))
    # A phone has one message most of the time: a bare index is a tenth of a list's memory.
    _by_phone: dict[str, int | list[int]] = field(default_factory=dict)
    _inbound: dict[str, list[int]] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Append a message whose index is the length of the list."""
        self.messages.append(message)
        phone, index = message.phone, message.index
        known = self._by_phone.get(phone)
        if known is None:
            self._by_phone[phone] = index
        elif isinstance(known, int):
            self._by_phone[phone] = [known, index]
        else:
            known.append(index)
        if message.direction == INBOUND:
            self._inbound.setdefault(message.to, []).append(index)

    def by_sid(self, sid: str) -> Message | None:
        """The message of a sid, deleted ones too."""
        try:
            index = (int(sid[18:], 16) * _INVERSE & _MASK) - 1
        except ValueError:
            return None
        if 0 <= index < len(self.messages) and self.messages[index].sid == sid:
            return self.messages[index]
        return None

    def thread(self, phone: str) -> list[Message]:
        """All messages from and to a handset, oldest first."""
        known = self._by_phone.get(phone, [])
        return [self.messages[index] for index in ([known] if isinstance(known, int) else known)]

    def newest_of(self, digits: str) -> list[Message]:
        """The newest message of each handset whose number has these digits, newest first."""
        threads = (self.thread(phone) for phone in self._by_phone if digits in phone)
        return sorted((one[-1] for one in threads), key=lambda one: one.index, reverse=True)

    def before(self, end: int, *, to: str = "") -> Iterator[Message]:
        """Messages with an index below `end`, newest first; only those to a number if given."""
        if not to:
            for index in range(end - 1, -1, -1):
                yield self.messages[index]
            return
        for index in reversed(_below(self._to(to), end)):
            if self.messages[index].to == to:
                yield self.messages[index]

    def _to(self, number: str) -> list[int]:
        known = self._by_phone.get(number, [])
        outbound = [known] if isinstance(known, int) else known
        inbound = self._inbound.get(number)
        if inbound is None:
            return outbound
        return sorted({*outbound, *inbound}) if outbound else inbound

    def settle(self, now: float) -> None:
        """Bring every time that lies ahead to now."""
        for message in self.messages:
            if message.starts_at is not None and message.starts_at > now:
                message.starts_at = now
            if message.sent_at is not None and message.sent_at > now:
                message.sent_at = now
            if message.final_at is not None and message.final_at > now:
                message.final_at = now

    def forget(self) -> None:
        """Drop messages and opt-outs; later sids cannot be mistaken for earlier ones."""
        self.messages.clear()
        self.opt_outs.clear()
        self._by_phone.clear()
        self._inbound.clear()
        self.prefix = secrets.token_hex(8)


def _below(indexes: list[int], end: int) -> list[int]:
    return indexes[: bisect.bisect_left(indexes, end)]
