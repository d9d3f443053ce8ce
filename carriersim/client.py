"""A blocking client of the control API, standard library only, for tests, benchmarks, the demo."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode


class ControlFailed(Exception):
    """The control API refused; the sentence says why."""


class Client:
    """Controls the carriersim at `base_url`, e.g. `http://127.0.0.1:8900`."""

    def __init__(self, base_url: str, *, timeout_s: float = 90.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._call("GET", "healthz")["ok"])
        except OSError:
            return False

    def settings(self) -> dict[str, Any]:
        """All settings."""
        return self._call("GET", "settings")

    def set(self, **changes: Any) -> dict[str, Any]:
        """Merge settings, e.g. `set(speed=100, profile={"reply_share": 0.1})`."""
        return self._call("PUT", "settings", changes)

    def add_account(
        self, sid: str, auth_token: str, *, trial: bool = False, active: bool = True
    ) -> dict[str, Any]:
        """Add an account, or change it."""
        data = {"sid": sid, "auth_token": auth_token, "trial": trial, "active": active}
        return self._call("POST", "accounts", data)

    def add_number(self, number: str, account_sid: str, inbound_url: str = "") -> dict[str, Any]:
        """Register one of our numbers and where texts to it are posted."""
        data = {"number": number, "account_sid": account_sid, "inbound_url": inbound_url}
        return self._call("POST", "numbers", data)

    def text(
        self,
        phone: str,
        number: str,
        body: str,
        *,
        media: int | Sequence[tuple[str, bytes]] = 0,
    ) -> dict[str, Any]:
        """Have a phone text one of our numbers, with so many pictures, or files (type, bytes)."""
        files: Any = media
        if not isinstance(media, int):
            files = [
                {"content_type": kind, "base64": base64.b64encode(content).decode()}
                for kind, content in media
            ]
        data = {"from": phone, "to": number, "body": body, "media": files}
        return self._call("POST", "inbound", data)

    def summary(self, **filters: Any) -> dict[str, Any]:
        """Counts of what was accepted. Filters as in the docs; `sender` stands for `from`."""
        return self._call("GET", _record("summary", filters))

    def recipients(self, **filters: Any) -> dict[str, int]:
        """Number of accepted messages by recipient."""
        return self._call("GET", _record("recipients", filters))

    def messages(self, **filters: Any) -> list[dict[str, Any]]:
        """Everything accepted, oldest first."""
        return self._lines(_record("jsonl", filters))

    def clicks(self, **filters: Any) -> list[dict[str, Any]]:
        """Every fetch of a link by a person or a robot."""
        return self._lines(_record("clicks", filters))

    def lookups(self) -> dict[str, int]:
        """How often each number was looked up."""
        return self._call("GET", _record("lookups", {}))

    def stats(self) -> dict[str, Any]:
        """Counters, and what is outstanding."""
        return self._call("GET", "stats")

    def pause(self) -> dict[str, Any]:
        """Hold back everything outgoing."""
        return self._call("POST", "pause", {})

    def resume(self) -> dict[str, Any]:
        """Let it go again."""
        return self._call("POST", "resume", {})

    def flush(self, *, timeout_s: float = 60.0) -> dict[str, Any]:
        """Everything outstanding happens now; answers when it is out."""
        return self._call("POST", "flush", {"timeout_s": timeout_s})

    def reset(self, *, settings: bool = False, numbers: bool = False) -> dict[str, Any]:
        """Forget messages, opt-outs and counters; settings and numbers too where said."""
        return self._call("POST", "reset", {"settings": settings, "numbers": numbers})

    def _call(self, method: str, name: str, data: dict[str, Any] | None = None) -> Any:
        return json.loads(self._fetch(method, name, data))

    def _lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._fetch("GET", name).splitlines()]

    def _fetch(self, method: str, name: str, data: dict[str, Any] | None = None) -> bytes:
        request = urllib.request.Request(
            f"{self.base_url}/sim/{name}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ControlFailed(json.loads(error.read())["error"]) from error


def _record(form: str, filters: dict[str, Any]) -> str:
    named = {"from" if name == "sender" else name: value for name, value in filters.items()}
    return "record?" + urlencode({"format": form, **named})
