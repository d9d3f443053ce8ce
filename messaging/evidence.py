"""What became of unknown messages: looked up in the carrier's own list.

Owns the standard of proof. Accepted is proven by a message in the list that fits (or by a callback,
which `receipts` applies). Not accepted is proven by absence in two looks, each later than the list
may lag and as far apart, with no callback. Everything else stays unknown and is looked up again,
for three days. Only what is proven not accepted is ever sent again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.models import Account
from accounts.services import credits_settle
from common.clock import now
from messaging.activity import ActivityMoves, activity_move, minute_of
from messaging.choices import EventEnd, Happened, MessageState, Outcome, Reason
from messaging.gateways.base import Answer, Endpoint, Gateway, Listed
from messaging.gateways.transport import Transport
from messaging.hints import hint_send
from messaging.models import Attempt, CarrierEvent, Message
from messaging.pricing import prices_frozen
from messaging.reopening import lock_for_reopening, reopen
from messaging.segments import count
from messaging.sending.batches import gateway
from messaging.sending.rows import MAX_ATTEMPTS
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move

_AT_ONCE: Final = 500
_PAGES_MOST: Final = 20
_CONCURRENCY: Final = 16
# A carrier's clock is not ours, and it tells whole seconds.
_SKEW: Final = timedelta(seconds=30)
_FOR_S: Final = 72 * 3600


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


def unknown_look_up() -> tuple[int, int]:
    """Look up what is due, at the carriers, and act on what is proven.

    Returns:
        How many were found accepted, and how many are proven not accepted.

    Side effects: requests to carriers, with no transaction open; hints to send.
    """
    _forget_resolved()
    doubts = _due()
    if not doubts:
        return 0, 0
    looked_at = now()
    lists = _lists(doubts)
    found = absent = 0
    for key, own in _by_phone(doubts).items():
        listed = lists.get(key)
        if listed is None:
            continue
        matches = _match(key[0], own, listed)
        for doubt in own:
            if doubt.attempt_id in matches:
                found += _accept(doubt, matches[doubt.attempt_id])
            else:
                absent += _absent(doubt, looked_at)
    return found, absent


def _forget_resolved() -> None:
    """Close attempts whose message went on without us: a callback told."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_attempt a SET outcome = %s
            FROM messaging_message m
            WHERE a.outcome = %s AND m.id = a.message_id AND m.attempts = a.n
              AND m.rank BETWEEN 2 AND 4 AND m.state NOT IN (%s, %s)
            """,
            [
                Outcome.ACCEPTED,
                Outcome.UNKNOWN,
                MessageState.REFUSED,
                MessageState.SKIPPED,
            ],
        )


def _due() -> list[Doubt]:
    """Doubts whose next look is due, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.id, m.id, a.n, m.batch_id, m.account_id, a.carrier_account_id, m.phone,
                   m.our_number, m.body, m.segments, b.credits_reserved > 0,
                   a.requested_at, a.answered_at, a.looked_up_at, b.prices::text,
                   cardinality(b.media_ids) > 0
            FROM messaging_attempt a
            JOIN messaging_message m ON m.id = a.message_id AND m.state = %s AND m.attempts = a.n
            JOIN messaging_batch b ON b.id = m.batch_id
            JOIN messaging_carrieraccount ca ON ca.id = a.carrier_account_id
            WHERE a.outcome = %s AND a.requested_at > clock_timestamp() - %s * interval '1 second'
              AND coalesce(a.looked_up_at, a.answered_at)
                  < clock_timestamp() - ca.list_delay_s * interval '1 second'
            ORDER BY a.id LIMIT %s
            """,
            [MessageState.UNKNOWN, Outcome.UNKNOWN, _FOR_S, _AT_ONCE],
        )
        return [Doubt(*row) for row in cursor.fetchall()]


_PhoneKey = tuple[int, str]  # carrier account id, phone


def _by_phone(doubts: Iterable[Doubt]) -> dict[_PhoneKey, list[Doubt]]:
    grouped: dict[_PhoneKey, list[Doubt]] = defaultdict(list)
    for doubt in doubts:
        grouped[doubt.carrier_account_id, doubt.phone].append(doubt)
    return grouped


def _lists(doubts: Sequence[Doubt]) -> dict[_PhoneKey, list[Listed]]:
    """What the carriers list per phone since its oldest doubt; no entry where a look failed."""
    gateways = _gateways({doubt.carrier_account_id for doubt in doubts})
    grouped = _by_phone(doubts)
    since = {key: min(doubt.since for doubt in own) - _SKEW for key, own in grouped.items()}
    lists: dict[_PhoneKey, list[Listed]] = {key: [] for key in grouped}
    urls = {key: gateways[key[0]].list_url(to=key[1]) for key in grouped}
    for _ in range(_PAGES_MOST):
        if not urls:
            return lists
        keys = list(urls)
        answers: dict[int, Answer] = {}
        _transport().run(
            (
                (place, Endpoint("GET", urls[key], gateways[key[0]].reading.headers), b"")
                for place, key in enumerate(keys)
            ),
            lambda place, answer, *_: answers.__setitem__(place, answer),  # noqa: B023
        )
        following: dict[_PhoneKey, str] = {}
        for place, key in enumerate(keys):
            page = gateways[key[0]].list_page(answers[place])
            if page is None:
                del lists[key]
                continue
            lists[key] += page.messages
            is_old = bool(page.messages) and page.messages[-1].created_at < since[key]
            if page.next_url and not is_old:
                following[key] = page.next_url
        urls = following
    for key in urls:
        del lists[key]
    return lists


def _gateways(carrier_account_ids: set[int]) -> dict[int, Gateway]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, gateway, external_id, secret_encrypted, api_base_url "
            "FROM messaging_carrieraccount WHERE id = ANY(%s)",
            [sorted(carrier_account_ids)],
        )
        return {
            row[0]: gateway(row[0], row[1], row[2], bytes(row[3]), row[4])
            for row in cursor.fetchall()
        }


def _match(
    carrier_account_id: int, doubts: Sequence[Doubt], listed: Sequence[Listed]
) -> dict[int, Listed]:
    """Attempt id to the listed message it must be: one to one, oldest with oldest.

    Equal words first, and what has no words last: a picture alone takes no other text's proof.
    """
    known = set(
        Attempt.objects.filter(
            carrier_account_id=carrier_account_id,
            carrier_id__in=[one.carrier_id for one in listed],
        ).values_list("carrier_id", flat=True)
    )
    free = sorted(
        (one for one in listed if one.is_outbound and one.carrier_id not in known),
        key=lambda one: one.created_at,
    )
    matches: dict[int, Listed] = {}
    in_turn = sorted(doubts, key=lambda doubt: (not doubt.body, doubt.since))
    for fits in (_is_equal, _fits):
        for doubt in in_turn:
            if doubt.attempt_id in matches:
                continue
            found = next((one for one in free if fits(doubt, one)), None)
            if found is not None:
                matches[doubt.attempt_id] = found
                free.remove(found)
    return matches


def _is_equal(doubt: Doubt, one: Listed) -> bool:
    return _fits(doubt, one) and _plain(doubt.body) == _plain(one.body)


def _fits(doubt: Doubt, one: Listed) -> bool:
    return (
        doubt.since - _SKEW <= one.created_at <= doubt.until + _SKEW
        and one.our_number in ("", doubt.our_number)
        and (one.media > 0) == doubt.has_media
        and (not one.body or _plain(doubt.body) in _plain(one.body))
    )


def _plain(text: str) -> str:
    """A text as far as carriers leave it alone: they prefix it, and replace look-alikes."""
    for change in count(text).forcing:
        if change.replacement is not None:
            text = text.replace(change.char, change.replacement)
    return " ".join(text.split())


@transaction.atomic
def _accept(doubt: Doubt, listed: Listed) -> bool:
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


def _absent(doubt: Doubt, looked_at: datetime) -> bool:
    """The carrier does not list it. Returns whether that proves that it was not taken."""
    if doubt.looked_up_at is None:
        Attempt.objects.filter(pk=doubt.attempt_id, looked_up_at__isnull=True).update(
            looked_up_at=looked_at
        )
        return False
    return _give_up(doubt) if doubt.n >= MAX_ATTEMPTS else _open_again(doubt)


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


@lru_cache(maxsize=1)
def _transport() -> Transport:
    return Transport(concurrency=_CONCURRENCY, timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S)
