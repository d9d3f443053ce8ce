"""Status callbacks: by the thousand, each in any order and any number of times.

Owns the statement that moves messages by carriers' words, and the kept counts by exactly what
moved. The rules of rank are `messaging.state`'s, what a carrier's word means the gateway's; both
stand beside the event when it gets here.

A signature proves only the carrier account of the path, so an event takes effect only if

- the payload names that same carrier account (AccountSid),
- the message's attempt was made through it; or the attempt is not recorded yet, is the next one,
  and the lease of the message's chunk says that it is being made through it: the callback outran
  (or survived) the worker, and is then itself the attempt's record,
- the carrier's id is the attempt's, once that is known,
- no later attempt was made, or asked for by a person (docs/breaker.md).

Everything else is set aside and shown to staff.
"""

import logging
from itertools import groupby
from operator import itemgetter

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.services import consent_revoke, people_lock
from messaging.activity import ENDS, ActivityMoves, activity_move
from messaging.choices import (
    ChunkState,
    Direction,
    EventEnd,
    EventKind,
    Happened,
    MessageState,
    Outcome,
    Reason,
)
from messaging.models import CarrierEvent, Message
from messaging.receipts.queue import put_back, set_aside, take, take_these
from messaging.state import RANKS
from messaging.tally import TallyMoves, tally_move

log = logging.getLogger(__name__)

# Per row, 5,000 in a transaction cost half of what 1,000 do; more gains nothing.
BATCH = 5000

# A word the gateway does not know still proves that the carrier has the message.
_STATE = f"(CASE e.state WHEN '' THEN '{MessageState.ACCEPTED.value}' ELSE e.state END)"
_RANK = "(CASE e.state {} END)".format(
    " ".join(f"WHEN '{state}' THEN {rank}" for state, rank in RANKS.items())
    + f" ELSE {RANKS[MessageState.ACCEPTED]}"
)

_HANDED_ON = ", ".join(
    f"'{state.value}'"
    for state in (MessageState.SENT, MessageState.DELIVERED, MessageState.UNDELIVERED)
)
_OVERTAKEN = "A later attempt was made meanwhile."
_NOT_MADE = "No such attempt was made through this carrier account."
# Nobody has recorded the attempt yet: judged apart, under the lock of the message's chunk.
_EARLY = "early"

