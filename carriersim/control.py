"""The control API under /sim/: for tests, benchmarks, the demo, and the page with the phones.

Has no log-in: the process listens on loopback or inside a test network only. Writing calls insist
on a JSON content type, so that a web page open elsewhere cannot make them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from carriersim import record, threads
from carriersim.asgi import (
    JSON,
    Receive,
    Scope,
    Send,
    answer,
    answer_json,
    answer_lines,
    header,
    read_body,
)
from carriersim.media import files_from
from carriersim.rendering import message_data
from carriersim.settings import SettingsError
from carriersim.simulator import Simulator
from carriersim.store import Account, Number

_SID = re.compile(r"AC[0-9a-fA-F]{32}").fullmatch
_PAGE = Path(__file__).with_name("phones.html")

Data = dict[str, Any]


class ControlError(Exception):
    """A control request that cannot be done: HTTP status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Control:
    """Answers everything below /sim/."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._writes: dict[tuple[str, str], Callable[[Data], Awaitable[Any]]] = {
            ("PUT", "settings"): self._put_settings,
            ("POST", "accounts"): self._post_account,
            ("POST", "numbers"): self._post_number,
            ("POST", "inbound"): self._post_inbound,
            ("POST", "pause"): self._pause,
            ("POST", "resume"): self._resume,
            ("POST", "flush"): self._flush,
            ("POST", "reset"): self._reset,
        }
        self._reads: dict[str, Callable[[dict[str, str]], Any]] = {
            "healthz": lambda params: {"ok": True},
            "settings": lambda params: sim.settings_data,
            "accounts": lambda params: [_account(one) for one in sim.store.accounts.values()],
            "numbers": lambda params: [_number(one) for one in sim.store.numbers.values()],
            "stats": lambda params: sim.report(),
            "phones.json": lambda params: threads.phones(sim.store, params, time.time()),
            "thread.json": lambda params: threads.thread(sim.store, params, time.time()),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name, method = scope["path"][len("/sim/") :], scope["method"]
        params = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        try:
            if method == "GET" and name == "phones":
                page = _PAGE.read_bytes()
                await answer(send, 200, page, content_type=b"text/html; charset=utf-8")
            elif method == "GET" and name == "record":
                await self._record(params, send)
            elif method == "GET" and name.startswith("media/"):
                await self._media(name[len("media/") :], send)
            elif method == "GET" and name in self._reads:
                await answer_json(send, 200, self._reads[name](params))
            elif (method, name) in self._writes:
                data = await _read_json(scope, receive)
                if name == "inbound":
                    host = header(scope, b"host").decode("latin-1")
                    data["base"] = f"{scope.get('scheme', 'http')}://{host}"
                await answer_json(send, 200, await self._writes[method, name](data))
            else:
                raise ControlError(404, f"Nothing at {method} {scope['path']}")
        except ControlError as error:
            await answer_json(send, error.status, {"error": str(error)})

    async def _record(self, params: dict[str, str], send: Send) -> None:
        try:
            selection = record.Selection.from_params(params)
        except ValueError as error:
            raise ControlError(400, "since and until are unix seconds") from error
        store, now = self._sim.store, time.time()
        form = params.get("format", "summary")
        if form == "summary":
            await answer_json(send, 200, record.summary(store, selection, now))
        elif form == "recipients":
            await answer_json(send, 200, record.recipients(store, selection))
        elif form == "jsonl":
            await answer_lines(send, (record.line(one, now) for one in selection.of(store)))
        elif form == "lookups":
            await answer_json(send, 200, dict(self._sim.lookups))
        elif form == "clicks":
            chosen = [
                hit
                for hit in self._sim.hits
                if selection.since <= hit.at <= selection.until and selection.to in ("", hit.phone)
            ]
            await answer_lines(send, map(record.hit_line, chosen))
        else:
            raise ControlError(400, "format is summary, recipients, jsonl, clicks or lookups")

    async def _media(self, name: str, send: Send) -> None:
        """The bytes of a file that came in: `<sid>/<place>`."""
        sid, _, place = name.partition("/")
        message = self._sim.store.by_sid(sid)
        files = message.files if message is not None else ()
        if not place.isdigit() or int(place) >= len(files):
            raise ControlError(404, f"No media {name}")
        file = files[int(place)]
        await answer(send, 200, file.data, content_type=file.content_type.encode("latin-1"))

    async def _put_settings(self, data: Data) -> Data:
        try:
            self._sim.change_settings(data)
        except SettingsError as error:
            raise ControlError(400, str(error)) from error
        self._sim.sender.pump()
        return self._sim.settings_data

    async def _post_account(self, data: Data) -> Data:
        account = Account(
            sid=_text(data, "sid"),
            auth_token=_text(data, "auth_token"),
            trial=bool(data.get("trial", False)),
            active=bool(data.get("active", True)),
        )
        if not _SID(account.sid):
            raise ControlError(400, "sid is AC and 32 hex digits")
        self._sim.put_account(account)
        return _account(account)

    async def _post_number(self, data: Data) -> Data:
        number = Number(_text(data, "number"), _text(data, "account_sid"))
        number.inbound_url = str(data.get("inbound_url") or "")
        if number.account_sid not in self._sim.store.accounts:
            raise ControlError(404, f"No account {number.account_sid}")
        self._sim.put_number(number)
        return _number(number)

    async def _post_inbound(self, data: Data) -> Data:
        number = self._sim.store.numbers.get(_text(data, "to"))
        if number is None:
            raise ControlError(404, f"{data['to']} is not registered: POST /sim/numbers first")
        body, files = data.get("body", ""), files_from(data.get("media", 0))
        if not isinstance(body, str) or files is None or not _is_text(body):
            raise ControlError(
                400, "body is text, media a number up to 10 or a list of {content_type, base64}"
            )
        message = self._sim.receive(
            account=self._sim.store.accounts[number.account_sid],
            sender=_text(data, "from"),
            to=number.number,
            body=body,
            files=files,
            base=data["base"],
        )
        price = self._sim.settings.price_per_segment
        return message_data(message, now=time.time(), price_per_segment=price)

    async def _pause(self, data: Data) -> Data:
        self._sim.sender.paused = True
        return self._sim.report()

    async def _resume(self, data: Data) -> Data:
        self._sim.sender.paused = False
        self._sim.sender.pump()
        return self._sim.report()

    async def _flush(self, data: Data) -> Data:
        timeout_s = data.get("timeout_s", 60)
        if not isinstance(timeout_s, int | float):
            raise ControlError(400, "timeout_s is a number")
        await self._sim.flush(timeout_s)
        return self._sim.report()

    async def _reset(self, data: Data) -> Data:
        self._sim.reset(
            settings=bool(data.get("settings", False)), numbers=bool(data.get("numbers", False))
        )
        return self._sim.report()


def _account(account: Account) -> Data:
    """An account without its token."""
    return {"sid": account.sid, "trial": account.trial, "active": account.active}


def _number(number: Number) -> Data:
    return {
        "number": number.number,
        "account_sid": number.account_sid,
        "inbound_url": number.inbound_url,
    }


def _is_text(text: str) -> bool:
    """Whether it can be sent: JSON can spell halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(data: Data, name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ControlError(400, f"{name} is missing")
    return value


async def _read_json(scope: Scope, receive: Receive) -> Data:
    body = await read_body(receive)
    if not header(scope, b"content-type").startswith(JSON):
        raise ControlError(415, "Send JSON with Content-Type: application/json")
    try:
        data = json.loads(body or b"{}")
    except ValueError as error:
        raise ControlError(400, f"Not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ControlError(400, "Send a JSON object")
    return data
