"""Carrier webhooks: check who signed, store, answer only after the commit.

Owns `/webhooks/twilio/<carrier account>/(status/<message>-<attempt> | inbound | clicks)`. Nothing
is judged here beyond the signature: an unknown status or message is stored and answered 2xx, since
a carrier cannot do anything about it and by default never asks again. Applying is
`messaging.receipts`'.

Answers: 404 unknown account or path, 405 not a POST, 413 body over 64 KB, 403 wrong signature,
503 PostgreSQL away (carriers repeat it where the URL's fragment says so), else 2xx.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from common.groupcommit import GroupCommit, Unavailable, Unstorable
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
from smsplatform.edge.stores import EventRow

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
_MOST_ID: Final = 2**63 - 1
_MOST_ATTEMPT: Final = 32_767


class Target(NamedTuple):
    """What a webhook's path says; 0 where it names no message."""

    carrier_account_id: int
    kind: str
    message_id: int = 0
    attempt_n: int = 0


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
        answer = await self._answer(scope, receive)
        await answer.to(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        target = target_of(scope["path"])
        if target is None:
            return _NOT_FOUND
        if scope["method"] != "POST":
            return _NOT_POST
        try:
            account = self._accounts.peek(target.carrier_account_id)
            if account is None:
                account = await self._accounts.get(target.carrier_account_id)
                if account is None:
                    return _NOT_FOUND
            body = await read_body(scope, receive)
            row = await self._verified(scope, target, account, body)
            if isinstance(row, Answer):
                return row
            await self._events.submit(row)
        except BodyTooLarge:
            self.counts.too_large += 1
            return _TOO_LARGE
        except Unavailable:
            return _AWAY
        except Unstorable:
            return _NOT_READABLE
        return _NO_REPLY if target.kind == EventKind.INBOUND else _STORED

    async def _verified(
        self, scope: Scope, target: Target, account: KnownAccount, body: bytes
    ) -> EventRow | Answer:
        signature = kind = b""
        for name, value in scope["headers"]:
            if name == b"x-twilio-signature":
                signature = value
            elif name == b"content-type":
                kind = value
        is_json = kind[:16].lower() == b"application/json"
        pairs = None if is_json else twilio_webhooks.form_pairs(body)
        asked: dict[str, Any] = {
            "origin": self._origin,
            "target": target_text(scope),
            "body": body,
            "pairs": pairs,
            "signature": signature,
        }
        if not twilio_webhooks.verify(**asked, secrets=account.secrets):
            reread = await self._accounts.refreshed(
                target.carrier_account_id, older_than_s=_REREAD_AFTER_S
            )
            if reread is None or not twilio_webhooks.verify(**asked, secrets=reread.secrets):
                self.counts.bad_signature += 1
                return _BAD_SIGNATURE
        if pairs is not None:
            payload = twilio_webhooks.payload_of(pairs)
            return event_row(target, payload, twilio_webhooks.payload_json(pairs))
        said = twilio_webhooks.payload_of_json(body)
        if said is None:
            return _NOT_READABLE
        return event_row(target, said, json.dumps(said, separators=(",", ":")))


def target_text(scope: Scope) -> str:
    """Path and query exactly as they were asked for; they are part of what is signed."""
    raw = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def target_of(path: str) -> Target | None:
    """What a path under PREFIX asks for, or None when there is no such webhook."""
    account, _, rest = path[len(PREFIX) :].partition("/")
    account_id = _number(account, _MOST_ID)
    if account_id is None:
        return None
    if rest.startswith("status/"):
        message, _, attempt = rest[7:].partition("-")
        message_id, attempt_n = _number(message, _MOST_ID), _number(attempt, _MOST_ATTEMPT)
        if message_id is None or attempt_n is None:
            return None
        return Target(account_id, EventKind.STATUS.value, message_id, attempt_n)
    if rest == "inbound":
        return Target(account_id, EventKind.INBOUND.value)
    if rest == "clicks":
        return Target(account_id, EventKind.CLICK.value)
    return None


def event_row(target: Target, payload: dict[str, Any], stored: str) -> EventRow:
    """A webhook as it is stored: the raw payload, and beside it what it says of a status.

    Args:
        target: What its path says.
        payload: What its body says.
        stored: The same as JSON in ASCII.
    """
    if "\\u0000" in stored or "\\ud" in stored:
        payload = storable(payload)
        stored = json.dumps(payload, separators=(",", ":"))
    account_id, kind, message_id, attempt_n = target
    if kind != EventKind.STATUS:
        sid = str(payload.get("MessageSid") or "")[:64]
        account_ref = str(payload.get("AccountSid") or "")[:64]
        return EventRow(account_id, 0, 0, kind, sid, account_ref, "", "", "", "", stored)
    sid, account_ref, word, state, code, reason = twilio_webhooks.parse_status(payload)
    return EventRow(
        account_id,
        message_id,
        attempt_n,
        kind,
        sid[:64],
        account_ref[:64],
        word[:24],
        state,
        code[:12],
        reason,
        stored,
    )


def storable(value: Any) -> Any:
    """A payload without what PostgreSQL's jsonb refuses: NUL and half surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


def _number(digits: str, most: int) -> int | None:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    number = int(digits)
    return number if 0 < number <= most else None
