"""The story of one message: what was asked, what the carrier said, what the person did, in order.

Owns the order and the words of the steps. Every webhook that took effect, or would have if it had
not come twice or late, stands with its raw payload; one that was set aside belongs to staff, since
it may be another account's forgery.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging import carrier_codes
from messaging.choices import Direction, EventEnd, EventKind, MessageState, Outcome
from messaging.confirmations import confirmed_by_carrier
from messaging.models import Attempt, CarrierEvent, Message
from messaging.reasons import failed_words, skipped_words
from messaging.state import RANKS, may_move
from tracking.choices import Verdict
from tracking.models import Click, Link

ROLES: dict[str, str] = {
    MessageState.DELIVERED: "delivered",
    MessageState.UNDELIVERED: "failed",
    MessageState.FAILED: "failed",
    MessageState.REFUSED: "failed",
    MessageState.SKIPPED: "unsubscribed",
}
VISITORS: dict[str, str] = {
    Verdict.PENDING: "Link opened",
    Verdict.HUMAN: "Link opened by a person",
    Verdict.PREVIEW: "Link fetched by a preview robot",
    Verdict.SCANNER: "Link fetched by a scanner",
    Verdict.UNSURE: "Link opened, perhaps by a robot",
}
_SAID: dict[str, str] = {
    Outcome.ACCEPTED: "Carrier accepted it",
    Outcome.REJECTED: "Carrier refused it",
    Outcome.RETRYABLE: "Carrier was too busy; asked again later",
    Outcome.UNKNOWN: "Carrier's answer was lost",
}
_LAST_WORDS: dict[str, str] = {
    MessageState.DELIVERED: "Delivered",
    MessageState.UNDELIVERED: "Not delivered",
    MessageState.FAILED: "Failed at the carrier",
}
_CLICKS_SHOWN = 100
_REPLIES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `role` is the colour role; `said` what the carrier posted."""

    at: datetime
    title: str
    detail: str = ""
    role: str = "waiting"
    said: Sequence[tuple[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a message stands where it does, and what to do."""

    meaning: str
    todo: str


def message_timeline(message: Message) -> list[Step]:
    """Everything that happened to a message, oldest first. At most five queries."""
    if message.direction == Direction.IN:
        return list(_received(message))
    steps = [Step(message.created_at, "Asked for")]
    steps += _attempts(message)
    steps += _events(message)
    if message.state == MessageState.SKIPPED:
        words = skipped_words(message.reason)
        steps.append(
            Step(message.final_at or message.created_at, "Not texted", words.label, "unsubscribed")
        )
    steps += _clicks(message)
    steps += _replies(message)
    if message.batch is not None and message.batch.events_removed_at is not None:
        steps += _told_before(message, message.batch.events_removed_at)
    return sorted(steps, key=lambda step: step.at)


def message_explanation(message: Message) -> Explanation | None:
    """Why a message was not texted or did not arrive; None where nothing went wrong."""
    if message.state == MessageState.UNKNOWN:
        return Explanation(
            "The carrier's answer was lost, so it may or may not have been sent.",
            "Nothing: the carrier's records are asked, and it is never sent twice by itself.",
        )
    if not message.reason:
        return None
    if message.state == MessageState.SKIPPED:
        words = skipped_words(message.reason)
        return Explanation(words.cause or f"{words.label}.", words.advice)
    if confirmed_by_carrier(message, message.batch):
        return Explanation(
            "The carrier confirmed this opt-out itself and lets no more texts through to this"
            " person, so our own confirmation was not needed.",
            "Nothing: they are on your opt-out list.",
        )
    if message.carrier_code:
        told = carrier_codes.explain(message.carrier_code)
        return Explanation(f"{told.meaning} {told.cause}", told.advice)
    words = failed_words(message.reason)
    return Explanation(words.cause, words.advice)


def _received(message: Message) -> Iterator[Step]:
    events = CarrierEvent.objects.filter(message_id=message.pk, kind=EventKind.INBOUND).exclude(
        ended=EventEnd.SET_ASIDE
    )
    told = list(events.order_by("id"))
    # One that the carrier's list brought has no event.
    said = _said(told[0]) if told else ()
    yield Step(message.created_at, "Received", role="replied", said=said)
    for event in told[1:]:
        detail = "Said before; changes nothing."
        yield Step(event.received_at, "Told again by the carrier", detail, said=_said(event))


def _said(event: CarrierEvent) -> Sequence[tuple[str, Any]]:
    """What was posted, name by name: a template would take a name of it for its own."""
    return tuple(event.payload.items())


def _attempts(message: Message) -> Iterator[Step]:
    for attempt in Attempt.objects.filter(message=message).order_by("n"):
        again = f"Attempt {attempt.n}. " if attempt.n > 1 else ""
        code = f"Code {attempt.carrier_code}. " if attempt.carrier_code else ""
        name = f"Its id there: {attempt.carrier_id}" if attempt.carrier_id else ""
        is_refused = attempt.outcome == Outcome.REJECTED
        is_confirmed = is_refused and confirmed_by_carrier(message, message.batch)
        at = attempt.answered_at or attempt.requested_at or message.accepted_at
        yield Step(
            at or message.created_at,
            "Carrier had confirmed it itself" if is_confirmed else _SAID[attempt.outcome],
            f"{again}{code}{name}".strip(),
            "failed" if is_refused and not is_confirmed else "waiting",
        )


def _events(message: Message) -> Iterator[Step]:
    """Callbacks by arrival; what a repeated or late one did (nothing) is found by replaying.

    Each attempt is a text of its own to the carrier, with words of its own.
    """
    state: str = MessageState.UNKNOWN
    seen: set[str] = set()
    attempt_n: int | None = None
    events = CarrierEvent.objects.filter(message_id=message.pk, kind=EventKind.STATUS).exclude(
        ended=EventEnd.SET_ASIDE
    )
    for event in events.order_by("id"):
        if event.attempt_n != attempt_n:
            attempt_n, state, seen = event.attempt_n, MessageState.UNKNOWN, set()
        meant = event.state or MessageState.ACCEPTED
        title = f"Carrier says: {event.word or 'nothing known'}"
        detail = carrier_codes.explain(event.code).meaning if event.code else ""
        if event.word in seen:
            detail = "Said before; changes nothing."
        elif RANKS[meant] < RANKS[state] or (RANKS[meant] == 4 and not may_move(state, meant)):
            detail = "Came late; changes nothing."
        elif not event.state:
            detail = "A word we do not know; kept, changes nothing."
        if (attempt_n or 1) > 1:
            detail = f"Attempt {attempt_n}. {detail}".strip()
        if may_move(state, meant):
            state = meant
        seen.add(event.word)
        yield Step(event.received_at, title, detail, ROLES.get(meant, "waiting"), _said(event))


def _told_before(message: Message, removed_at: datetime) -> Iterator[Step]:
    """What the carrier had said, by the message itself: its raw events were kept long enough."""
    if message.sent_at is not None:
        yield Step(message.sent_at, "Carrier handed it on")
    if message.final_at is not None and message.state in _LAST_WORDS:
        role = ROLES.get(message.state, "waiting")
        yield Step(message.final_at, _LAST_WORDS[message.state], role=role)
    yield Step(
        removed_at,
        "Raw events of the carrier removed",
        "This account keeps them for a limited time; what they said of this message stays.",
    )


def _clicks(message: Message) -> Iterator[Step]:
    if message.batch_id is None or message.recipient_no is None:
        return
    links = dict(Link.objects.filter(batch_id=message.batch_id).values_list("pk", "destination"))
    hits = Click.objects.filter(link__in=links, recipient_no=message.recipient_no)
    for hit in hits.order_by("at")[:_CLICKS_SHOWN]:
        is_person = hit.verdict == Verdict.HUMAN
        yield Step(
            hit.at,
            VISITORS[hit.verdict],
            links[hit.link_id],
            "clicked" if is_person else "waiting",
        )


def _replies(message: Message) -> Iterator[Step]:
    if not (message.replied_at or message.opted_out_at):
        return
    replies = Message.objects.filter(
        account_id=message.account_id,
        phone=message.phone,
        direction=Direction.IN,
        answers_batch_id=message.batch_id,
    )
    for reply in replies.order_by("id")[:_REPLIES_SHOWN]:
        left = message.opted_out_at == reply.created_at
        yield Step(
            reply.created_at,
            "Opted out" if left else "Replied",
            reply.body,
            "unsubscribed" if left else "replied",
        )
