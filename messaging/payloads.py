"""How what a carrier posted is stored: a form as it came, anything else as JSON.

Owns `PayloadField` and the two translations between what is stored and what is said. The column is
text: for jsonb every callback would have to be written as JSON by the edge and parsed by
PostgreSQL (docs/performance.md), and hardly one in ten thousand is ever looked at again.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from messaging.gateways.twilio_webhooks import Payload, form_pairs, payload_of


def form_stored(body: bytes, pairs: Sequence[tuple[str, str]]) -> tuple[Payload, str]:
    """What a form says (its `pairs`), and as it is stored."""
    said = payload_of(pairs)
    text = body.decode("latin-1")
    if text.isascii() and text[:1] != "{" and "\0" not in text and "\x1f" not in text:
        return said, text
    said = storable(said)
    return said, payload_text(said)


def payload_text(payload: Payload) -> str:
    """A payload as JSON, as it is stored where it came as no form.

    Raises:
        ValueError: it holds what JSON has no word for (NaN, Infinity).
    """
    return json.dumps(payload, separators=(",", ":"), allow_nan=False)


def payload_read(text: str) -> Payload:
    """What was stored, without NUL."""
    if text.startswith("{"):
        payload: Payload = json.loads(text)
        return payload
    said = payload_of(form_pairs(text.encode()))
    return storable(said) if "%00" in text else said


def storable(value: Any) -> Any:
    """A value without what PostgreSQL refuses in a text: NUL and half surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


class PayloadField(models.JSONField):
    """A payload: an object of JSON to Python, a text to PostgreSQL, which never looks into it."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """The column's type."""
        return "text"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """From the column."""
        return None if value is None else payload_read(value)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        """To the column."""
        return payload_text(value) if isinstance(value, dict) else value
