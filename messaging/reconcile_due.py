"""When blasts and numbers are held against the carriers' records (`messaging.reconcile`).

Owns whose time has come, and that one carrier which does not answer keeps no other from being
asked. Beat asks every half minute; `manage.py reconcile BLAST` waits for no time.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Final, TypeVar

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from common.clock import now
from messaging.carrier_list import KEEPS_ITS_WORD, CarrierAway
from messaging.choices import BatchKind, MessageState
from messaging.models import Batch, BatchCost, BatchTally, SenderNumber
from messaging.reconcile import batch_reconcile, inbound_catch_up
from messaging.single_costs import singles_cost

log = logging.getLogger(__name__)

R = TypeVar("R")

_OPEN: Final = (MessageState.ACCEPTED, MessageState.SENT)
_BATCHES_AT_ONCE: Final = 5
_SENDERS_AT_ONCE: Final = 20
# Rows loaded at once while those of carriers that do not answer are passed over.
_CHUNK: Final = 100
# How old a blast may be that is looked at after all.
_LOOKED_BACK: Final = timedelta(days=30)
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
            _some(away, _senders_due(), _sender_ask, most=_SENDERS_AT_ONCE)
            return _some(away, _batches_due(), _batch_ask, most=_BATCHES_AT_ONCE)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _some(
    away: set[int], due: Iterable[tuple[int, R]], ask: Callable[[R], object], *, most: int
) -> int:
    """Ask about what is due, up to `most` that are answered. Returns how many were.

    A carrier account that does not answer is asked once, and never keeps others' from being asked.

    Args:
        away: Carrier accounts that did not answer in this run; more are added.
        due: With the carrier account of each, the most urgent first.
        ask: Asks about one.
        most: How many answers are enough.
    """
    answered = 0
    for carrier_account_id, one in due:
        if answered == most:
            break
        if carrier_account_id in away:
            continue
        try:
            ask(one)
            answered += 1
        except CarrierAway as error:
            away.add(carrier_account_id)
            log.warning("not reconciled, tried again later: %s", error)
        except OperationalError:
            raise
        except Exception:
            # Whatever one carrier's records hold must not keep the others' from being read.
            log.exception("reconciling with carrier account %s failed", carrier_account_id)
    return answered


def _sender_ask(sender: SenderNumber) -> None:
    inbound_catch_up(sender=sender)
    singles_cost(sender=sender)


def _batch_ask(batch: Batch) -> None:
    batch_reconcile(batch=batch)


def _batches_due() -> Iterator[tuple[int, Batch]]:
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
    due = Batch.objects.filter((never | ended_since | again) & (is_open | Q(kind=BatchKind.BLAST)))
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
    for batch in chain(recent.iterator(_CHUNK), late.iterator(_CHUNK)):
        yield batch.sender.carrier_account_id, batch


def _senders_due() -> Iterator[tuple[int, SenderNumber]]:
    due = now() - timedelta(seconds=settings.RECONCILE_AFTER_S)
    rows = (
        SenderNumber.objects.filter(
            Q(inbound_checked_at__isnull=True) | Q(inbound_checked_at__lt=due),
            released_at__isnull=True,
            created_at__lt=due,
        )
        .select_related("carrier_account")
        .order_by("inbound_checked_at", "id")
    )
    for sender in rows.iterator(_CHUNK):
        yield sender.carrier_account_id, sender
