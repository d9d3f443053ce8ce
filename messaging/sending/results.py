"""Recording a window: attempts, messages, kept counts, credits and chunks, in one transaction.

Owns the send engine's only writes of messages. Recording the same window twice changes nothing, so
it is tried again after a deadlock or a restart of PostgreSQL. A result whose lease was judged
meanwhile is still stored: a carrier's id is never dropped, the state moves as its rank allows.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from django.db import connection, transaction
from django.db.utils import InterfaceError, OperationalError

from accounts.models import Account
from accounts.services import credits_settle_many
from common.clock import now
from contacts.choices import ConsentSource
from contacts.services import consent_revoke, people_lock
from messaging.activity import ActivityMoves, activity_move, minute_of
from messaging.choices import ChunkState, Happened, MessageState
from messaging.content import SEPARATOR
from messaging.sending.batches import BatchInfo
from messaging.sending.exchange import Exchange, Told
from messaging.sending.rows import MessageRow, skipped_row, told_row
from messaging.sending.window import Progress
from messaging.state import RANKS, may_move
from messaging.tally import TallyMoves, tally_move

log = logging.getLogger(__name__)

# How long a window's results are kept in hand while PostgreSQL is away. After that its lease is
# judged: callbacks and the carrier's list tell what became of it.
_PATIENCE_S: Final = 120.0
_RETRY_S: Final = 0.5


def record(exchange: Exchange) -> None:
    """Write what became of a window, as often as it takes.

    Raises:
        OperationalError, InterfaceError: PostgreSQL was away for longer than two minutes.

    Locks: contacts (of who left, by phone), chunks by id, messages, tally, activity, account.
    """
    window = exchange.prepared.window
    at = now()
    attempts = sorted(exchange.told, key=lambda told: told.item.id)
    rows = [told_row(told, at) for told in exchange.told]
    rows += [
        skipped_row(progress, item, reason, at.timestamp())
        for progress, item, reason in exchange.prepared.skips
    ]
    rows.sort(key=lambda row: row.id)
    left = sorted(
        (told.progress.lease.batch.account_id, told.item.phone, told.item.id)
        for told in exchange.told
        if told.result.is_opt_out
    )
    limit = time.monotonic() + _PATIENCE_S
    while True:
        try:
            _record(str(window.token), exchange.prepared.progress, rows, attempts, left)
            return
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > limit:
                raise
            log.warning("window %s is recorded again: %s", window.token, error)
            connection.close()
            time.sleep(_RETRY_S)


@transaction.atomic
def _record(
    token: str,
    progress: list[Progress],
    rows: list[MessageRow],
    attempts: list[Told],
    left: list[tuple[int, str, int]],
) -> None:
    for account_id, group in groupby(left, itemgetter(0)):
        people_lock(account=Account(pk=account_id), phones=[phone for _, phone, _ in group])
    for account_id, phone, message_id in left:
        consent_revoke(
            account=Account(pk=account_id),
            phone=phone,
            source=ConsentSource.CARRIER,
            wording="The carrier refused a text: this person has opted out.",
            message_id=message_id,
        )
    with connection.cursor() as cursor:
        held = _lock_chunks(cursor, token, progress)
        moves, activity = TallyMoves(), ActivityMoves()
        settled: Counter[tuple[int, int]] = Counter()
        _move_messages(cursor, rows, moves, activity, settled)
        _insert_attempts(cursor, token, attempts)
        _release_chunks(cursor, token, [one for one in progress if one.lease.chunk_id in held])
        tally_move(cursor, moves.deltas)
        activity_move(cursor, activity.deltas)
    by_account: dict[int, dict[int, int]] = {}
    for (account_id, batch_id), credits in settled.items():
        by_account.setdefault(account_id, {})[batch_id] = credits
    for account_id in sorted(by_account):
        credits_settle_many(
            account=Account(pk=account_id),
            credits_by_batch=by_account[account_id],
            key=f"settle:{token}",
        )


def _lock_chunks(cursor: Any, token: str, progress: list[Progress]) -> set[int]:
    """Lock the window's chunks; returns those whose lease is still this window's."""
    cursor.execute(
        "SELECT id, lease_token = %s AND state = %s FROM messaging_chunk WHERE id = ANY(%s) "
        "ORDER BY id FOR UPDATE",
        [token, ChunkState.LEASED, sorted(one.lease.chunk_id for one in progress)],
    )
    return {chunk_id for chunk_id, is_ours in cursor.fetchall() if is_ours}


def _insert_attempts(cursor: Any, token: str, attempts: list[Told]) -> None:
    """Store the requests; one that a callback or a judge stored first gets what it lacks."""
    if not attempts:
        return
    cursor.execute(
        """
        INSERT INTO messaging_attempt AS a (message_id, n, carrier_account_id, carrier_id, outcome,
            http_status, carrier_code, lease_token, requested_at, answered_at)
        SELECT v.message_id, v.n, v.carrier_account_id, nullif(v.carrier_id, ''), v.outcome,
               nullif(v.http_status, 0), coalesce(v.code, ''), %s, to_timestamp(v.requested),
               to_timestamp(v.answered)
        FROM unnest(%s::bigint[], %s::int[], %s::bigint[], string_to_array(%s, chr(31)),
                    string_to_array(%s, chr(31)), %s::int[], string_to_array(%s, chr(31)),
                    %s::float8[], %s::float8[])
             AS v(message_id, n, carrier_account_id, carrier_id, outcome, http_status, code,
                  requested, answered)
        ON CONFLICT (message_id, n) DO UPDATE SET
            carrier_id = coalesce(excluded.carrier_id, a.carrier_id),
            outcome = CASE WHEN excluded.outcome = 'accepted'
                             OR a.outcome = 'unknown' AND excluded.outcome = 'rejected'
                           THEN excluded.outcome ELSE a.outcome END,
            http_status = excluded.http_status, carrier_code = excluded.carrier_code,
            lease_token = excluded.lease_token, requested_at = excluded.requested_at,
            answered_at = excluded.answered_at
        """,
        [
            token,
            _numbers([told.item.id for told in attempts]),
            _numbers([told.item.attempts + 1 for told in attempts]),
            _numbers([told.progress.lease.batch.carrier_account_id for told in attempts]),
            _texts([told.result.carrier_id for told in attempts]),
            _texts([told.result.outcome for told in attempts]),
            _numbers([told.result.http_status for told in attempts]),
            _texts([told.result.code for told in attempts]),
            _numbers([told.started for told in attempts]),
            _numbers([told.ended for told in attempts]),
        ],
    )


def _numbers(values: Sequence[float]) -> str:
    """A PostgreSQL array of numbers as one literal: ten times cheaper than adapting a list."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Sequence[str]) -> str:
    """Texts as one parameter for string_to_array; none of them contains the separator.

    A single empty text becomes no element at all, that is NULL where it is read.
    """
    return SEPARATOR.join(values)


