"""Removing texts that an account has kept as long as it wants (docs/operations.md).

Owns `Batch.texts_removed_at` and `Retention`. Only words go: whatever is counted stays, so kept
totals remain equal to a recount. Outbound texts go by batch, once it settled so long ago; inbound
ones by a walk along the account's messages that never reads a row twice. Every slice is a
transaction of its own, and a run that was ended goes on where it stood.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import Account
from common.clock import now
from messaging.choices import Direction
from messaging.models import Batch, Message, Retention

_SLICE: Final = 5_000


def texts_remove() -> int:
    """Remove what is due, of every account that keeps texts for a limited time.

    Returns:
        How many messages lost their text.

    Locks: per slice, a batch and its messages, or the account's `Retention` and its messages.
    """
    removed = 0
    for account in Account.objects.filter(keep_bodies_days__gt=0).order_by("pk"):
        before = now() - timedelta(days=account.keep_bodies_days)
        due = Batch.objects.filter(
            account=account, texts_removed_at__isnull=True, settled_at__lt=before
        )
        for batch_id in due.order_by("settled_at").values_list("pk", flat=True).iterator():
            removed += _batch(batch_id, before)
        removed += _inbound(account, before)
    return removed


def _batch(batch_id: int, before: datetime) -> int:
    removed, first_no = 0, 0
    while True:
        with transaction.atomic():
            batch = (
                Batch.objects.select_for_update(no_key=True)
                .filter(pk=batch_id, texts_removed_at__isnull=True, settled_at__lt=before)
                .first()
            )
            if batch is None:
                return removed
            rows = Message.objects.filter(
                batch=batch, recipient_no__gte=first_no, recipient_no__lt=first_no + _SLICE
            )
            removed += _empty(rows.filter(~Q(body="") | Q(merge__isnull=False)))
            first_no += _SLICE
            if first_no > batch.size:
                batch.texts_removed_at = now()
                if not batch.is_template:
                    batch.body = ""
                batch.save(update_fields=["texts_removed_at", "body"])
                return removed


def _inbound(account: Account, before: datetime) -> int:
    Retention.objects.get_or_create(account=account)
    removed = 0
    while True:
        with transaction.atomic():
            place = Retention.objects.select_for_update(no_key=True).get(account=account)
            rows = list(
                Message.objects.filter(account=account, pk__gt=place.message_id)
                .order_by("pk")
                .values_list("pk", "direction", "body", "created_at")[:_SLICE]
            )
            old = []
            for row in rows:
                if row[3] >= before:
                    break
                old.append(row)
            texts = [pk for pk, direction, body, _ in old if direction == Direction.IN and body]
            removed += _empty(Message.objects.filter(pk__in=texts))
            if old:
                place.message_id = old[-1][0]
                place.save(update_fields=["message_id"])
            if len(old) < _SLICE:
                return removed


def _empty(messages: "QuerySet[Message]") -> int:
    return messages.update(body="", merge=None)
