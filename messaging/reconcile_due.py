"""When blasts and numbers are held against the carriers' records (`messaging.reconcile`).

Owns whose time has come, and that neither a carrier which does not answer nor a list that cannot
be read keeps others from being asked: each waits before it is asked again. Beat asks every half
minute; `manage.py reconcile BLAST` waits for no time.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from time import monotonic
from typing import Final, TypeVar

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from common.clock import now
from messaging.carrier_list import KEEPS_ITS_WORD, CarrierAway, ListUnreadable
from messaging.choices import BatchKind, MessageState
from messaging.models import Batch, BatchCost, BatchTally, SenderNumber
from messaging.reconcile import batch_reconcile, inbound_catch_up, numbers_of
from messaging.single_costs import singles_cost

log = logging.getLogger(__name__)

R = TypeVar("R", Batch, SenderNumber)

_OPEN: Final = (MessageState.ACCEPTED, MessageState.SENT)
_BATCHES_AT_ONCE: Final = 5
_SENDERS_AT_ONCE: Final = 20
# Rows loaded at once while those of carriers that do not answer are passed over.
_CHUNK: Final = 100
# How old a blast may be that is looked at after all.
_LOOKED_BACK: Final = timedelta(days=30)
# How long what a carrier account did not answer about gives way to its others.
_AWAY: Final = timedelta(minutes=5)
# After that long nothing more is begun in a run: the next one goes on.
_SHIFT_S: Final = 60.0
_LOCK: Final = 0x5EC0


def reconcile_due() -> int:
    """Reconcile every batch and number whose time has come. One process at a time.

    Returns:
        How many batches were held against the carrier's records.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        try:
            away: set[int] = set()
            _some(away, _senders_due(), _sender_accounts, _sender_ask, most=_SENDERS_AT_ONCE)
            return _some(away, _batches_due(), _batch_accounts, _batch_ask, most=_BATCHES_AT_ONCE)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _some(
    away: set[int],
    due: Iterable[R],
    accounts: Callable[[R], Iterable[int]],
    ask: Callable[[R], object],
    *,
    most: int,
) -> int:
    """Ask about what is due, up to `most` that are answered. Returns how many were.

    A carrier account that does not answer is asked once, and never keeps others' from being asked.
    What failed gives way to the rest before it is asked again.

    Args:
        away: Carrier accounts that did not answer in this run; more are added.
        due: The most urgent first.
        accounts: The carrier accounts that have to answer for one.
        ask: Asks about one.
        most: How many answers are enough.
    """
    answered = 0
    until_s = monotonic() + _SHIFT_S
    for one in due:
        if answered == most or monotonic() > until_s:
            break
        if away and not away.isdisjoint(accounts(one)):
            continue
        try:
            ask(one)
            answered += 1
        except ListUnreadable as error:
            _wait(one, _pause(one))
            log.warning("not reconciled, tried again later: %s", error)
        except CarrierAway as error:
            away.add(error.carrier_account_id)
            # Of an account that answers about all but this one, the next is asked meanwhile.
            _wait(one, _AWAY)
            log.warning("not reconciled, tried again later: %s", error)
        except OperationalError:
            raise
        except Exception:
            # Whatever one carrier's records hold must not keep the others' from being read.
            _wait(one, _pause(one))
            log.exception("reconciling %r failed", one)
    return answered


def _pause(one: Batch | SenderNumber) -> timedelta:
    """How long what cannot be read waits: a blast like one that was looked at, ever longer."""
    after = timedelta(seconds=settings.RECONCILE_AFTER_S)
    return max(after, (now() - one.launched_at) / 2) if isinstance(one, Batch) else after


def _wait(one: Batch | SenderNumber, pause: timedelta) -> None:
    one.reconcile_not_before = now() + pause
    one.save(update_fields=["reconcile_not_before"])


def _sender_ask(sender: SenderNumber) -> None:
    inbound_catch_up(sender=sender)
    singles_cost(sender=sender)


def _sender_accounts(sender: SenderNumber) -> Iterator[int]:
    yield sender.carrier_account_id


def _batch_ask(batch: Batch) -> None:
    batch_reconcile(batch=batch)


def _batch_accounts(batch: Batch) -> Iterator[int]:
    # What is known without a query comes first: it mostly decides.
    yield batch.sender.carrier_account_id
    yield from numbers_of(batch).values_list("carrier_account_id", flat=True)


def _batches_due() -> Iterator[Batch]:
    """Blasts once their first hour is over; then whatever stays open, at ever longer intervals.

    A blast is looked at again once it has ended, and one whose time for that went by while nobody
    asked (the platform was away, or the blast was paused) after all.
    """
    at, after = now(), timedelta(seconds=settings.RECONCILE_AFTER_S)
    is_open = Q(
        pk__in=BatchTally.objects.filter(state__in=_OPEN, messages__gt=0).values("batch_id")
    )
    # Prices come hours after the texts. Those of one-to-one texts are asked for by number.
    unpriced = BatchCost.objects.filter(priced__lt=F("texts"), batch__kind=BatchKind.BLAST)
    is_open |= Q(pk__in=unpriced.values("batch_id"))
    never = Q(reconciled_at__isnull=True, launched_at__lt=at - after)
    ended_since = Q(reconciled_at__lt=F("finished_at"), finished_at__lt=at - after)
    again = (
        is_open
        & Q(reconciled_at__lt=at - after)
        # Asked after one hour, two, four, eight ...
        & Q(reconciled_at__lt=F("launched_at") + (at - F("launched_at")) / 2)
    )
    due = Batch.objects.filter(
        _may_be_asked(at),
        never | ended_since | again,
        is_open | Q(kind=BatchKind.BLAST),
    )
    due = due.select_related("sender").order_by("launched_at")
    recent = due.filter(launched_at__gt=at - KEEPS_ITS_WORD)
    # Of the carrier's last word by then no look was taken: one still is.
    unasked = Q(reconciled_at=None) | Q(
        reconciled_at__lt=Coalesce("finished_at", "launched_at") + KEEPS_ITS_WORD
    )
    late = due.filter(
        unasked,
        kind=BatchKind.BLAST,
        launched_at__gt=at - _LOOKED_BACK,
        launched_at__lte=at - KEEPS_ITS_WORD,
    )
    return chain(recent.iterator(_CHUNK), late.iterator(_CHUNK))


def _senders_due() -> Iterator[SenderNumber]:
    at = now()
    due = at - timedelta(seconds=settings.RECONCILE_AFTER_S)
    rows = (
        SenderNumber.objects.filter(
            _may_be_asked(at),
            Q(inbound_checked_at__isnull=True) | Q(inbound_checked_at__lt=due),
            released_at__isnull=True,
            created_at__lt=due,
        )
        .select_related("carrier_account")
        .order_by("inbound_checked_at", "id")
    )
    return rows.iterator(_CHUNK)


def _may_be_asked(at: datetime) -> Q:
    return Q(reconcile_not_before=None) | Q(reconcile_not_before__lte=at)
