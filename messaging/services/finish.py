"""The end of a batch: done when nothing is pending, settled when nothing is in doubt.

Owns `Batch.finished_at` and `settled_at`, the release of credits that were reserved and not used,
and filling in what only a crashed worker knew. Everything here is a sweep: idempotent, and cheap
when there is nothing to do.
"""

import logging
from typing import Final

from django.db import connection, transaction

from accounts.services import credits_release, credits_settle
from common.clock import now
from messaging.choices import BatchState, ChunkState, MessageState
from messaging.content import Content, content_of, link_codes, link_ids
from messaging.hints import hint_send
from messaging.models import Batch, BatchTally, BatchTotals, Chunk, Message
from messaging.pricing import Prices
from messaging.services.control import skip_pending
from messaging.tally import TallyMoves, tally_move

log = logging.getLogger(__name__)

# What the carrier took, whatever became of it.
TAKEN: Final = (
    MessageState.ACCEPTED,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.UNDELIVERED,
    MessageState.FAILED,
)
# After three days without a word an unknown message counts as sent (design: credits).
UNKNOWN_SETTLES_AFTER_S: Final = 72 * 3600
_AT_ONCE: Final = 500
_FILL_AT_ONCE: Final = 1000


def batches_finish() -> int:
    """Move on every batch that can be. One query, and a transaction for each that moves.

    Returns:
        How many were settled.
    """
    stranded_open()
    settled = 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.id FROM messaging_batch b
            LEFT JOIN LATERAL (
                SELECT coalesce(sum(messages) FILTER (WHERE state = 'pending'), 0) AS pending,
                       coalesce(sum(messages) FILTER (WHERE state = 'unknown'), 0) AS unknown
                FROM messaging_batchtally t
                WHERE t.batch_id = b.id AND t.state IN ('pending', 'unknown')
            ) t ON true
            WHERE b.settled_at IS NULL
              AND CASE WHEN t.pending > 0 THEN b.state = %s
                       WHEN t.unknown > 0 THEN b.finished_at IS NULL
                            OR b.finished_at < clock_timestamp() - %s * interval '1 second'
                       ELSE true END
              AND NOT EXISTS (SELECT FROM messaging_chunk c
                              WHERE c.batch_id = b.id AND c.state = %s)
            ORDER BY b.id LIMIT %s
            """,
            [BatchState.CANCELED, UNKNOWN_SETTLES_AFTER_S, ChunkState.LEASED, _AT_ONCE],
        )
        batch_ids = [row[0] for row in cursor.fetchall()]
    for batch_id in batch_ids:
        settled += batch_finish(batch_id)
    return settled


def stranded_open() -> int:
    """Open the chunks of messages that are pending while no chunk of their batch is open.

    No way to this is known; that nobody is forgotten should not hang on knowing all of them.

    Returns:
        How many chunks were opened.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_chunk c SET state = %s, next_no = c.first_no
            FROM messaging_batch b
            WHERE c.batch_id = b.id AND b.settled_at IS NULL AND c.state = %s
              AND EXISTS (SELECT FROM messaging_batchtally t
                          WHERE t.batch_id = b.id AND t.state = %s AND t.messages > 0)
              AND NOT EXISTS (SELECT FROM messaging_chunk o
                              WHERE o.batch_id = b.id AND o.state <> %s)
              AND EXISTS (SELECT FROM messaging_message m
                          WHERE m.batch_id = c.batch_id AND m.state = %s
                            AND m.recipient_no BETWEEN c.first_no AND c.last_no)
            """,
            [
                ChunkState.READY,
                ChunkState.DONE,
                MessageState.PENDING,
                ChunkState.DONE,
                MessageState.PENDING,
            ],
        )
        opened = cursor.rowcount
    if opened:
        log.error("%s chunks were done while messages in them were pending", opened)
        hint_send()
    return opened


@transaction.atomic
def batch_finish(batch_id: int) -> bool:
    """Move one batch on as far as it can be.

    Returns:
        Whether it is settled now.

    Locks: batch, chunks, messages, tally, account.
    """
    batch = (
        Batch.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("account")
        .filter(pk=batch_id, settled_at__isnull=True)
        .first()
    )
    if batch is None or Chunk.objects.filter(batch=batch, state=ChunkState.LEASED).exists():
        return False
    if batch.state == BatchState.CANCELED:
        skip_pending(batch_id)
    counts = _counts(batch_id)
    if counts.get(MessageState.PENDING):
        return False
    batch.finished_at = batch.finished_at or now()
    is_old = (now() - batch.finished_at).total_seconds() > UNKNOWN_SETTLES_AFTER_S
    is_over = not counts.get(MessageState.UNKNOWN) or is_old
    # What is proven not to have gone out would start a batch again that is done; one that somebody
    # paused stays so.
    if batch.state == BatchState.RUNNING or (batch.state == BatchState.PAUSED and is_over):
        batch.state, batch.state_reason = BatchState.DONE, ""
    if is_over:
        _fill(batch, with_unknown=is_old)
        _release(batch)
    batch.save(
        update_fields=[
            "state",
            "state_reason",
            "finished_at",
            "credits_settled",
            "credits_released",
            "settled_at",
        ]
    )
    return batch.settled_at is not None


def _counts(batch_id: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state, messages in BatchTally.objects.filter(batch_id=batch_id).values_list(
        "state", "messages"
    ):
        counts[state] = counts.get(state, 0) + messages
    return counts


def _fill(batch: Batch, *, with_unknown: bool) -> None:
    """Text, segments and credits of messages that a callback proved but no worker recorded."""
    states = [*TAKEN, *([MessageState.UNKNOWN] if with_unknown else [])]
    lacking = Message.objects.filter(batch=batch, state__in=states)
    lacking = lacking.filter(credits=0) if batch.credits_reserved else lacking.filter(segments=0)
    content = content_of(batch)
    links = link_ids(batch.pk) if batch.is_template else []
    while True:
        next_ones = lacking.order_by("recipient_no").values_list("pk", flat=True)[:_FILL_AT_ONCE]
        ids = list(next_ones)
        if not ids:
            return
        # Those that still lack something once they are locked.
        rows = list(lacking.filter(pk__in=ids).select_for_update(no_key=True).order_by("pk"))
        if rows:
            _fill_rows(batch, content, links, rows)


def _fill_rows(batch: Batch, content: Content, links: list[int], rows: list[Message]) -> None:
    (codes,) = link_codes([([row.recipient_no or 0 for row in rows], links)])
    texts = content.texts([row.merge for row in rows], codes)
    moves, prices = TallyMoves(), Prices(batch.prices)
    charged = 0
    for row, text in zip(rows, texts, strict=True):
        moves.leave(batch.pk, row.state, row.reason, row.segments, row.credits)
        row.body = row.body or text
        row.segments = row.segments or content.segments(row.body)
        if batch.credits_reserved:
            row.credits = prices.credits(row.phone, row.segments)
            charged += row.credits
        moves.enter(batch.pk, row.state, row.reason, row.segments, row.credits)
    Message.objects.bulk_update(rows, ["body", "segments", "credits"])
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)
    if charged:
        credits_settle(
            account=batch.account,
            batch_id=batch.pk,
            credits=charged,
            key=f"settle:{batch.pk}:from:{rows[0].pk}{_turn(batch)}",
        )


def _release(batch: Batch) -> None:
    """Give back what was reserved and not used."""
    rows = BatchTally.objects.filter(batch=batch).values_list("credits", flat=True)
    # What a retry followed was taken and charged for, though no message counts it any more.
    retried = BatchTotals.objects.filter(batch=batch).values_list("retried_credits", flat=True)
    batch.credits_settled = sum(rows) + sum(retried)
    unused = batch.credits_reserved - batch.credits_settled - batch.credits_released
    if unused > 0:
        credits_release(
            account=batch.account,
            batch_id=batch.pk,
            credits=unused,
            key=f"release:{batch.pk}{_turn(batch)}",
        )
        batch.credits_released += unused
    batch.settled_at = now()


def _turn(batch: Batch) -> str:
    """Tells the keys of a batch that ends again, after a retry, from those of its first end."""
    return f":{batch.retries}" if batch.retries else ""
