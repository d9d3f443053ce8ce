"""The record on disk: one JSON line for each fact, appended before the request is answered.

A line reaches the operating system before the answer leaves, so a killed process forgets nothing it
accepted. Settings are not kept (they come from the environment and the control API).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from carriersim.behaviours import MEDIA_OUTCOMES, OUTCOMES
from carriersim.store import Account, Message, Number, Store

FILE_NAME = "record.jsonl"
_OUTCOMES = {**OUTCOMES, **MEDIA_OUTCOMES}


class Journal:
    """Appends facts to a file, or nowhere when there is no folder for it."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / FILE_NAME if folder else None
        self._file: int | None = None
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def message(self, message: Message) -> None:
        """Note an accepted or received message."""
        if self._file is not None:
            self.note(
                "message",
                sid=message.sid,
                account=message.account.sid,
                sender=message.sender,
                to=message.to,
                body=message.body,
                direction=message.direction,
                created_at=message.created_at,
                status_callback=message.status_callback,
                service=message.service,
                outcome=message.outcome.name,
                starts_at=message.starts_at,
                sent_at=message.sent_at,
                final_at=message.final_at,
                media=message.media,
                trial=message.trial,
                smart=message.smart,
            )

    def note(self, fact: str, **values: Any) -> None:
        """Note any other fact, by the name that `_apply` knows."""
        if self._file is not None:
            os.write(self._file, json.dumps({"fact": fact, **values}).encode() + b"\n")

    def load(self, store: Store) -> None:
        """Bring a store to what the file tells; a torn last line is left out."""
        if self._path is None or self._file is None:
            return
        with self._path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    _apply(store, json.loads(line))
                else:
                    os.truncate(self._path, self._path.stat().st_size - len(line))

    def restart(self, store: Store) -> None:
        """Empty the file but for accounts and numbers."""
        if self._file is None:
            return
        os.ftruncate(self._file, 0)
        for account in store.accounts.values():
            self.account(account)
        for number in store.numbers.values():
            self.number(number)

    def account(self, account: Account) -> None:
        """Note an account added or changed."""
        self.note(
            "account",
            sid=account.sid,
            auth_token=account.auth_token,
            trial=account.trial,
            active=account.active,
        )

    def number(self, number: Number) -> None:
        """Note a number registered or changed."""
        self.note(
            "number",
            number=number.number,
            account_sid=number.account_sid,
            inbound_url=number.inbound_url,
        )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _apply(store: Store, values: dict[str, Any]) -> None:
    fact = values.pop("fact")
    if fact == "message":
        sid = values.pop("sid")
        account = values.pop("account")
        values["media"] = tuple(values["media"])
        store.add(
            Message(
                index=len(store.messages),
                prefix=sid[2:18],
                account=store.accounts.setdefault(account, Account(account, "", active=False)),
                outcome=_OUTCOMES[values.pop("outcome")],
                **values,
            )
        )
    elif fact == "account":
        store.accounts[values["sid"]] = Account(**values)
    elif fact == "number":
        store.numbers[values["number"]] = Number(**values)
    elif fact == "opt_out":
        store.opt_outs.add((values["number"], values["phone"]))
    elif fact == "opt_in":
        store.opt_outs.discard((values["number"], values["phone"]))
    elif fact == "settled":
        store.settle(values["at"])
    else:
        message = store.by_sid(values["sid"])
        if message is not None:
            setattr(message, fact, True)
