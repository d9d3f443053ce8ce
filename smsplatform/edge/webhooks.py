"""Carrier webhooks: check who signed, store, answer only after the commit.

Owns `/webhooks/twilio/<carrier account>/(status/<message>-<attempt> | inbound | clicks)`. Nothing
is judged here beyond the signature: an unknown status or message is stored and answered 2xx, since
a carrier cannot do anything about it and by default never asks again. Applying is
`messaging.receipts`'.

Answers: 404 unknown account or path, 405 not a POST, 413 body over 64 KB, 403 wrong signature,
503 PostgreSQL away (carriers repeat it where the URL's fragment says so), else 2xx.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from common.groupcommit import GroupCommit, Unavailable, Unstorable
from messaging import payloads
from messaging.choices import EventKind
from messaging.gateways import twilio_webhooks
from smsplatform.edge.cache import Cache, KnownAccount
from smsplatform.edge.http import (
    Answer,
    BodyTooLarge,
    Receive,
    Scope,
    Send,
    read_body,
    text,
)
from smsplatform.edge.stores import EventRow, Said

PREFIX: Final = "/webhooks/twilio/"

_STORED: Final = Answer(204)
_NO_REPLY: Final = Answer(
    200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', b"text/xml; charset=utf-8"
)
_NOT_FOUND: Final = text(404, "There is no such carrier account or webhook here.")
_NOT_POST: Final = text(405, "Webhooks are posted.", (b"allow", b"POST"))
_TOO_LARGE: Final = text(413, "The body is larger than 64 KB.")
_NOT_READABLE: Final = text(400, "The body is neither a form nor JSON that can be stored.")
_BAD_SIGNATURE: Final = text(
    403, "The signature does not fit: check the auth token and that EDGE_URL is what was called."
)
_AWAY: Final = text(503, "Cannot store it now, post it again.", (b"retry-after", b"1"))

# A secret that was just changed must not cost webhooks, but a flood of forged ones no queries.
_REREAD_AFTER_S: Final = 1.0
_ID: Final = "([1-9][0-9]{0,17})"
_STATUS_PATH: Final = re.compile(rf"{PREFIX}{_ID}/status/{_ID}-([1-9][0-9]{{0,4}})")
_OTHER_PATH: Final = re.compile(rf"{PREFIX}{_ID}/(inbound|clicks)")
_MOST_ATTEMPT: Final = 32_767

# Plain strings: an enum's members cost more to reach than all the rest of a comparison.
_STATUS: Final = EventKind.STATUS.value
_INBOUND: Final = EventKind.INBOUND.value
_CLICK: Final = EventKind.CLICK.value


class Target(NamedTuple):
    """What a webhook's path says; 0 where it names no message."""

    carrier_account_id: int
    kind: str
    message_id: str = "0"
    attempt_n: str = "0"


@dataclass(slots=True)
class Counts:
    """Webhooks that were not stored, by why."""

    bad_signature: int = 0
    too_large: int = 0


class Webhooks:
    """Takes webhooks in; one per event loop."""

    def __init__(
        self, *, origin: str, accounts: Cache[KnownAccount], events: GroupCommit[EventRow]
    ) -> None:
        self.counts = Counts()
        self._origin = origin
        self._accounts = accounts
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        target = target_of(scope["path"])
        if target is None:
            await _NOT_FOUND.to(send)
        elif scope["method"] != "POST":
            await _NOT_POST.to(send)
        else:
            answer = _NO_REPLY if target.kind == _INBOUND else _STORED
            try:
                account = self._accounts.peek(target.carrier_account_id) or await self._known(
                    target
                )
                body = await read_body(scope, receive)
                asked = _Asked(self._origin, scope, body)
                if not asked.is_signed(account):
                    asked = await self._asked_again(target, asked)
                await self._events.submit(event_row(target, asked))
            except Refused as refused:
                answer = refused.answer
            except BodyTooLarge:
                self.counts.too_large += 1
                answer = _TOO_LARGE
            except Unavailable:
                answer = _AWAY
            except Unstorable:
                answer = _NOT_READABLE
            await answer.to(send)

    async def _known(self, target: Target) -> KnownAccount:
        account = await self._accounts.get(target.carrier_account_id)
        if account is None:
            raise Refused(_NOT_FOUND)
        return account

    async def _asked_again(self, target: Target, asked: "_Asked") -> "_Asked":
        """Check once more with secrets read anew: they may have been changed just now."""
        account = await self._accounts.refreshed(
            target.carrier_account_id, older_than_s=_REREAD_AFTER_S
        )
        if account is None or not asked.is_signed(account):
            self.counts.bad_signature += 1
            raise Refused(_BAD_SIGNATURE)
        return asked


