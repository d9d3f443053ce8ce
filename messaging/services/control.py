"""Pause, resume and cancel a batch. They take effect within a window.

Owns the state of a running batch. What is in a window at that moment finishes first or is left by
it; what it asked the carrier for cannot be taken back.
"""

from django.db import connection, transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.jobs import enqueue
from messaging.breaker import watch_anew
from messaging.choices import BatchState, ChunkState, MessageState, Reason
from messaging.errors import BatchOver
from messaging.hints import hint_send
from messaging.models import Batch
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move


@transaction.atomic
def batch_pause(*, account: Account, actor: User | None, batch: Batch, reason: str = "") -> Batch:
    """Send nothing more of a batch for now. Pausing twice pauses once.

    Args:
        account: The tenant.
        actor: Who pauses; None when the engine does.
        batch: One of the account's.
        reason: A sentence for people: why, and what to do.

    Raises:
        BatchOver: it has ended.

    Locks: batch.
    """
    current = batch_locked(account, batch)
    if current.state == BatchState.PAUSED:
        return current
    if current.state != BatchState.RUNNING:
        raise BatchOver
    return _moved(current, BatchState.PAUSED, actor, "batch.paused", reason)


@transaction.atomic
def batch_resume(*, account: Account, actor: User | None, batch: Batch) -> Batch:
    """Go on with a paused batch. The breaker judges it by what comes from now on.

    The time it may take begins anew, as long as it was at the launch: whoever resumes wants the
    rest to go.

    Raises:
        BatchOver: it has ended.

    Locks: batch.
    Side effects: after commit, hints to the send queue.
    """
    current = batch_locked(account, batch)
    if current.state == BatchState.RUNNING:
        return current
    if current.state != BatchState.PAUSED:
        raise BatchOver
    watch_anew(current.pk)
    current.finished_at = None
    if current.may_take is not None:
        current.expires_at = now() + current.may_take
    hint_send(windows=2)
    return _moved(current, BatchState.RUNNING, actor, "batch.resumed", "")


@transaction.atomic
def batch_cancel(*, account: Account, actor: User | None, batch: Batch) -> Batch:
    """Skip whatever of a batch is not in a window at this moment; a window's rest follows it.

    Raises:
        BatchOver: it has ended.

    Locks: batch, chunks, messages, tally.
    Side effects: after commit, a hint to release what was reserved.
    """
    current = batch_locked(account, batch)
    if current.state == BatchState.CANCELED:
        return current
    if current.state == BatchState.DONE:
        raise BatchOver
    _moved(current, BatchState.CANCELED, actor, "batch.canceled", "")
    skip_pending(current.pk)
    enqueue("messaging.finish_batches")
    return current


def skip_pending(batch_id: int) -> int:
    """Skip the pending messages of a canceled batch that no lease covers.

    Returns:
        How many were skipped.

    Locks: chunks by id, messages by id, tally; the batch is locked by the caller.
    """
    with connection.cursor() as cursor:
        # All of them are locked in one statement, whatever their state: a chunk that is leased or
        # given back at this moment is seen as it is afterwards, and stays so until we are done.
        cursor.execute(
            "SELECT id, state, next_no, window_last_no FROM messaging_chunk "
            "WHERE batch_id = %s ORDER BY id FOR UPDATE",
            [batch_id],
        )
        chunks = cursor.fetchall()
        chunk_ids = [chunk[0] for chunk in chunks if chunk[1] == ChunkState.READY]
        windows = [chunk[2:] for chunk in chunks if chunk[1] == ChunkState.LEASED]
        uncovered = "batch_id = %s AND state = %s" + (
            " AND recipient_no NOT BETWEEN %s AND %s" * len(windows)
        )
        which = [batch_id, MessageState.PENDING, *(no for window in windows for no in window)]
        # What is tried again is pending too: its links are opened, and late callbacks come.
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM messaging_message "
            f"WHERE {uncovered} ORDER BY id FOR NO KEY UPDATE) AS locked",
            which,
        )
        cursor.execute(
            "UPDATE messaging_message SET state = %s, rank = %s, reason = %s, final_at = now() "
            f"WHERE {uncovered}",
            [MessageState.SKIPPED, rank(MessageState.SKIPPED), Reason.CANCELED, *which],
        )
        skipped = cursor.rowcount
        cursor.execute(
            "UPDATE messaging_chunk SET state = %s WHERE id = ANY(%s)",
            [ChunkState.DONE, chunk_ids],
        )
        moves = TallyMoves()
        moves.enter(batch_id, MessageState.PENDING, "", messages=-skipped)
        moves.enter(batch_id, MessageState.SKIPPED, Reason.CANCELED, messages=skipped)
        tally_move(cursor, moves.deltas)
    return skipped


def batch_locked(account: Account, batch: Batch) -> Batch:
    """The batch as it is now, locked.

    Raises:
        NotFound: it is not the account's.

    Locks: batch.
    """
    found = Batch.objects.select_for_update(no_key=True).filter(account=account, pk=batch.pk)
    current = found.first()
    if current is None:
        raise NotFound
    return current


def _moved(batch: Batch, state: BatchState, actor: User | None, action: str, reason: str) -> Batch:
    batch.state, batch.state_reason = state, reason[:300]
    if state == BatchState.CANCELED:
        batch.finished_at = now()
    batch.save(update_fields=["state", "state_reason", "finished_at", "expires_at"])
    audit_record(
        account=batch.account,
        actor=actor,
        action=action,
        subject=batch.name,
        data={"batch": batch.pk, "reason": reason},
    )
    return batch
