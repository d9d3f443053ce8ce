"""Phones of carriersim whose answers are lost or refused, and what a test does about the doubt."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from common.clock import now
from messaging.choices import ChunkState
from messaging.evidence import unknown_look_up
from messaging.models import (
    Attempt,
    Batch,
    Chunk,
    Message,
)
from messaging.sending.exchange import Exchange
from messaging.sending.window import prepare
from tests.messaging.conftest import (
    claim_soon,
)

LOST = "+14155550169"  # accepted, the answer breaks off


LOST_500 = "+14155550170"  # accepted, answered 500


ERROR = "+14155550172"  # 500, not accepted


ERROR_ONCE = "+14155550173"  # 500 the first time, then taken


PLAIN = "+14155550101"


def ends(*messages: Message) -> list[str]:
    """What became of them."""
    return [Message.objects.get(pk=message.pk).state for message in messages]


def look(times: int = 1) -> list[tuple[int, int]]:
    """Look unknown messages up as often, each time as if the last look were long ago."""
    found = []
    for _ in range(times):
        found.append(unknown_look_up())
        Attempt.objects.filter(looked_up_at__isnull=False).update(
            looked_up_at=now() - timedelta(hours=1)
        )
    return found


def abandon_window(batch: Batch, *, sent: Callable[[Exchange], Any] | None = None) -> None:
    """Claim a window, send it as `sent` does, and die before anything is recorded."""
    window = claim_soon()
    prepared = prepare(window)
    if sent:
        sent(Exchange(prepared))
    Chunk.objects.filter(batch=batch, state=ChunkState.LEASED).update(
        lease_until=now() - timedelta(seconds=3)
    )