# Every row is found by its key and updated where it lies (`OFFSET 0`, ctid): with old statistics
# the planner would rather read the whole table of messages for five thousand of them. That loop
# goes through `best`, so messages are locked in the order of ids. One that something else moves
# meanwhile is not found where it lay, and nothing is locked after the others for its sake: its
# event goes back into the queue. An attempt is not looked for by having no carrier id (COALESCE):
# after a carrier's bad hour a hundred thousand have none.
_JUDGE = f"""
WITH judged AS MATERIALIZED (
    SELECT e.id AS event_id, e.message_id, e.attempt_n, e.carrier_account_id,
        NULLIF(e.carrier_id, '') AS carrier_id, {_STATE} AS state, {_RANK} AS rank, e.reason,
        e.code, e.received_at AS at,
        m.place, m.our_number, m.state AS old_state, m.reason AS old_reason, m.rank AS old_rank,
        m.accepted_at IS NULL AS is_news,
        a.id AS attempt_id, a.carrier_id AS known_id,
        CASE
            WHEN e.account_ref IS DISTINCT FROM p.external_id
                THEN 'It names another account of the carrier.'
            WHEN m.id IS NULL THEN 'There is no such message.'
            WHEN a.carrier_account_id <> e.carrier_account_id
                THEN 'The message was sent through another carrier account.'
            WHEN a.carrier_id <> NULLIF(e.carrier_id, '')
                THEN 'It names another message of the carrier.'
            WHEN e.attempt_n < m.attempts THEN '{_OVERTAKEN}'
            WHEN a.retried_at IS NOT NULL AND m.state = '{MessageState.PENDING.value}'
                THEN '{_OVERTAKEN}'
            WHEN a.id IS NOT NULL THEN ''
            WHEN e.attempt_n <> m.attempts + 1 THEN '{_NOT_MADE}'
            WHEN NOT %(chunks_locked)s THEN '{_EARLY}'
            WHEN NOT EXISTS (
                SELECT FROM messaging_chunk c
                WHERE c.batch_id = m.batch_id
                    AND m.recipient_no BETWEEN c.first_no AND c.last_no
                    AND c.state = '{ChunkState.LEASED.value}'
                    AND c.carrier_account_id = e.carrier_account_id)
                THEN '{_NOT_MADE}'
            ELSE ''
        END AS error
    FROM unnest(%(events)s::bigint[]) AS taken(event_id)
    CROSS JOIN LATERAL (
        SELECT id, message_id, attempt_n, carrier_account_id, carrier_id, account_ref, state,
            reason, code, received_at
        FROM messaging_carrierevent WHERE id = taken.event_id OFFSET 0
    ) e
    LEFT JOIN messaging_carrieraccount p ON p.id = e.carrier_account_id
    LEFT JOIN LATERAL (
        SELECT ctid AS place, id, batch_id, recipient_no, our_number, state, reason, rank,
            attempts, accepted_at
        FROM messaging_message
        WHERE id = e.message_id AND direction = '{Direction.OUT.value}' OFFSET 0
    ) m ON true
    LEFT JOIN LATERAL (
        SELECT id, carrier_account_id, carrier_id, retried_at
        FROM messaging_attempt WHERE message_id = e.message_id AND n = e.attempt_n OFFSET 0
    ) a ON true
), best AS MATERIALIZED (
    SELECT DISTINCT ON (message_id) *
    FROM judged WHERE error = ''
    ORDER BY message_id, rank DESC, event_id
), recorded AS (
    INSERT INTO messaging_attempt
        (message_id, n, carrier_account_id, carrier_id, outcome, carrier_code, answered_at)
    SELECT message_id, attempt_n, carrier_account_id, carrier_id, '{Outcome.ACCEPTED.value}', '', at
    FROM best WHERE attempt_id IS NULL
), told AS MATERIALIZED (
    SELECT j.* FROM (
        SELECT DISTINCT ON (message_id, attempt_id) attempt_id, carrier_id
        FROM judged
        WHERE attempt_id IS NOT NULL AND known_id IS NULL AND carrier_id IS NOT NULL
            AND error IN ('', '{_OVERTAKEN}')
        ORDER BY message_id, attempt_id, event_id
    ) j
    CROSS JOIN LATERAL (
        SELECT FROM messaging_attempt WHERE id = j.attempt_id FOR NO KEY UPDATE
    ) a
), learned AS (
    UPDATE messaging_attempt a
    SET carrier_id = j.carrier_id, outcome = '{Outcome.ACCEPTED.value}'
    FROM told j
    WHERE a.id = j.attempt_id AND COALESCE(a.carrier_id, '') = ''
), aside AS (
    UPDATE messaging_carrierevent e
    SET ended = '{EventEnd.SET_ASIDE.value}', error = j.error
    FROM judged j
    WHERE e.id = j.event_id AND j.error NOT IN ('', '{_EARLY}')
        AND e.id = ANY (ARRAY(SELECT event_id FROM judged WHERE error NOT IN ('', '{_EARLY}')))
), moved AS (
    UPDATE messaging_message m
    SET state = b.state, rank = b.rank, reason = b.reason, carrier_code = b.code,
        attempts = b.attempt_n,
        accepted_at = COALESCE(m.accepted_at, b.at),
        sent_at = CASE WHEN b.state IN ({_HANDED_ON}) THEN COALESCE(m.sent_at, b.at)
            ELSE m.sent_at END,
        final_at = CASE WHEN b.rank = {RANKS[MessageState.DELIVERED]} THEN b.at END
    FROM best b
    WHERE m.ctid = b.place AND b.rank > b.old_rank
    RETURNING m.id, m.batch_id, b.old_state, b.old_reason, m.state, m.reason, m.our_number,
        floor(extract(epoch FROM b.at) / 60)::bigint AS minute, b.is_news, m.segments, m.credits
), again AS (
    INSERT INTO messaging_carriereventqueue (event_ids, kind)
    SELECT ARRAY[event_id], '{EventKind.STATUS.value}'
    FROM best b WHERE b.rank > b.old_rank AND NOT EXISTS (SELECT FROM moved WHERE id = b.message_id)
)
SELECT batch_id, old_state, old_reason, state, reason, our_number, minute, is_news,
    count(*), sum(segments), sum(credits)
FROM moved GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
UNION ALL
SELECT event_id, '{_EARLY}', '', '', '', '', 0, false, 0, 0, 0 FROM judged WHERE error = '{_EARLY}'
"""

# Whoever records a window holds its chunk while it inserts the attempts that are inserted here too,
# and so does whoever applies another early word of the same message.
_LOCK_CHUNKS = """
SELECT count(*) FROM (
    SELECT FROM messaging_chunk WHERE id = ANY (ARRAY(
        SELECT c.id
        FROM messaging_carrierevent e
        JOIN messaging_message m ON m.id = e.message_id
        JOIN messaging_chunk c ON c.batch_id = m.batch_id
            AND m.recipient_no BETWEEN c.first_no AND c.last_no
        WHERE e.id = ANY(%(events)s::bigint[])))
    ORDER BY id FOR NO KEY UPDATE
) AS locked
"""


