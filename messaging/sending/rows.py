"""The rows a window's results become. Pure: no database.

Owns the step from what the carrier said to what is written about each message, and the limit on
how often one message is tried.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from messaging.choices import MessageState, Outcome, Reason
from messaging.pricing import credits_for
from messaging.sending.claim import Item
from messaging.sending.exchange import Told
from messaging.sending.window import Progress

# After so many requests that the carrier did not take, it is given up.
MAX_ATTEMPTS: Final = 8
_BACKOFF_MOST_S: Final = 60.0


@dataclass(slots=True)
class MessageRow:
    """What one message is to become, and from which attempt."""

    id: int
    batch_id: int
    account_id: int
    chunk_id: int
    n: int
    is_asked: bool
    state: str
    reason: str = ""
    code: str = ""
    body: str = ""
    segments: int = 0
    credits: int = 0
    at: float = 0.0


def skipped_row(progress: Progress, item: Item, reason: str, at: float) -> MessageRow:
    """Somebody who is not texted after all."""
    batch = progress.lease.batch
    return MessageRow(
        id=item.id,
        batch_id=batch.id,
        account_id=batch.account_id,
        chunk_id=progress.lease.chunk_id,
        n=item.attempts,
        is_asked=False,
        state=MessageState.SKIPPED,
        reason=reason,
        at=at,
    )


def told_row(told: Told, at: datetime) -> MessageRow:
    """What a request makes of its message. One to be tried again is held in its chunk."""
    batch, item, result = told.progress.lease.batch, told.item, told.result
    n = item.attempts + 1
    row = MessageRow(
        id=item.id,
        batch_id=batch.id,
        account_id=batch.account_id,
        chunk_id=told.progress.lease.chunk_id,
        n=n,
        is_asked=True,
        state=MessageState.ACCEPTED,
        body=item.text,
        segments=item.segments,
        at=told.ended,
    )
    if result.outcome == Outcome.ACCEPTED:
        row.credits = credits_for(item.segments) if batch.is_charged else 0
    elif result.outcome == Outcome.UNKNOWN:
        row.state, row.code = MessageState.UNKNOWN, result.code
    elif result.outcome == Outcome.REJECTED:
        row.state, row.reason, row.code = MessageState.REFUSED, result.reason, result.code
    elif n >= MAX_ATTEMPTS and not result.stops_sender:
        row.state, row.code = MessageState.REFUSED, result.code
        row.reason = result.reason or Reason.RATE
    else:
        row.state = MessageState.PENDING
        told.progress.hold(item.no, at + timedelta(seconds=backoff_s(n)))
    if row.state in (MessageState.PENDING, MessageState.REFUSED):
        row.segments = 0
    return row


def backoff_s(n: int) -> float:
    """Seconds to wait before the request after attempt `n`: 1, 2, 4 ... 60."""
    return min(_BACKOFF_MOST_S, 2.0 ** (n - 1))
