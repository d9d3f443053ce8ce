"""What one-to-one texts cost at the carrier: replies, texts by programs, automatic answers, codes.

Owns when they are asked about: number by number, whenever a number is asked for what it received,
from an hour after a text on and at ever longer intervals until it has a price. What the carrier
says is kept by `messaging.costs`, like that of blasts.
"""

import logging
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import F, Q, QuerySet

from common.clock import now
from messaging.carrier_list import KEEPS_ITS_WORD, SKEW, listed
from messaging.choices import BatchKind
from messaging.costs import costs_keep, credits_follow
from messaging.models import Batch, BatchCost, SenderNumber

log = logging.getLogger(__name__)

_AT_ONCE: Final = 5_000


def singles_cost(*, sender: SenderNumber) -> int:
    """Ask what the one-to-one texts of a number cost whose time has come.

    Returns:
        Of how many texts the carrier was asked.

    Raises:
        CarrierAway: the list could not be read; nothing was changed, and it is asked again.

    Side effects: credits follow the carrier's count where it is another one.
    """
    due = list(_due(sender).order_by("launched_at").values_list("pk", "launched_at")[:_AT_ONCE])
    if not due:
        return 0
    asked_at = now()
    batch_ids, since = [pk for pk, _ in due], due[0][1] - SKEW
    theirs = {
        one.carrier_id: one
        for one in listed(sender.carrier_account, our_number=sender.phone, since=since)
        if one.is_outbound
    }
    costs_keep(batch_ids=batch_ids, sender=sender, listed=theirs, asked_at=asked_at)
    # Those that the carrier never took have nothing to be asked for again.
    BatchCost.objects.bulk_create(
        [BatchCost(batch_id=pk, our_number=sender.phone, asked_at=asked_at) for pk in batch_ids],
        ignore_conflicts=True,
    )
    others = BatchCost.objects.filter(batch__in=batch_ids).exclude(segments=F("our_segments"))
    for batch_id in others.values_list("batch_id", flat=True):
        credits_follow(batch_id)
    return len(batch_ids)


def _due(sender: SenderNumber) -> QuerySet[Batch]:
    """Never asked about, or without a price and not asked for half its age."""
    at = now()
    waits = Q(costs__priced__lt=F("costs__texts")) & Q(
        costs__asked_at__lt=F("launched_at") + (at - F("launched_at")) / 2
    )
    return Batch.objects.filter(
        Q(costs=None) | waits,
        sender=sender,
        # Until then it may still be held back, and nothing could be told of it.
        settled_at__isnull=False,
        launched_at__gt=at - KEEPS_ITS_WORD,
        launched_at__lt=at - timedelta(seconds=settings.RECONCILE_AFTER_S),
    ).exclude(kind=BatchKind.BLAST)
