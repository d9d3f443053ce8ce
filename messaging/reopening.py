"""Giving messages back to the send engine: the acts that open the next attempt.

Owns the return of a message to `pending` and the opening of its chunk. Whether that is allowed (a
proof that the carrier never took it, a person's word) is the caller's affair (`messaging.state`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from messaging.activity import ENDS, ActivityMoves
from messaging.choices import BatchState, ChunkState, Happened, MessageState, Reason
from messaging.tally import TallyMoves


def reopen(
    cursor: Any, message_ids: Sequence[int], moves: TallyMoves, activity: ActivityMoves
) -> int:
    """Return messages to `pending`; in a canceled batch they become skipped instead.

    Args:
        cursor: Of the caller's transaction, in which the messages are locked already.
        message_ids: Messages of any batches, in states from which they may be opened again.
        moves, activity: Take the moves; the caller writes them.

    Returns:
        How many are pending again.

    Locks: batches, chunks and messages, all held by the caller (`lock_for_reopening`).
    """
    cursor.execute(
        """
        UPDATE messaging_message m
        SET state = CASE b.state WHEN %s THEN %s ELSE %s END,
            rank = CASE b.state WHEN %s THEN 4 ELSE 0 END,
            reason = CASE b.state WHEN %s THEN %s ELSE '' END,
            final_at = CASE b.state WHEN %s THEN now() END,
            accepted_at = NULL, sent_at = NULL, carrier_code = '', segments = 0, credits = 0
        FROM messaging_message old, messaging_batch b
        WHERE m.id = ANY(%s) AND old.id = m.id AND b.id = m.batch_id
        RETURNING m.batch_id, m.recipient_no, m.state, m.reason,
                  old.state, old.reason, old.segments, old.credits, m.our_number,
                  floor(extract(epoch FROM old.accepted_at) / 60)::bigint,
                  floor(extract(epoch FROM old.final_at) / 60)::bigint
        """,
        [
            BatchState.CANCELED,
            MessageState.SKIPPED,
            MessageState.PENDING,
            BatchState.CANCELED,
            BatchState.CANCELED,
            Reason.CANCELED,
            BatchState.CANCELED,
            list(message_ids),
        ],
    )
    places: list[tuple[int, int]] = []
    for batch_id, no, state, reason, *before in cursor.fetchall():
        old_state, old_reason, segments, credits, our_number, accepted, ended = before
        activity.happened(batch_id, our_number, Happened.ACCEPTED, accepted, -1)
        if old_state in ENDS:
            activity.happened(batch_id, our_number, old_state, ended, -1)
        moves.leave(batch_id, old_state, old_reason, segments, credits)
        moves.enter(batch_id, state, reason)
        if state == MessageState.PENDING:
            places.append((batch_id, no))
    if places:
        _open_chunks(cursor, places)
    return len(places)


def lock_for_reopening(cursor: Any, message_ids: Sequence[int]) -> None:
    """Lock what `reopen` will change, in the order of docs/locks.md.

    Locks: batches by id, chunks by id, messages by id.
    """
    ids = list(message_ids)
    cursor.execute(
        "SELECT id FROM messaging_batch WHERE id IN "
        "(SELECT batch_id FROM messaging_message WHERE id = ANY(%s)) "
        "ORDER BY id FOR NO KEY UPDATE",
        [ids],
    )
    cursor.execute(
        """
        SELECT id FROM messaging_chunk WHERE id IN (
            SELECT c.id FROM messaging_message m
            JOIN messaging_chunk c ON c.batch_id = m.batch_id
                 AND m.recipient_no BETWEEN c.first_no AND c.last_no
            WHERE m.id = ANY(%s))
        ORDER BY id FOR UPDATE
        """,
        [ids],
    )
    cursor.execute(
        "SELECT id FROM messaging_message WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids]
    )


def _open_chunks(cursor: Any, places: list[tuple[int, int]]) -> None:
    """Open the chunks of (batch, number); a leased one has another pass when it is back."""
    batch_ids = sorted({batch_id for batch_id, _ in places})
    opened = _chunks_of(cursor, batch_ids, sorted(places))
    cursor.execute(
        """
        UPDATE messaging_chunk c
        SET next_no = CASE c.state WHEN %s THEN c.next_no ELSE least(c.next_no, v.no) END,
            held_no = CASE c.state WHEN %s THEN least(c.held_no, v.no) ELSE c.held_no END,
            held_until = CASE c.state WHEN %s THEN now() ELSE c.held_until END,
            state = CASE c.state WHEN %s THEN c.state ELSE %s END,
            not_before = least(c.not_before, now())
        FROM unnest(%s::bigint[], %s::int[]) AS v(id, no)
        WHERE c.id = v.id
        """,
        [
            *[ChunkState.LEASED] * 4,
            ChunkState.READY,
            list(opened),
            list(opened.values()),
        ],
    )
    cursor.execute(
        "UPDATE messaging_batch SET finished_at = NULL, "
        "state = CASE state WHEN %s THEN %s ELSE state END "
        "WHERE id = ANY(%s) AND state <> %s",
        [BatchState.DONE, BatchState.RUNNING, batch_ids, BatchState.CANCELED],
    )


def _chunks_of(cursor: Any, batch_ids: list[int], places: list[tuple[int, int]]) -> dict[int, int]:
    """The chunks that hold `places` (in order), and the first such number of each.

    Paired here: in SQL every place would be held against every chunk of its batch, and a retry of
    many in a large blast would take minutes.
    """
    cursor.execute(
        "SELECT batch_id, first_no, last_no, id FROM messaging_chunk WHERE batch_id = ANY(%s)",
        [batch_ids],
    )
    first: dict[int, int] = {}
    for batch_id, first_no, last_no, chunk_id in cursor.fetchall():
        place = bisect_left(places, (batch_id, first_no))
        if place < len(places) and places[place] <= (batch_id, last_no):
            first[chunk_id] = places[place][1]
    return first
