"""Twilio's side: log-in, rate, the Messages resource, and the few others that a set-up reads."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import parse_qsl

from carriersim.asgi import Receive, Scope, Send, answer, answer_json, header, read_body
from carriersim.behaviours import MEDIA_OUTCOMES, REFUSED_FAULTS, Draws, Plan, plan_for
from carriersim.errors import CarrierError
from carriersim.login import Logins
from carriersim.media import failure, fetch_all
from carriersim.paging import page_data
from carriersim.rendering import account_data, message_data, number_data
from carriersim.settings import Settings
from carriersim.simulator import Simulator
from carriersim.store import OUTBOUND, Account, Message
from carriersim.validation import parse_form, read_order

PREFIX = "/2010-04-01/Accounts/"
_FORM = b"application/x-www-form-urlencoded"
FAULT_CODES = {"rate_limited": 20429, "server_error": 20500, "unavailable": 20503}


class MessagesApi:
    """Answers everything below /2010-04-01/Accounts/."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._logins = Logins(sim.store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refusals become Twilio's error bodies."""
        try:
            await self._route(scope, receive, send)
        except CarrierError as error:
            if error.status == 400:
                self._sim.stats.refused[error.code] += 1
            await answer(send, error.status, error.body)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        sid, _, resource = path[len(PREFIX) :].removesuffix(".json").partition("/")
        account = self._log_in(header(scope, b"authorization"), sid)
        if resource == "Messages":
            if method == "POST":
                await self._create(account, scope, receive, send)
            elif method == "GET":
                await self._list(account, scope, send)
            else:
                raise CarrierError(20004)
        elif resource.startswith("Messages/"):
            await self._one(account, resource[len("Messages/") :], scope, receive, send)
        elif method == "GET" and resource in ("", "IncomingPhoneNumbers"):
            await self._set_up(account, resource, scope, send)
        else:
            raise CarrierError(20404, path)

    def _log_in(self, login: bytes, sid: str) -> Account:
        """The account of the path, if Basic auth is right for it."""
        account = self._logins.read(login)
        if account.sid != sid:
            raise CarrierError(20003)
        return account

    async def _create(self, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        sim, settings = self._sim, self._sim.settings
        form = await _read_form(scope, receive)
        now = time.time()
        if settings.rate_limit_per_s and not _has_token(account, settings.rate_limit_per_s, now):
            sim.stats.faults["over_rate"] += 1
            raise CarrierError(20429)
        order = read_order(
            form, account=account, store=sim.store, known_only=settings.require_known_from
        )
        if sim.is_blocked(number=order.sender, phone=order.to):
            raise CarrierError(21610)
        pair = hash((order.to, order.body))
        tries = sim.tries.get(pair, 0) if sim.tries else 0
        draws = Draws(seed=settings.seed, to=order.to, body=order.body, tries=tries)
        plan = plan_for(settings, to=order.to, tries=tries, draws=draws)
        if plan.refusal:
            raise CarrierError(plan.refusal, order.to)
        if plan.fault in REFUSED_FAULTS:
            sim.tries[pair] = tries + 1
            sim.stats.faults[plan.fault] += 1
            raise CarrierError(FAULT_CODES[plan.fault])
        if tries:
            del sim.tries[pair]

        message = Message(
            index=len(sim.store.messages),
            prefix=sim.store.prefix,
            account=account,
            sender=order.sender,
            to=order.to,
            body=order.body,
            direction=OUTBOUND,
            created_at=now,
            status_callback=order.status_callback,
            service=order.service,
            starts_at=order.starts_at,
            media=order.media,
            trial=settings.trial_prefix or account.trial,
            smart=settings.smart_encoding or order.smart,
        )
        if order.media and settings.fetch_media:
            plan = await _with_media(message, plan)
            message.index = len(sim.store.messages)  # others came meanwhile
        awaited = sim.accept(message, plan, draws)
        # The answer tells the first status, also where the first callback comes before it.
        body = json.dumps(self._render(message, now=min(now, message.sent_at or now) - 0.001))
        if awaited is not None:
            await asyncio.wait([awaited], timeout=15)
        if plan.answer:
            sim.stats.faults[plan.answer] += 1
            await answer_badly(plan.answer, 201, body.encode(), settings, receive, send)
        else:
            await answer(send, 201, body.encode())

    async def _one(
        self, account: Account, sid: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        sid, _, media = sid.partition("/Media/")
        message = self._sim.store.by_sid(sid)
        if message is None or message.account is not account or message.deleted:
            raise CarrierError(20404, scope["path"])
        method = scope["method"]
        if media:
            await _answer_media(message, media, scope, send)
            return
        if method == "POST":
            self._update(message, await _read_form(scope, receive))
        elif method == "DELETE":
            if not message.is_over(time.time()):
                raise CarrierError(20009)
            message.deleted = True
            self._sim.journal.note("deleted", sid=sid)
            await answer(send, 204, b"")
            return
        elif method != "GET":
            raise CarrierError(20004)
        await answer_json(send, 200, self._render(message, now=time.time()))

    def _update(self, message: Message, form: dict[str, list[str]]) -> None:
        """Cancel what is scheduled, or redact."""
        if "Status" in form:
            if form["Status"] != ["canceled"] or message.status(time.time()) != "scheduled":
                raise CarrierError(30409)
            message.canceled = True
            self._sim.journal.note("canceled", sid=message.sid)
            self._sim.callbacks.canceled(message)
        if "Body" in form:
            if form["Body"] != [""] or not message.is_over(time.time()):
                raise CarrierError(20009)
            message.redacted = True
            self._sim.journal.note("redacted", sid=message.sid)

    async def _list(self, account: Account, scope: Scope, send: Send) -> None:
        now = time.time()
        data = page_data(
            store=self._sim.store,
            account=account,
            path=scope["path"],
            params=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            now=now,
            list_delay_s=self._sim.settings.list_delay_s,
            render=lambda message: self._render(message, now=now),
        )
        await answer_json(send, 200, data)

    async def _set_up(self, account: Account, resource: str, scope: Scope, send: Send) -> None:
        if not resource:
            await answer_json(send, 200, account_data(account))
            return
        owned = [one for one in self._sim.store.numbers.values() if one.account_sid == account.sid]
        path = scope["path"]
        page: dict[str, Any] = {
            "incoming_phone_numbers": [number_data(one, place) for place, one in enumerate(owned)],
            "page": 0,
            "page_size": max(len(owned), 50),
            "start": 0,
            "end": max(len(owned) - 1, 0),
            "uri": path,
            "first_page_uri": path,
            "previous_page_uri": None,
            "next_page_uri": None,
        }
        await answer_json(send, 200, page)

    def _render(self, message: Message, *, now: float) -> dict[str, Any]:
        return message_data(
            message, now=now, price_per_segment=self._sim.settings.price_per_segment
        )


async def answer_badly(
    kind: str, status: int, body: bytes, settings: Settings, receive: Receive, send: Send
) -> None:
    """Answer what was accepted late, in part, wrongly or never.

    Raises:
        CarrierError: the wrong answer.
    """
    if kind == "slow":
        await _client_left(receive, settings.slow_answer_s)
        await answer(send, status, body)
    elif kind == "lost_error":
        raise CarrierError(20500)
    elif kind == "lost_hang":
        await _client_left(receive, settings.lost_answer_s)
        raise CarrierError(20503)
    else:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})