def _move_messages(
    cursor: Any,
    rows: list[MessageRow],
    moves: TallyMoves,
    activity: ActivityMoves,
    settled: Counter[tuple[int, int]],
) -> None:
    """Move messages, at once where they stand as they were claimed, one by one where not."""
    if not rows:
        return
    # Each row is found by its key, then updated where it lies: the planner, asked to join a million
    # messages with these five hundred by key and state, begins with the state when its statistics
    # are old, and takes a second instead of five milliseconds. A row that moved away meanwhile is
    # not found where it lay, and goes one by one. All are locked by id before: else whoever opens
    # links of two of them might hold that one and wait for the others.
    cursor.execute(
        """
        WITH held AS MATERIALIZED (
            SELECT v.*, t.ctid AS place
            FROM unnest(%s::bigint[], %s::int[], %s::int[], string_to_array(%s, chr(31)),
                        %s::int[], string_to_array(%s, chr(31)), string_to_array(%s, chr(31)),
                        string_to_array(%s, chr(31)), %s::int[], %s::int[], %s::float8[])
                 AS v(id, n, before, state, rank, reason, code, body, segments, credits, at)
            CROSS JOIN LATERAL (
                SELECT ctid, state, attempts FROM messaging_message
                WHERE id = v.id OFFSET 0 FOR NO KEY UPDATE
            ) t
            WHERE t.state = 'pending' AND t.attempts = v.before
        )
        UPDATE messaging_message m
        SET state = v.state, rank = v.rank, reason = coalesce(v.reason, ''),
            carrier_code = coalesce(v.code, ''), body = coalesce(nullif(v.body, ''), m.body),
            segments = v.segments, credits = v.credits, attempts = v.n,
            accepted_at = CASE v.state WHEN 'accepted' THEN to_timestamp(v.at) END,
            final_at = CASE WHEN v.rank = 4 THEN to_timestamp(v.at) END
        FROM held v
        WHERE m.ctid = v.place
        RETURNING m.id
        """,
        [
            _numbers([row.id for row in rows]),
            _numbers([row.n for row in rows]),
            _numbers([row.n - row.is_asked for row in rows]),
            _texts([row.state for row in rows]),
            _numbers([RANKS[row.state] for row in rows]),
            _texts([row.reason for row in rows]),
            _texts([row.code for row in rows]),
            _texts([row.body for row in rows]),
            _numbers([row.segments for row in rows]),
            _numbers([row.credits for row in rows]),
            _numbers([row.at for row in rows]),
        ],
    )
    moved = {row[0] for row in cursor.fetchall()}
    others = [row for row in rows if row.id not in moved] if len(moved) < len(rows) else []
    _count(rows, moved, moves, activity, settled)
    if others:
        _move_one_by_one(cursor, others, moves, activity, settled)


