"""The rows a window's results become. Pure: no database.

Owns the step from what the carrier said to what is written about each message, and the limit on
how often one message is tried.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from messaging.choices import MessageState, Outcome, Reason
from messaging.sending.batches import BatchInfo
from messaging.sending.exchange import Told
from messaging.sending.leases import Item
from messaging.sending.window import Progress

# After so many requests that the carrier did not take, it is given up.
MAX_ATTEMPTS: Final = 8
_BACKOFF_MOST_S: Final = 60.0


class MessageRow(NamedTuple):
    """What one message is to become.

    Attributes:
        id: The message.
        batch: Its batch.
        n: The attempt this is about; for somebody who was not asked for, the last one made.
        is_asked: Whether a request was made.
        state, reason, code, body, segments, credits: What it is to have.
        at: When, in unix seconds.
    """

    id: int
    batch: BatchInfo
    n: int
    is_asked: bool
    state: str
    reason: str
    code: str
    body: str
    segments: int
    credits: int
    at: float


def skipped_row(progress: Progress, item: Item, reason: str, at: float) -> MessageRow:
    """Somebody who is not texted after all."""
    batch = progress.lease.batch
    return MessageRow(
        item.id, batch, item.attempts, False, MessageState.SKIPPED, reason, "", "", 0, 0, at
    )


def told_row(told: Told, at: datetime) -> MessageRow:
    """What a request makes of its message. One to be tried again is held in its chunk."""
    progress, item, result, _, ended = told
    batch = progress.lease.batch
    n = item.attempts + 1
    state: str = MessageState.REFUSED
    reason, segments, credits = result.reason, 0, 0
    if result.outcome == Outcome.ACCEPTED:
        state, segments = MessageState.ACCEPTED, item.segments
        credits = batch.prices.credits(item.phone, segments) if batch.is_charged else 0
    elif result.outcome == Outcome.UNKNOWN:
        state, segments = MessageState.UNKNOWN, item.segments
    elif result.outcome == Outcome.RETRYABLE:
        # A blast is paused instead, and goes on with everybody once it is resumed.
        is_paused = result.stops_sender and batch.is_blast
        if n >= MAX_ATTEMPTS and not is_paused:
            reason = reason or Reason.RATE
        else:
            state, reason = MessageState.PENDING, ""
            progress.hold(item.no, at + timedelta(seconds=backoff_s(n)))
    code = result.code if state != MessageState.PENDING else ""
    return MessageRow(
        item.id, batch, n, True, state, reason, code, item.text, segments, credits, ended
    )


def backoff_s(n: int) -> float:
    """Seconds to wait before the request after attempt `n`: 1, 2, 4 ... 60."""
    return min(_BACKOFF_MOST_S, 2.0 ** (n - 1))
