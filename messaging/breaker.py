"""The breaker: a blast that fails too often for one cause pauses by itself and says why.

Owns the judgement (docs/breaker.md), `BatchWatch`, and the step from running to paused that nobody
asked for. It reads kept counts only, so a look costs the same for ten messages and ten million.

What counts is what came to an end since the last look that had enough to judge. Causes differ in
what going on would do: where it makes matters worse a tenth is too many; a bad list is its owner's
affair until nearly a third of it fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.services import audit_record
from common.clock import now
from messaging.choices import BatchState, MessageState, Reason
from messaging.models import Batch, BatchTally, BatchWatch

# States in which the carrier has had its last word.
ENDED: Final = (
    MessageState.DELIVERED,
    MessageState.UNDELIVERED,
    MessageState.FAILED,
    MessageState.REFUSED,
)
# A blast to fewer people than the window is judged from so many on; a smaller one never.
SMALL: Final = 100

_CLEAN: Final = "Check the list before you resume, or cancel the rest."
_MEND: Final = "Ask an admin to mend it at the carrier, then resume."

# Causes for which going on makes it worse: what happened and what to do. It hurts the number's
# name (filtered, blocked), it spends on people who could be reached once something is mended (the
# next four), or it spends on people who could be reached later (the last three).
WORSENING: Final[Mapping[str, tuple[str, str]]] = {
    Reason.FILTERED: (
        "were filtered as spam",
        "Cancel the rest and send them a calmer text that names you and says how to opt out.",
    ),
    Reason.BLOCKED: (
        "were blocked by the people or their carriers",
        "Make sure that these people asked for your texts; then resume, or cancel the rest.",
    ),
    Reason.BAD_SENDER: ("failed because the number they come from cannot be used", _MEND),
    Reason.CARRIER_ACCOUNT: ("failed because of a problem with the carrier account", _MEND),
    Reason.REGION: ("went to a country that is switched off at the carrier", _MEND),
    Reason.UNVERIFIED_TRIAL: ("were refused because the carrier account is on trial", _MEND),
    Reason.RATE: (
        "failed because a sending limit of the carriers is reached",
        "Resume in some hours or tomorrow, and try the failed ones again then.",
    ),
    Reason.EXPIRED: (
        "waited too long at the carrier and were dropped",
        "Resume in an hour, and try the failed ones again then.",
    ),
    Reason.PROVIDER: (
        "failed because of a fault at the carriers",
        "Resume in some minutes, and try the failed ones again then.",
    ),
}
_OF_THE_LIST: Final[Mapping[str, tuple[str, str]]] = {
    Reason.LANDLINE: ("went to landlines", _CLEAN),
    Reason.INVALID_NUMBER: ("went to numbers that do not exist", _CLEAN),
    Reason.OPTED_OUT: ("went to people who have opted out", _CLEAN),
    Reason.UNREACHABLE: ("went to phones that could not be reached", _CLEAN),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages came to an end, and by which `Reason` those that failed did."""

    ended: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trip:
    """Too many failures of one cause."""

    reason: str
    failed: int
    ended: int


def window_for(texted: int) -> int:
    """How many messages of a blast to `texted` people must come to an end to be judged."""
    window: int = settings.BREAKER_WINDOW
    return window if texted >= window else min(SMALL, window)


def judge(counts: Counts, before: Counts) -> Trip | None:
    """The commonest cause that passed its share since `before`, or None. Pure.

    A count can have fallen meanwhile (messages that are tried again); it then says nothing.
    """
    ended = counts.ended - before.ended
    if ended <= 0:
        return None
    trips = [
        Trip(reason, failed, ended)
        for reason, count in counts.causes.items()
        if (failed := count - before.causes.get(reason, 0)) / ended > _share(reason)
    ]
    return max(trips, key=lambda trip: trip.failed, default=None)


def _share(reason: str) -> float:
    share: float = settings.BREAKER_SHARE if reason in WORSENING else settings.BREAKER_LIST_SHARE
    return share


def sentence(trip: Trip) -> str:
    """What happened, what was kept and what to do, for the marketer."""
    words = WORSENING.get(trip.reason) or _OF_THE_LIST.get(trip.reason)
    what, advice = words or ("failed, and the carriers gave no known cause", _CLEAN)
    return (
        f"{trip.failed:,} of the last {trip.ended:,} texts {what}."
        f" Whoever has not been texted yet waits, nobody is lost. {advice}"
    )


def batches_judge() -> int:
    """Judge every running blast of which enough has come to an end. One query when none has.

    Returns:
        How many were paused.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.id FROM messaging_batch b
            LEFT JOIN messaging_batchwatch w ON w.batch_id = b.id
            CROSS JOIN LATERAL (
                SELECT sum(messages) FILTER (WHERE state = ANY(%s)) AS ended,
                       sum(messages) FILTER (WHERE state = %s) AS pending,
                       sum(messages) FILTER (WHERE state <> %s) AS texted
                FROM messaging_batchtally WHERE batch_id = b.id
            ) t
            WHERE b.settled_at IS NULL AND b.state = %s AND b.size >= %s AND t.pending > 0
              AND abs(t.ended - coalesce(w.ended, 0))
                  >= CASE WHEN t.texted >= %s THEN %s ELSE %s END
            ORDER BY b.id
            """,
            [
                list(ENDED),
                MessageState.PENDING,
                MessageState.SKIPPED,
                BatchState.RUNNING,
                min(SMALL, settings.BREAKER_WINDOW),
                settings.BREAKER_WINDOW,
                window_for(settings.BREAKER_WINDOW),
                window_for(0),
            ],
        )
        batch_ids = [row[0] for row in cursor.fetchall()]
    return sum(batch_judge(batch_id) for batch_id in batch_ids)


@transaction.atomic
def batch_judge(batch_id: int) -> bool:
    """Judge one batch by what came to an end since the last look, and pause it if need be.

    Everything is asked again under the lock: of two that look at the same time one pauses, and
    none pauses what a person has just resumed.

    Returns:
        Whether this call paused it.

    Locks: batch (skipped where somebody holds it; there is a next look).
    """
    batch = (
        Batch.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("account")
        .filter(pk=batch_id, state=BatchState.RUNNING)
        .first()
    )
    if batch is None:
        return False
    counts, texted = _counts(batch_id)
    watch = BatchWatch.objects.filter(pk=batch_id).first()
    before = Counts(watch.ended, watch.causes) if watch else Counts()
    if abs(counts.ended - before.ended) < window_for(texted):
        return False
    _keep(batch_id, counts)
    trip = judge(counts, before)
    if trip is None:
        return False
    return _pause(batch, trip)


def _pause(batch: Batch, trip: Trip) -> bool:
    reason = sentence(trip)
    paused = Batch.objects.filter(pk=batch.pk, state=BatchState.RUNNING).update(
        state=BatchState.PAUSED, state_reason=reason
    )
    if not paused:
        return False
    audit_record(
        account=batch.account,
        actor=None,
        action="batch.paused",
        subject=batch.name,
        data={
            "batch": batch.pk,
            "reason": reason,
            "cause": trip.reason,
            "failed": trip.failed,
            "ended": trip.ended,
        },
    )
    return True


def watch_anew(batch_id: int) -> None:
    """Judge a batch from here on by what comes from now on. The caller holds its lock."""
    counts, _ = _counts(batch_id)
    _keep(batch_id, counts)


def _keep(batch_id: int, counts: Counts) -> None:
    BatchWatch.objects.update_or_create(
        batch_id=batch_id,
        defaults={"ended": counts.ended, "causes": dict(counts.causes), "looked_at": now()},
    )


def _counts(batch_id: int) -> tuple[Counts, int]:
    """What came to an end, from kept counts, and how many people are texted in all. One query."""
    ended = texted = 0
    causes: dict[str, int] = {}
    rows: Any = BatchTally.objects.filter(batch_id=batch_id)
    for state, reason, messages in rows.values_list("state", "reason", "messages"):
        if state != MessageState.SKIPPED:
            texted += messages
        if state in ENDED:
            ended += messages
            if state != MessageState.DELIVERED:
                causes[reason] = causes.get(reason, 0) + messages
    return Counts(ended, causes), texted