def _count(
    rows: list[MessageRow],
    moved: set[int],
    moves: TallyMoves,
    activity: ActivityMoves,
    settled: Counter[tuple[int, int]],
) -> None:
    """Count what went from pending to where it stands now; most rows went the same way."""
    ways: dict[tuple[BatchInfo, str, str, int], list[int]] = {}
    for row in rows:
        if row.id in moved and row.state != MessageState.PENDING:
            way = ways.setdefault((row.batch, row.state, row.reason, int(row.at) // 60), [0, 0, 0])
            way[0] += 1
            way[1] += row.segments
            way[2] += row.credits
    for (batch, state, reason, minute), (messages, segments, credits) in ways.items():
        moves.leave(batch.id, MessageState.PENDING, "", messages=messages)
        moves.enter(batch.id, state, reason, segments, credits, messages=messages)
        activity.happened(batch.id, batch.our_number, state, minute, messages)
        if credits:
            settled[batch.account_id, batch.id] += credits


def _move_one_by_one(
    cursor: Any,
    rows: list[MessageRow],
    moves: TallyMoves,
    activity: ActivityMoves,
    settled: Counter[tuple[int, int]],
) -> None:
    """Messages that something else moved since they were claimed: a callback, or a judge."""
    cursor.execute(
        "SELECT id, state, rank, reason, carrier_code, segments, credits, attempts, accepted_at "
        "FROM messaging_message WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
        [[row.id for row in rows]],
    )
    found = {one[0]: one[1:] for one in cursor.fetchall()}
    for row in rows:
        # One to be tried again that a judge holds to be unknown stays so until it is proven.
        if row.id not in found or not row.is_asked or row.state == MessageState.PENDING:
            continue
        state, old_rank, reason, code, segments, credits, attempts, accepted_at = found[row.id]
        is_taken = row.state == MessageState.ACCEPTED
        moving = may_move(state, row.state) and (is_taken or attempts in (row.n, row.n - 1))
        if not moving and not is_taken:
            continue
        new_state, new_rank = (row.state, RANKS[row.state]) if moving else (state, old_rank)
        new_reason, new_code = (row.reason, row.code) if moving else (reason, code)
        # A callback came first: it could not know the text, its segments or its price.
        new_segments, new_credits = segments or row.segments, credits or row.credits
        at = datetime.fromtimestamp(row.at, UTC)
        cursor.execute(
            "UPDATE messaging_message SET state = %s, rank = %s, reason = %s, carrier_code = %s, "
            "body = CASE WHEN %s = '' THEN body ELSE %s END, segments = %s, credits = %s, "
            "attempts = greatest(attempts, %s), accepted_at = %s, "
            "final_at = coalesce(final_at, %s) WHERE id = %s",
            [
                new_state,
                new_rank,
                new_reason,
                new_code,
                row.body,
                row.body,
                new_segments,
                new_credits,
                row.n,
                accepted_at or (at if is_taken else None),
                at if moving and new_rank == 4 else None,
                row.id,
            ],
        )
        batch = row.batch
        moves.leave(batch.id, state, reason, segments, credits)
        moves.enter(batch.id, new_state, new_reason, new_segments, new_credits)
        if is_taken and accepted_at is None:
            activity.happened(batch.id, batch.our_number, Happened.ACCEPTED, minute_of(at))
        if moving and new_state == MessageState.REFUSED:
            activity.happened(batch.id, batch.our_number, new_state, minute_of(at))
        if new_credits > credits:
            settled[batch.account_id, batch.id] += new_credits - credits


def _release_chunks(cursor: Any, token: str, progress: list[Progress]) -> None:
    """Give the chunks back: further in this pass, at the start of the next, or done.

    What somebody opened again while the window was out stands in the chunk itself (`reopen`), so
    whether there is a next pass is decided where both are seen.
    """
    if not progress:
        return
    cursor.execute(
        """
        WITH v AS (
            SELECT c.id, c.last_no, v.next_no, least(c.held_no, v.held_no) AS held_no,
                   least(c.held_until, v.held_until) AS held_until
            FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::timestamptz[])
                 AS v(id, next_no, held_no, held_until)
            JOIN messaging_chunk c ON c.id = v.id AND c.lease_token = %s
        ), w AS (
            SELECT *, next_no > last_no AS is_through,
                   next_no > last_no AND held_no IS NOT NULL AS is_again
            FROM v
        )
        UPDATE messaging_chunk c
        SET state = CASE WHEN is_through AND NOT is_again THEN 'done' ELSE 'ready' END,
            next_no = CASE WHEN is_again THEN w.held_no ELSE w.next_no END,
            not_before = CASE WHEN is_again THEN w.held_until ELSE c.not_before END,
            held_no = CASE WHEN is_again THEN NULL ELSE w.held_no END,
            held_until = CASE WHEN is_again THEN NULL ELSE w.held_until END,
            lease_token = NULL, lease_until = NULL, window_last_no = NULL
        FROM w WHERE c.id = w.id
        """,
        [
            [one.lease.chunk_id for one in progress],
            [
                one.lease.window_last_no + 1 if one.left_no is None else one.left_no
                for one in progress
            ],
            [one.held_no for one in progress],
            [one.held_until for one in progress],
            token,
        ],
    )
