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
- no later attempt was made.

Everything else is set aside and shown to staff.
"""

import logging

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from contacts.choices import ConsentSource
from contacts.services import consent_revoke
from messaging.choices import (
    ChunkState,
    Direction,
    EventEnd,
    MessageState,
    Outcome,
    Reason,
)
from messaging.models import CarrierEvent, Message
from messaging.receipts.queue import set_aside, take
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

_JUDGE = f"""
WITH judged AS MATERIALIZED (
    SELECT e.id AS event_id, e.message_id, e.attempt_n, e.carrier_account_id,
        NULLIF(e.carrier_id, '') AS carrier_id, {_STATE} AS state, {_RANK} AS rank, e.reason,
        e.code, e.received_at AS at,
        m.state AS old_state, m.reason AS old_reason, m.rank AS old_rank,
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
            WHEN a.id IS NULL AND (e.attempt_n <> m.attempts + 1 OR NOT EXISTS (
                SELECT FROM messaging_chunk c
                WHERE c.batch_id = m.batch_id
                    AND m.recipient_no BETWEEN c.first_no AND c.last_no
                    AND c.state = '{ChunkState.LEASED.value}'
                    AND c.carrier_account_id = e.carrier_account_id))
                THEN 'No such attempt was made through this carrier account.'
            ELSE ''
        END AS error
    FROM messaging_carrierevent e
    LEFT JOIN messaging_carrieraccount p ON p.id = e.carrier_account_id
    LEFT JOIN messaging_message m
        ON m.id = e.message_id AND m.direction = '{Direction.OUT.value}'
    LEFT JOIN messaging_attempt a ON a.message_id = e.message_id AND a.n = e.attempt_n
    WHERE e.id = ANY(%(events)s)
), best AS (
    SELECT DISTINCT ON (message_id) *
    FROM judged WHERE error = ''
    ORDER BY message_id, rank DESC, event_id
), recorded AS (
    INSERT INTO messaging_attempt
        (message_id, n, carrier_account_id, carrier_id, outcome, carrier_code, answered_at)
    SELECT message_id, attempt_n, carrier_account_id, carrier_id, '{Outcome.ACCEPTED.value}', '', at
    FROM best WHERE attempt_id IS NULL
), learned AS (
    UPDATE messaging_attempt a
    SET carrier_id = j.carrier_id, outcome = '{Outcome.ACCEPTED.value}'
    FROM (
        SELECT DISTINCT ON (attempt_id) attempt_id, carrier_id
        FROM judged
        WHERE attempt_id IS NOT NULL AND known_id IS NULL AND carrier_id IS NOT NULL
            AND (error = '' OR error = '{_OVERTAKEN}')
        ORDER BY attempt_id, event_id
    ) j
    WHERE a.id = j.attempt_id
), aside AS (
    UPDATE messaging_carrierevent e
    SET ended = '{EventEnd.SET_ASIDE.value}', error = j.error
    FROM judged j WHERE e.id = j.event_id AND j.error <> ''
), moved AS (
    UPDATE messaging_message m
    SET state = b.state, rank = b.rank, reason = b.reason, carrier_code = b.code,
        attempts = b.attempt_n,
        accepted_at = COALESCE(m.accepted_at, b.at),
        sent_at = CASE WHEN b.state IN ({_HANDED_ON}) THEN COALESCE(m.sent_at, b.at)
            ELSE m.sent_at END,
        final_at = CASE WHEN b.rank = {RANKS[MessageState.DELIVERED]} THEN b.at END
    FROM best b
    WHERE m.id = b.message_id AND b.rank > m.rank
    RETURNING m.batch_id, b.old_state, b.old_reason, m.state, m.reason, m.segments, m.credits
)
SELECT batch_id, old_state, old_reason, state, reason, count(*), sum(segments), sum(credits)
FROM moved GROUP BY 1, 2, 3, 4, 5
"""


def statuses_apply(*, limit: int = BATCH) -> int:
    """Apply up to `limit` queued status callbacks. Returns how many left the queue.

    One that PostgreSQL refuses to apply is found by taking fewer and fewer, and set aside.

    Raises:
        OperationalError: PostgreSQL is away or chose this transaction to end a deadlock; nothing
            left the queue.

    Locks: queue rows (skipping locked ones), chunks by id, messages by id, tallies by key.
    Side effects: opt-outs that the carrier reports revoke consent.
    """
    while True:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                events = take(cursor, statuses=True, limit=limit)
                if len(events) == 1:
                    _apply_or_set_aside(cursor, events[0])
                elif events:
                    _apply(cursor, events)
                return len(events)
        except OperationalError:
            raise
        except DatabaseError as error:
            log.warning("a batch of %s status callbacks failed, taking fewer: %s", limit, error)
            limit = max(1, limit // 10)


def _apply_or_set_aside(cursor: CursorWrapper, event_id: int) -> None:
    try:
        with transaction.atomic():
            _apply(cursor, [event_id])
    except OperationalError:
        raise
    except DatabaseError as error:
        log.error("status callback %s cannot be applied and is set aside: %s", event_id, error)
        set_aside(event_id=event_id, error=str(error))


def _apply(cursor: CursorWrapper, events: list[int]) -> None:
    _lock_messages(cursor, events)
    cursor.execute(_JUDGE, {"events": events})
    moves = TallyMoves()
    opted_out = False
    for batch_id, old_state, old_reason, state, reason, messages, segments, credits in cursor:
        moves.leave(batch_id, old_state, old_reason, segments, credits, messages=messages)
        moves.enter(batch_id, state, reason, segments, credits, messages=messages)
        opted_out = opted_out or reason == Reason.OPTED_OUT
    tally_move(cursor, moves.deltas)
    if opted_out:
        _revoke_consents(events)


def _lock_messages(cursor: CursorWrapper, events: list[int]) -> None:
    """In id order, as everybody does; what the next statement reads of them then stays true.

    Before them the chunks of those that nobody has recorded yet: whoever records a window holds
    its chunk while it inserts the attempts that this may insert too.
    """
    cursor.execute(
        f"""
        SELECT count(*) FROM (
            SELECT FROM messaging_chunk WHERE id = ANY (ARRAY(
                SELECT c.id
                FROM messaging_carrierevent e
                JOIN messaging_message m
                    ON m.id = e.message_id AND m.state = '{MessageState.PENDING.value}'
                JOIN messaging_chunk c ON c.batch_id = m.batch_id
                    AND m.recipient_no BETWEEN c.first_no AND c.last_no
                WHERE e.id = ANY(%s)))
            ORDER BY id FOR SHARE
        ) AS locked
        """,
        [events],
    )
    cursor.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM messaging_message
            WHERE id = ANY (ARRAY(
                SELECT message_id FROM messaging_carrierevent WHERE id = ANY(%s)))
            ORDER BY id FOR NO KEY UPDATE
        ) AS locked
        """,
        [events],
    )


def _revoke_consents(events: list[int]) -> None:
    """The carrier refused for a person who left: so have they, for us (21610)."""
    reported = CarrierEvent.objects.filter(pk__in=events, reason=Reason.OPTED_OUT)
    messages = Message.objects.filter(
        pk__in=reported.values("message_id"),
        reason=Reason.OPTED_OUT,
        state__in=[MessageState.FAILED, MessageState.UNDELIVERED],
    ).select_related("account")
    for message in messages.order_by("pk"):
        consent_revoke(
            account=message.account,
            phone=message.phone,
            source=ConsentSource.CARRIER,
            wording=f"Carrier code {message.carrier_code}",
            message_id=message.pk,
        )
