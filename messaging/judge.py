"""Expired leases: what a worker that never came back may have sent is unknown, message by message.

Owns the step from an expired window to `unknown`. What became of those messages is then found out
by evidence (`messaging.evidence`), never by sending again.

A lease is judged only after its end, the time a request may take and the time by which the
carrier's list may lag have all passed, by the database's clock.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from messaging.choices import ChunkState, MessageState, Outcome
from messaging.content import content_of, link_codes, link_ids
from messaging.models import Attempt, Batch, Chunk, Message
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move

_AT_ONCE: Final = 50


def leases_judge() -> int:
    """Judge every lease that has run out, a transaction each.

    Returns:
        How many messages became unknown.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id FROM messaging_chunk c
            JOIN messaging_carrieraccount ca ON ca.id = c.carrier_account_id
            WHERE c.state = %s
              AND c.lease_until < clock_timestamp() - (%s + ca.list_delay_s) * interval '1 second'
            ORDER BY c.lease_until LIMIT %s
            """,
            [ChunkState.LEASED, settings.CARRIER_REQUEST_TIMEOUT_S, _AT_ONCE],
        )
        chunk_ids = [row[0] for row in cursor.fetchall()]
    return sum(lease_judge(chunk_id) for chunk_id in chunk_ids)


@transaction.atomic
def lease_judge(chunk_id: int) -> int:
    """Turn what is pending in the chunk's window into unknown, and open the chunk for the rest.

    Locks: chunk, messages by id, tally.
    """
    chunk = (
        Chunk.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("batch")
        .filter(pk=chunk_id, state=ChunkState.LEASED)
        .first()
    )
    if chunk is None or chunk.lease_until is None or chunk.carrier_account_id is None:
        return 0
    window_last_no = chunk.window_last_no or chunk.last_no
    messages = list(
        Message.objects.select_for_update(no_key=True)
        .filter(
            batch=chunk.batch,
            recipient_no__range=(chunk.next_no, window_last_no),
            state=MessageState.PENDING,
        )
        .order_by("pk")
    )
    if messages:
        _doubt(chunk, chunk.carrier_account_id, chunk.lease_until, messages)
    _release(chunk, window_last_no)
    return len(messages)


def _doubt(
    chunk: Chunk, carrier_account_id: int, lease_until: datetime, messages: list[Message]
) -> None:
    batch: Batch = chunk.batch
    # Between these two moments each of the requests was made, if it was.
    ended = lease_until + timedelta(seconds=settings.CARRIER_REQUEST_TIMEOUT_S)
    begun = lease_until - timedelta(seconds=settings.SEND_LEASE_S)
    content = content_of(batch)
    numbers = [message.recipient_no or 0 for message in messages]
    (codes,) = link_codes([(numbers, link_ids(batch.pk) if batch.is_template else [])])
    texts = content.texts([message.merge for message in messages], codes)
    moves = TallyMoves()
    for message, text in zip(messages, texts, strict=True):
        message.state = MessageState.UNKNOWN
        message.rank = rank(MessageState.UNKNOWN)
        message.attempts += 1
        # Kept now, because the carrier's list is searched for it.
        message.body, message.segments = text, content.segments(text)
        moves.leave(batch.pk, MessageState.PENDING, "")
        moves.enter(batch.pk, MessageState.UNKNOWN, "", message.segments)
    Message.objects.bulk_update(messages, ["state", "rank", "attempts", "body", "segments"])
    Attempt.objects.bulk_create(
        (
            Attempt(
                message=message,
                n=message.attempts,
                carrier_account_id=carrier_account_id,
                outcome=Outcome.UNKNOWN,
                lease_token=chunk.lease_token,
                requested_at=begun,
                answered_at=ended,
            )
            for message in messages
        ),
        ignore_conflicts=True,
    )
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)


def _release(chunk: Chunk, window_last_no: int) -> None:
    chunk.next_no, chunk.state = window_last_no + 1, ChunkState.READY
    if chunk.next_no > chunk.last_no:
        if chunk.held_no is None:
            chunk.state = ChunkState.DONE
        else:
            chunk.next_no, chunk.not_before = chunk.held_no, chunk.held_until or chunk.not_before
            chunk.held_no = chunk.held_until = None
    chunk.lease_token = chunk.lease_until = chunk.window_last_no = None
    chunk.save()