class Refused(Exception):
    """A webhook that is not stored, with what to answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Asked:
    """What a request brought: the form or the JSON, and what it was signed over."""

    __slots__ = ("_body", "_origin", "_signature", "_target", "pairs")

    def __init__(self, origin: str, scope: Scope, body: bytes) -> None:
        self._origin = origin
        self._body = body
        self._signature = kind = b""
        for name, value in scope["headers"]:
            if name == b"x-twilio-signature":
                self._signature = value
            elif name == b"content-type":
                kind = value
        self._target = target_text(scope)
        is_json = kind[:16].lower() == b"application/json"
        self.pairs = None if is_json else twilio_webhooks.form_pairs(body)

    def is_signed(self, account: KnownAccount) -> bool:
        """Whether one of the account's secrets signed it."""
        return twilio_webhooks.verify(
            origin=self._origin,
            target=self._target,
            body=self._body,
            pairs=self.pairs,
            signature=self._signature,
            secrets=account.secrets,
        )

    def payload(self) -> tuple[dict[str, Any], str]:
        """What it says, and as it is stored.

        Raises:
            Refused: it says that it is JSON and is none.
        """
        if self.pairs is not None:
            return payloads.form_stored(self._body, self.pairs)
        said = twilio_webhooks.payload_of_json(self._body)
        if said is None:
            raise Refused(_NOT_READABLE)
        try:
            said = payloads.storable(said)
            return said, payloads.payload_text(said)
        except (ValueError, RecursionError) as error:
            raise Refused(_NOT_READABLE) from error


def target_text(scope: Scope) -> str:
    """Path and query exactly as they were asked for; they are part of what is signed."""
    raw = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def target_of(path: str) -> Target | None:
    """What a path asks for, or None when there is no such webhook."""
    found = _STATUS_PATH.fullmatch(path)
    if found is not None:
        account_id, message_id, attempt_n = found.groups()
        if len(attempt_n) == 5 and int(attempt_n) > _MOST_ATTEMPT:
            return None
        return Target(int(account_id), _STATUS, message_id, attempt_n)
    found = _OTHER_PATH.fullmatch(path)
    if found is None:
        return None
    return Target(int(found[1]), _INBOUND if found[2] == "inbound" else _CLICK)


def event_row(target: Target, asked: _Asked) -> EventRow:
    """A webhook as it is stored: the raw payload, and beside it what it says of a status.

    Raises:
        Refused: it cannot be read.
    """
    payload, stored = asked.payload()
    account_id, kind, message_id, attempt_n = target
    if kind != _STATUS:
        sid = str(payload.get("MessageSid") or "")[:64]
        account_ref = str(payload.get("AccountSid") or "")[:64]
        return EventRow(Said(str(account_id), kind, account_ref), "0", "0", sid, stored)
    sid, account_ref, word, code = twilio_webhooks.status_words(payload)
    said = _status_said(account_id, account_ref[:64], word[:24], code[:12])
    return EventRow(said, message_id, attempt_n, sid[:64], stored)


@lru_cache(maxsize=4096)
def _status_said(account_id: int, account_ref: str, word: str, code: str) -> Said:
    """What most callbacks of a commit say alike: made once."""
    state, reason = twilio_webhooks.status_meaning(word, code)
    return Said(str(account_id), _STATUS, account_ref, word, state, code, reason)
