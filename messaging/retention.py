"""Removing what an account has kept as long as it wants (docs/operations.md).

Owns `Batch.texts_removed_at`, `Batch.events_removed_at` and `Retention`. Only words and raw events
go: whatever is counted stays, so kept totals remain equal to a recount. What belongs to a batch
goes by batch, once it settled so long ago; what came in by a walk along the account's messages that
never reads a row twice. Every slice is a transaction of its own, and a run that was ended goes on
where it stood.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import Account
from common.clock import now
from messaging.choices import Direction, EventKind
from messaging.models import Batch, CarrierEvent, InboundMedia, Message, Retention

_SLICE: Final = 5_000

# An event still queued has not been applied: it goes the next time.
_EVENTS_DELETE: Final = """
DELETE FROM messaging_carrierevent e
WHERE e.message_id = ANY(%s)
    AND e.id NOT IN (SELECT unnest(event_ids) FROM messaging_carriereventqueue)
"""

# The carrier's raw body of an inbound text is the text.
_WORDS: Final = ("Body", "ButtonText", "ButtonPayload", "MediaUrl")


@dataclass(frozen=True)
class _Kind:
    """Something that is kept for a time.

    Attributes:
        days: The account's setting.
        mark: The batch's column that says when it went.
        place: The column of `Retention` that says how far inbound messages were gone through.
        remove: Removes it from messages (their ids); returns how many rows lost something.
    """

    days: str
    mark: str
    place: str
    remove: Callable[[Sequence[int]], int]


def texts_remove() -> int:
    """Remove texts that are due, of every account that keeps them for a limited time.

    Returns:
        How many messages lost their text.

    Locks: per slice, a batch or the account's `Retention`, then its messages by id.
    """
    return _remove(_Kind("keep_bodies_days", "texts_removed_at", "message_id", _texts))


def events_remove() -> int:
    """Remove carriers' raw events that are due, of every account that keeps them so long only.

    Returns:
        How many events went.

    Locks: per slice, a batch or the account's `Retention`, and the events.
    """
    return _remove(_Kind("keep_events_days", "events_removed_at", "events_message_id", _events))


def _remove(kind: _Kind) -> int:
    removed = 0
    for account in Account.objects.filter(**{f"{kind.days}__gt": 0}).order_by("pk"):
        before = now() - timedelta(days=getattr(account, kind.days))
        due = Batch.objects.filter(
            account=account, settled_at__lt=before, **{f"{kind.mark}__isnull": True}
        )
        for batch_id in due.order_by("settled_at").values_list("pk", flat=True).iterator():
            removed += _batch(kind, batch_id, before)
        removed += _inbound(kind, account, before)
    return removed


def _batch(kind: _Kind, batch_id: int, before: datetime) -> int:
    removed, first_no = 0, 0
    while True:
        with transaction.atomic():
            batch = (
                Batch.objects.select_for_update(no_key=True)
                .filter(pk=batch_id, settled_at__lt=before, **{f"{kind.mark}__isnull": True})
                .first()
            )
            if batch is None:
                return removed
            rows = Message.objects.filter(
                batch=batch, recipient_no__gte=first_no, recipient_no__lt=first_no + _SLICE
            )
            removed += kind.remove(list(rows.values_list("pk", flat=True)))
            first_no += _SLICE
            if first_no > batch.size:
                setattr(batch, kind.mark, now())
                if kind.remove is _texts and not batch.is_template:
                    batch.body, batch.media_ids = "", []
                batch.save(update_fields=[kind.mark, "body", "media_ids"])
                return removed


def _inbound(kind: _Kind, account: Account, before: datetime) -> int:
    Retention.objects.get_or_create(account=account)
    removed = 0
    while True:
        with transaction.atomic():
            place = Retention.objects.select_for_update(no_key=True).get(account=account)
            rows = list(
                Message.objects.filter(account=account, pk__gt=getattr(place, kind.place))
                .order_by("pk")
                .values_list("pk", "direction", "created_at")[:_SLICE]
            )
            old = []
            for row in rows:
                if row[2] >= before:
                    break
                old.append(row)
            removed += kind.remove([pk for pk, way, _ in old if way == Direction.IN])
            if old:
                setattr(place, kind.place, old[-1][0])
                place.save(update_fields=[kind.place])
            if len(old) < _SLICE:
                return removed


def _texts(message_ids: Sequence[int]) -> int:
    rows = Message.objects.filter(~Q(body="") | Q(merge__isnull=False), pk__in=message_ids)
    # Of a batch that settled long ago, callbacks may still come and links be opened.
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    removed = rows.update(body="", merge=None)
    InboundMedia.objects.filter(message_id__in=message_ids).delete()
    events = list(CarrierEvent.objects.filter(message_id__in=message_ids, kind=EventKind.INBOUND))
    for event in events:
        event.payload = {
            name: value for name, value in event.payload.items() if not name.startswith(_WORDS)
        }
    CarrierEvent.objects.bulk_update(events, ["payload"], batch_size=500)
    return removed


def _events(message_ids: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS_DELETE, [list(message_ids)])
        return int(cursor.rowcount)