def statuses_apply(*, limit: int = BATCH) -> int:
    """Apply up to `limit` queued status callbacks. Returns how many left the queue.

    Those whose attempt nobody has recorded yet need their messages' chunks, which come before
    messages in the order of locks: they are applied in a transaction of their own. One that
    PostgreSQL refuses to apply is found by taking fewer and fewer, and set aside.

    Raises:
        OperationalError: PostgreSQL is away or chose this transaction to end a deadlock; what it
            had taken is in the queue again.

    Locks: queue rows (skipping locked ones), contacts by phone (of who left, as the carrier says),
        chunks by id (of early ones), messages by id, tallies and activity by key.
    Side effects: opt-outs that the carrier reports revoke consent.
    """
    while True:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                events = take(cursor, statuses=True, limit=limit)
                _lock_leavers(cursor, events)
                if len(events) == 1:
                    early = _apply_or_set_aside(cursor, events[0])
                else:
                    early = _apply(cursor, events, chunks_locked=False) if events else []
                queued = put_back(cursor, early) if early else []
            break
        except OperationalError:
            raise
        except DatabaseError as error:
            log.warning("a batch of %s status callbacks failed, taking fewer: %s", limit, error)
            limit = max(1, limit // 10)
    if queued:
        _apply_early(queued)
    return len(events)


def _apply_early(rows: list[int]) -> None:
    """Apply callbacks whose attempt nobody has recorded yet, under the locks of their chunks.

    Args:
        rows: Their rows in the queue, one each.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            taken = take_these(cursor, rows)
            _lock_leavers(cursor, taken)
            cursor.execute(_LOCK_CHUNKS, {"events": _literal(taken)})
            if len(taken) == 1:
                _apply_or_set_aside(cursor, taken[0], chunks_locked=True)
            elif taken:
                _apply(cursor, taken, chunks_locked=True)
    except OperationalError:
        raise
    except DatabaseError as error:
        log.warning("%s early status callbacks failed, one by one now: %s", len(rows), error)
        for row in rows:
            _apply_early([row])


def _apply_or_set_aside(
    cursor: CursorWrapper, event_id: int, *, chunks_locked: bool = False
) -> list[int]:
    """Apply one event, or set it aside; returns it where it is early."""
    try:
        with transaction.atomic():
            return _apply(cursor, [event_id], chunks_locked=chunks_locked)
    except OperationalError:
        raise
    except DatabaseError as error:
        log.error("status callback %s cannot be applied and is set aside: %s", event_id, error)
        set_aside(event_id=event_id, error=str(error))
        return []


def _lock_leavers(cursor: CursorWrapper, events: list[int]) -> None:
    """Lock the people of whom the carrier says that they left, before anything is moved.

    Whoever holds one of them for long (an import) holds up these events, and no kept counts.
    """
    if not events:
        return
    cursor.execute(
        "SELECT message_id FROM messaging_carrierevent "
        "WHERE id = ANY(%s::bigint[]) AND reason = %s",
        [_literal(events), Reason.OPTED_OUT],
    )
    message_ids = [message_id for (message_id,) in cursor.fetchall()]
    if not message_ids:
        return
    phones = Message.objects.filter(pk__in=message_ids, direction=Direction.OUT)
    theirs = phones.order_by("account_id", "phone").values_list("account_id", "phone")
    for account_id, group in groupby(theirs, itemgetter(0)):
        people_lock(account=Account(pk=account_id), phones=[phone for _, phone in group])


def _apply(cursor: CursorWrapper, events: list[int], *, chunks_locked: bool) -> list[int]:
    """Apply events that take effect; returns the early ones, untouched, of unlocked chunks."""
    moves, activity = TallyMoves(), ActivityMoves()
    early = _judge(cursor, events, moves, activity, chunks_locked=chunks_locked)
    tally_move(cursor, moves.deltas)
    activity_move(cursor, activity.deltas)
    if any(reason == Reason.OPTED_OUT for _, _, reason in moves.deltas):
        _revoke_consents(events)
    return early


def _judge(
    cursor: CursorWrapper,
    events: list[int],
    moves: TallyMoves,
    activity: ActivityMoves,
    *,
    chunks_locked: bool,
) -> list[int]:
    """Apply events that take effect; returns those whose attempt nobody has recorded yet."""
    # Remembering what was looked up costs more than looking it up: a seventh of the statement.
    cursor.execute("SET LOCAL enable_memoize = off")
    cursor.execute(_JUDGE, {"events": _literal(events), "chunks_locked": chunks_locked})
    early = []
    for key, old_state, old_reason, state, reason, our_number, minute, is_news, *counts in cursor:
        if old_state == _EARLY:
            early.append(key)
            continue
        messages, segments, credits = counts
        moves.leave(key, old_state, old_reason, segments, credits, messages=messages)
        moves.enter(key, state, reason, segments, credits, messages=messages)
        if is_news:
            activity.happened(key, our_number, Happened.ACCEPTED, minute, messages)
        if state in ENDS:
            activity.happened(key, our_number, state, minute, messages)
    return early


def _literal(numbers: list[int]) -> str:
    """An array of PostgreSQL as one literal: adapting a list costs ten times as much."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _revoke_consents(events: list[int]) -> None:
    """The carrier refused for a person who left: so have they, for us (21610)."""
    reported = CarrierEvent.objects.filter(pk__in=events, reason=Reason.OPTED_OUT)
    messages = Message.objects.filter(
        pk__in=reported.values("message_id"),
        reason=Reason.OPTED_OUT,
        state__in=[MessageState.FAILED, MessageState.UNDELIVERED],
    ).select_related("account")
    for message in messages.order_by("account_id", "phone", "pk"):
        consent_revoke(
            account=message.account,
            phone=message.phone,
            source=ConsentSource.CARRIER,
            wording=f"Carrier code {message.carrier_code}",
            message_id=message.pk,
        )