async def _answer_media(message: Message, media: str, scope: Scope, send: Send) -> None:
    """A file that came in: sent on to where its bytes are, as Twilio sends on to its store."""
    place = int(media[2:], 16) if media.startswith("ME") and len(media) == 34 else -1
    if not 0 <= place < len(message.files) or scope["method"] != "GET":
        raise CarrierError(20404, scope["path"])
    where = f"/sim/media/{message.sid}/{place}".encode()
    await answer(send, 307, b"", headers=[(b"location", where)])


async def _with_media(message: Message, plan: Plan) -> Plan:
    """Fetch the media of a message; what cannot be passed on makes it fail, whatever was planned.

    Twilio answers first and fetches then; here the record is complete with the answer.
    """
    message.fetched = tuple(await fetch_all(message.media))
    failed = failure(message.fetched)
    return Plan(outcome=MEDIA_OUTCOMES[failed]) if failed else plan


async def _read_form(scope: Scope, receive: Receive) -> dict[str, list[str]]:
    data = await read_body(receive)
    if not header(scope, b"content-type").startswith(_FORM):
        raise CarrierError(19056)
    return parse_form(data)


def _has_token(account: Account, rate_per_s: float, now: float) -> bool:
    """Take a token of the account's bucket, which holds one second's worth."""
    if not account.tokens_at:
        account.tokens_at, account.tokens = now, rate_per_s
    account.tokens = min(
        max(rate_per_s, 1.0), account.tokens + (now - account.tokens_at) * rate_per_s
    )
    account.tokens_at = now
    if account.tokens < 1:
        return False
    account.tokens -= 1
    return True


async def _client_left(receive: Receive, most_s: float) -> None:
    """Wait until the client hangs up, or so long."""
    try:
        async with asyncio.timeout(most_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass
