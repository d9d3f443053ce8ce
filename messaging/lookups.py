"""Carrying out look-ups of line types, in steps that a crash may end anywhere.

Owns the moves of `Lookup` and the end of a `LookupRun`. A number is marked as asked, committed,
before its request goes out, and an asked one without an answer is never asked again: whatever dies
or runs twice, nobody is looked up or charged twice. No transaction is open while the carrier is
asked.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.services import credits_release, credits_settle
from common.clock import now
from common.jobs import enqueue
from contacts.services import LineTold, erasing_held_off, line_types_keep
from messaging.choices import LookupRunState, LookupState, Outcome
from messaging.gateways.base import Gateway, Line
from messaging.gateways.transport import Transport
from messaging.models import Lookup, LookupRun
from messaging.sending.batches import gateway_of

_STEP: Final = 100
_CONCURRENCY: Final = 16
_SHIFT_S: Final = 30.0
_MOST_TRIES: Final = 6
_AGAIN_S: Final = 5.0
_UNTOUCHED_FOR: Final = timedelta(seconds=60)
# Beyond the time limit of a request: a worker that is only slow still writes its answers.
_LOST_AFTER_S: Final = 60.0
_REFUSED: Final = (
    "The carrier refused to look numbers up with this log-in. What was not asked is paid back."
)

# The state of a number after each outcome of its request.
_AFTER: Final = {
    Outcome.ACCEPTED: LookupState.TOLD,
    Outcome.RETRYABLE: LookupState.WAITING,
    Outcome.REJECTED: LookupState.REFUSED,
    Outcome.UNKNOWN: LookupState.LOST,
}

_CLAIM: Final = """
    UPDATE messaging_lookup SET state = 'asked', asked_at = clock_timestamp(), tries = tries + 1
    WHERE id IN (
        SELECT id FROM messaging_lookup WHERE run_id = %s AND state = 'waiting'
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING id, phone
"""
_MOVE: Final = """
    UPDATE messaging_lookup l SET line_type = v.line_type,
        state = CASE WHEN v.state = 'waiting' AND l.tries >= %s THEN 'refused' ELSE v.state END
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS v(id, state, line_type)
    WHERE l.id = v.id AND l.state = 'asked'
"""
_LOSE: Final = """
    UPDATE messaging_lookup SET state = 'lost'
    WHERE run_id = %s AND state = 'asked'
        AND asked_at < clock_timestamp() - %s * interval '1 second'
"""


def lookup_run(run_id: int) -> None:
    """Ask for what waits of a run, for `_SHIFT_S`; end the run once nothing does.

    Safe to call at any time, many times and at once.

    Side effects: requests to the carrier; LineFact, Contact.line_type; a hint where work is left.
    """
    run = (
        LookupRun.objects.filter(pk=run_id, state=LookupRunState.RUNNING)
        .select_related("account", "carrier_account")
        .first()
    )
    if run is None:
        return
    until_s = time.monotonic() + _SHIFT_S
    gateway = gateway_of(run.carrier_account)
    while claimed := _claim(run):
        found = _ask(gateway, claimed)
        _record(run, claimed, found)
        if any(line.stops for line in found.values()):
            _stop(run)
            break
        again = Counter(line.outcome for line in found.values())[Outcome.RETRYABLE]
        if again == len(claimed) or time.monotonic() > until_s:
            enqueue("messaging.lookup_run", run.pk, countdown_s=_AGAIN_S if again else None)
            return
    _finish(run.pk)


def lookup_sweep() -> None:
    """Hint again at runs whose hint or worker was lost; numbers it was asking for are lost too."""
    untouched = now() - _UNTOUCHED_FOR
    lost_after_s = settings.CARRIER_REQUEST_TIMEOUT_S + _LOST_AFTER_S
    running = LookupRun.objects.filter(state=LookupRunState.RUNNING, touched_at__lt=untouched)
    for run_id in running.order_by("touched_at").values_list("pk", flat=True)[:100]:
        with connection.cursor() as cursor:
            cursor.execute(_LOSE, [run_id, lost_after_s])
        enqueue("messaging.lookup_run", run_id)


def _claim(run: LookupRun) -> list[tuple[int, str]]:
    """Mark the next numbers as asked, committed: nobody else asks for them from now on."""
    with transaction.atomic(), connection.cursor() as cursor:
        LookupRun.objects.filter(pk=run.pk).update(touched_at=now())
        cursor.execute(_CLAIM, [run.pk, _STEP])
        return [(pk, phone) for pk, phone in cursor.fetchall()]


def _ask(gateway: Gateway, claimed: Sequence[tuple[int, str]]) -> dict[int, Line]:
    """What the carrier says of each, by the id of the number."""
    found: dict[int, Line] = {}
    _transport().run(
        ((pk, gateway.line_endpoint(phone=phone), b"") for pk, phone in claimed),
        lambda pk, answer, *_: found.__setitem__(pk, gateway.line(answer)),
    )
    return found


@transaction.atomic
def _record(run: LookupRun, claimed: Sequence[tuple[int, str]], found: Mapping[int, Line]) -> None:
    """Keep the answers, in one transaction; those given up as lost meanwhile are not written.

    Locks: erasures, then contacts, then the numbers of the run.
    """
    erasing_held_off(account=run.account)
    ids = [pk for pk, _ in claimed]
    asked = Lookup.objects.filter(pk__in=ids, state=LookupState.ASKED)
    told = {
        phone: LineTold(found[pk].line_type, found[pk].carrier_name)
        for pk, phone in asked.values_list("pk", "phone")
        if found[pk].outcome == Outcome.ACCEPTED
    }
    line_types_keep(account=run.account, told=told, at=now())
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            [
                _MOST_TRIES,
                ids,
                [str(_AFTER[found[pk].outcome]) for pk in ids],
                [found[pk].line_type for pk in ids],
            ],
        )
    LookupRun.objects.filter(pk=run.pk).update(touched_at=now())


def _stop(run: LookupRun) -> None:
    """The carrier would refuse the others alike: ask for none of them."""
    waiting = Lookup.objects.filter(run=run, state=LookupState.WAITING)
    waiting.update(state=LookupState.REFUSED)
    LookupRun.objects.filter(pk=run.pk).update(error=_REFUSED)


@transaction.atomic
def _finish(run_id: int) -> None:
    """End a run of which nothing waits and nothing is being asked: settle and release, once.

    Locks: the run, then the account.
    """
    run = (
        LookupRun.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .filter(pk=run_id, state=LookupRunState.RUNNING)
        .first()
    )
    open_states = [LookupState.WAITING, LookupState.ASKED]
    if run is None or Lookup.objects.filter(run=run, state__in=open_states).exists():
        return
    run.told = Lookup.objects.filter(run=run, state=LookupState.TOLD).count()
    run.state = LookupRunState.FAILED if run.error else LookupRunState.DONE
    run.finished_at = now()
    run.save(update_fields=["told", "state", "finished_at"])
    settled = run.told * run.credits_each
    spared = (run.numbers - run.told) * run.credits_each
    note = f"Line types of {run.title}"[:200]
    if settled:
        credits_settle(
            account=run.account, credits=settled, key=f"lookups:{run.pk}:settle", note=note
        )
    if spared:
        credits_release(
            account=run.account, credits=spared, key=f"lookups:{run.pk}:release", note=note
        )


@lru_cache(maxsize=1)
def _transport() -> Transport:
    # What died on a kept connection libcurl would ask again, and the carrier bill twice.
    return Transport(
        concurrency=_CONCURRENCY,
        timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S,
        keeps_connections=False,
    )
