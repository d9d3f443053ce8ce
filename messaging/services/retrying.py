"""A person's "try these again": failed messages go back to the send engine for another attempt.

Owns `batch_retry`. Which messages may be tried again is `messaging.retryable`'s rule, giving them
back `messaging.reopening`'s; the engine then sends them like all others, through the same gate.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from accounts.models import Account, User
from accounts.services import audit_record, credits_reserve
from messaging.activity import ActivityMoves, activity_move
from messaging.breaker import watch_anew
from messaging.budget import Budget, budgets_hold, budgets_of
from messaging.choices import BatchState
from messaging.content import content_of
from messaging.errors import BatchOver, NothingToRetry
from messaging.hints import hint_send
from messaging.models import Batch
from messaging.pricing import Prices
from messaging.reopening import reopen
from messaging.retryable import IS_RETRYABLE, parameters
from messaging.services.control import batch_locked
from messaging.services.launch import CHUNK_SIZE, may_launch
from messaging.tally import TallyMoves, tally_move
from messaging.totals import totals_move


@transaction.atomic
def batch_retry(
    *, account: Account, actor: User | None, batch: Batch, budgets: Sequence[Budget] = ()
) -> int:
    """Try again whoever the carrier says did not get it, for a cause that may pass.

    A batch that was done runs again; one that is paused stays paused, and these wait with the
    rest. What the first attempts cost stays paid for, the next are reserved anew. Asking twice
    finds nothing the second time, since the first has given them back.

    Args:
        account: The tenant.
        actor: Who asks.
        batch: One of the account's.
        budgets: What it may not pass, beside the account's own budget of the month.

    Returns:
        How many messages wait for another attempt.

    Raises:
        NotFound: the batch is another account's.
        BatchOver: it was canceled.
        NothingToRetry: no message failed for a cause that may pass.
        InsufficientCredits: the balance does not cover the new attempts.
        BudgetPassed: a budget does not.
        EmailUnverified, AccountSuspended, SenderNotUsable.

    Locks: batch, chunks, messages by id, tally, totals, activity, account (in the order of
        docs/locks.md).
    Side effects: after commit, hints to the send queue.
    """
    current = batch_locked(account, batch)
    may_launch(account=account, actor=actor, sender=current.sender)
    if current.state == BatchState.CANCELED:
        raise BatchOver(
            "This was canceled, so nobody is tried again. To text these people, make a group of"
            " the list below and write to it."
        )
    with connection.cursor() as cursor:
        ids = _lock_retryable(cursor, current.pk)
        if not ids:
            raise NothingToRetry
        credits = _cost(cursor, current, ids) if current.credits_reserved else 0
        spent = _close_attempts(cursor, ids)
        moves, activity = TallyMoves(), ActivityMoves()
        reopen(cursor, ids, moves, activity)
        tally_move(cursor, moves.deltas)
        totals_move(cursor, {current.pk: spent})
        activity_move(cursor, activity.deltas)
    budgets_hold(account, budgets_of(account, *budgets, launched_at=current.launched_at), credits)
    current.retries += 1
    current.credits_reserved += credits
    current.settled_at = None
    current.save(update_fields=["retries", "credits_reserved", "settled_at"])
    watch_anew(current.pk)
    audit_record(
        account=account,
        actor=actor,
        action="batch.retried",
        subject=current.name,
        data={"batch": current.pk, "messages": len(ids), "credits": credits},
    )
    if credits:
        credits_reserve(
            account=account,
            batch_id=current.pk,
            credits=credits,
            key=f"reserve:{current.pk}:{current.retries}",
        )
    hint_send(windows=len(ids) // CHUNK_SIZE + 1)
    return len(ids)


def _lock_retryable(cursor: Any, batch_id: int) -> list[int]:
    """Lock the batch's chunks, so that no window of it comes or goes, then what may be retried."""
    cursor.execute(
        "SELECT id FROM messaging_chunk WHERE batch_id = %s ORDER BY id FOR UPDATE", [batch_id]
    )
    cursor.execute(
        f"SELECT m.id FROM messaging_message m WHERE {IS_RETRYABLE} "
        "ORDER BY m.id FOR NO KEY UPDATE OF m",
        parameters(batch_id),
    )
    return [row[0] for row in cursor.fetchall()]


def _cost(cursor: Any, batch: Batch, ids: list[int]) -> int:
    """What sending these again costs: text and prices are the same as at the launch."""
    prices = Prices(batch.prices)
    price = prices.sql("phone")
    cursor.execute(
        f"SELECT sum(segments * {price.text}) FROM messaging_message WHERE id = ANY(%s)",
        [*price.params, ids],
    )
    counted: int = cursor.fetchone()[0]
    # Refused, or told of by a callback alone: nobody has counted them.
    cursor.execute(
        "SELECT phone, body, merge::text FROM messaging_message "
        "WHERE id = ANY(%s) AND segments = 0",
        [ids],
    )
    content = content_of(batch)
    uncounted = sum(
        prices.credits(phone, content.segments(body or content.sample(json.loads(merge or "null"))))
        for phone, body, merge in cursor.fetchall()
    )
    return counted + uncounted


def _close_attempts(cursor: Any, ids: list[int]) -> dict[str, int]:
    """Mark the last attempt of each as followed by another; it keeps what the message counted."""
    cursor.execute(
        """
        WITH held AS MATERIALIZED (
            SELECT a.id, m.segments, m.credits
            FROM messaging_message m
            JOIN messaging_attempt a ON a.message_id = m.id AND a.n = m.attempts
            WHERE m.id = ANY(%s) ORDER BY a.id FOR NO KEY UPDATE OF a
        ), closed AS (
            UPDATE messaging_attempt a
            SET retried_at = now(), segments = m.segments, credits = m.credits
            FROM held m WHERE a.id = m.id
            RETURNING m.segments, m.credits
        )
        SELECT coalesce(sum(segments), 0), coalesce(sum(credits), 0) FROM closed
        """,
        [ids],
    )
    spent_segments, spent_credits = cursor.fetchone()
    return {"retried_segments": spent_segments, "retried_credits": spent_credits}
