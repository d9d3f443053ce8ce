"""Who asks: Basic auth with an account's sid and token."""

from __future__ import annotations

import base64
import binascii

from carriersim.errors import CarrierError
from carriersim.store import Account, Store


class Logins:
    """Reads the Authorization header, and remembers those that were right."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[bytes, tuple[Account, str]] = {}

    def read(self, login: bytes) -> Account:
        """The account that asks.

        Raises:
            CarrierError: 20003 where the log-in is wrong, 20005 where the account is not active.
        """
        account, token = self._known.get(login) or self._check(login)
        if account.auth_token != token:
            raise CarrierError(20003)
        if not account.active:
            raise CarrierError(20005)
        return account

    def _check(self, login: bytes) -> tuple[Account, str]:
        scheme, _, encoded = login.partition(b" ")
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise CarrierError(20003) from error
        sid, _, token = text.partition(":")
        account = self._store.accounts.get(sid)
        if scheme.lower() != b"basic" or account is None or not token:
            raise CarrierError(20003)
        if account.auth_token == token:
            self._known[login] = (account, token)
        return account, token
