"""What a proof makes of an unknown message: accepted, to be asked for again, or given up.

Owns these moves, each in a transaction of its own and under the message's lock, where it is asked
again whether anything has spoken for the attempt meanwhile. What is a proof, is `evidence`'s.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.models import Account
from accounts.services import credits_settle
from common.clock import now
from messaging.activity import ActivityMoves, activity_move, minute_of
from messaging.choices import EventEnd, Happened, MessageState, Outcome, Reason
from messaging.gateways.base import Listed
from messaging.hints import hint_send
from messaging.models import Attempt, CarrierEvent, Message
from messaging.pricing import prices_frozen
from messaging.reopening import lock_for_reopening, reopen
from messaging.sending.rows import MAX_ATTEMPTS
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt of which nobody knows whether the carrier took it."""

    attempt_id: int
    message_id: int
    n: int
    batch_id: int
    account_id: int
    carrier_account_id: int
    phone: str
    our_number: str
    body: str
    segments: int
    is_charged: bool
    since: datetime
    until: datetime
    looked_up_at: datetime | None
    prices: str
    has_media: bool


@transaction.atomic
def accept(doubt: Doubt, listed: Listed) -> bool:
    """The carrier has it.

    Locks: message, tally, activity, account.
    """
    message = Message.objects.select_for_update(no_key=True).get(pk=doubt.message_id)
    attempt = Attempt.objects.get(pk=doubt.attempt_id)
    if attempt.carrier_id is None:
        attempt.carrier_id = listed.carrier_id
    attempt.outcome = Outcome.ACCEPTED
    attempt.save(update_fields=["carrier_id", "outcome"])
    if message.state != MessageState.UNKNOWN or message.attempts != doubt.n:
        return False
    moves, activity = TallyMoves(), ActivityMoves()
    batch_id = doubt.batch_id
    if message.accepted_at is None:
        taken = minute_of(listed.created_at)
        activity.happened(batch_id, message.our_number, Happened.ACCEPTED, taken)
    moves.leave(batch_id, message.state, message.reason, message.segments, message.credits)
    message.state, message.rank = MessageState.ACCEPTED, rank(MessageState.ACCEPTED)
    message.accepted_at = message.accepted_at or listed.created_at
    cost = prices_frozen(doubt.prices).credits(doubt.phone, message.segments)
    owed = cost - message.credits if doubt.is_charged else 0
    message.credits += owed
    message.save(update_fields=["state", "rank", "accepted_at", "credits"])
    moves.enter(batch_id, message.state, message.reason, message.segments, message.credits)
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)
        activity_move(cursor, activity.deltas)
    if owed:
        credits_settle(
            account=Account(pk=doubt.account_id),
            batch_id=batch_id,
            credits=owed,
            key=f"settle:{batch_id}:attempt:{doubt.attempt_id}",
        )
    return True


def absent(doubt: Doubt) -> bool:
    """The carrier does not list it. Returns whether that proves that it was not taken."""
    if doubt.looked_up_at is None:
        looked(doubt)
        return False
    return _give_up(doubt) if doubt.n >= MAX_ATTEMPTS else _open_again(doubt)


def looked(doubt: Doubt) -> None:
    """Remember that it was looked for in vain; by the database's clock, which times the next look.

    By a worker's, looks would follow each other at once wherever that one is slow.
    """
    Attempt.objects.filter(pk=doubt.attempt_id).update(looked_up_at=Now())


@transaction.atomic
def _open_again(doubt: Doubt) -> bool:
    """Proven not accepted: the next attempt may be made.

    Locks: batch, chunk, message, tally, activity.
    """
    with connection.cursor() as cursor:
        lock_for_reopening(cursor, [doubt.message_id])
        if not _is_in_doubt(doubt):
            return False
        Attempt.objects.filter(pk=doubt.attempt_id).update(outcome=Outcome.RETRYABLE)
        moves, activity = TallyMoves(), ActivityMoves()
        reopen(cursor, [doubt.message_id], moves, activity)
        tally_move(cursor, moves.deltas)
        activity_move(cursor, activity.deltas)
    hint_send()
    return True


@transaction.atomic
def _give_up(doubt: Doubt) -> bool:
    """Proven not accepted, once too often.

    Locks: message, tally, activity.
    """
    message = Message.objects.select_for_update(no_key=True).get(pk=doubt.message_id)
    if not _is_in_doubt(doubt):
        return False
    Attempt.objects.filter(pk=doubt.attempt_id).update(outcome=Outcome.REJECTED)
    moves, activity = TallyMoves(), ActivityMoves()
    moves.leave(doubt.batch_id, message.state, message.reason, message.segments, message.credits)
    message.state, message.rank = MessageState.REFUSED, rank(MessageState.REFUSED)
    message.reason, message.segments, message.final_at = Reason.PROVIDER, 0, now()
    message.save(update_fields=["state", "rank", "reason", "segments", "final_at"])
    moves.enter(doubt.batch_id, message.state, message.reason)
    activity.happened(
        doubt.batch_id, message.our_number, message.state, minute_of(message.final_at)
    )
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)
        activity_move(cursor, activity.deltas)
    return True


def _is_in_doubt(doubt: Doubt) -> bool:
    """Whether, under lock, nothing has spoken for the attempt: no result, no callback."""
    is_unknown = Message.objects.filter(
        pk=doubt.message_id, state=MessageState.UNKNOWN, attempts=doubt.n
    ).exists()
    heard = CarrierEvent.objects.filter(
        message_id=doubt.message_id,
        attempt_n=doubt.n,
        carrier_account_id=doubt.carrier_account_id,
    ).exclude(ended=EventEnd.SET_ASIDE)
    return is_unknown and not heard.exists()
