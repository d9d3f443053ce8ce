"""What messaging forgets of a person who is erased: their number and every word, no count.

Owns nothing but that. A message row stays with its state, segments, credits and times, so kept
totals remain equal to a recount; what still waits is skipped by the gate when its turn comes,
because the alias is opted out.
"""

from itertools import chain
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Replace

from accounts.models import Account
from common.clock import now
from contacts.errors import ErasureWaits
from messaging.choices import BatchKind, ChunkState, LookupState, MessageState
from messaging.models import (
    Batch,
    CarrierEvent,
    CarrierEventQueue,
    Chunk,
    DriftRow,
    InboundMedia,
    Lookup,
    Media,
    Message,
)
from messaging.services.finish import TAKEN
from messaging.services.media import KEPT_UNUSED


def person_forget(*, account: Account, phone: str, alias: str) -> None:
    """Put `alias` in the place of a phone, and remove the texts to and from it.

    Raises:
        ErasureWaits: a text to it is on its way, or what became of one is still being found out.

    Locks: batches of one to the phone by id, chunks that wait with a text to it by id, its messages
        by id, then what the carrier posted about them.
    """
    _lookups_forget(account, phone, alias)
    DriftRow.objects.filter(account=account, phone=phone).update(phone=alias, wording="")
    texts = Message.objects.filter(account=account, phone=phone)
    singles = Batch.objects.filter(
        pk__in=texts.filter(batch__size=1, batch__is_template=False).values("batch")
    )
    list(singles.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    _wait_for_those_on_the_way(texts)
    locked = texts.select_for_update(no_key=True).order_by("pk")
    ids = list(locked.values_list("pk", flat=True))
    singles.update(
        body="",
        media_ids=[],
        texts_removed_at=now(),
        request_key=Replace("request_key", Value(phone), Value(alias)),
    )
    came_in = InboundMedia.objects.filter(message_id__in=ids)
    # Not a day later, as of what somebody may still want to send: with the next sweep.
    Media.objects.filter(came_with__in=came_in).update(wanted_at=now() - KEPT_UNUSED)
    came_in.delete()
    Message.objects.filter(pk__in=ids).update(phone=alias, body="", merge=None)
    _events_forget(ids)


def _lookups_forget(account: Account, phone: str, alias: str) -> None:
    lookups = Lookup.objects.filter(run__account=account, phone=phone)
    if lookups.filter(state__in=[LookupState.WAITING, LookupState.ASKED]).exists():
        raise ErasureWaits("The kind of this line is being looked up. Try again in a minute.")
    lookups.update(phone=alias)


_ON_THE_WAY: Final = Q(state=MessageState.PENDING) & (
    Q(batch__kind=BatchKind.AUTO)
    | Exists(
        Chunk.objects.filter(
            batch=OuterRef("batch"),
            state=ChunkState.LEASED,
            next_no__lte=OuterRef("recipient_no"),
            window_last_no__gte=OuterRef("recipient_no"),
        )
    )
)
# A crashed worker's text is filled in before its batch settles; by its number it is looked for.
_IN_DOUBT: Final = Q(batch__settled_at=None) & (
    Q(state=MessageState.UNKNOWN) | Q(state__in=TAKEN, segments=0)
)


def _wait_for_those_on_the_way(texts: QuerySet[Message]) -> None:
    waiting = texts.filter(state=MessageState.PENDING)
    # No worker takes a chunk that is locked, and whoever took one has committed its lease.
    list(
        Chunk.objects.select_for_update(no_key=True)
        .filter(
            Exists(
                waiting.filter(
                    batch=OuterRef("batch"),
                    recipient_no__gte=OuterRef("first_no"),
                    recipient_no__lte=OuterRef("last_no"),
                )
            ),
            batch__in=waiting.values("batch"),
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if texts.filter(_ON_THE_WAY).exists():
        raise ErasureWaits("A text to this person is going out. Try again in a minute.")
    if texts.filter(_IN_DOUBT).exists():
        raise ErasureWaits(
            "Whether the carrier took a text to this person is still being found out, within three"
            " days at most. Opt them out now, and erase them then."
        )


def _events_forget(message_ids: list[int]) -> None:
    """What the carrier posted about these texts; of what is not applied yet, the raw form only."""
    events = CarrierEvent.objects.filter(message_id__in=message_ids)
    ids = list(events.values_list("pk", flat=True))
    rows = CarrierEventQueue.objects.filter(event_ids__overlap=ids)
    queued = set(chain(*rows.values_list("event_ids", flat=True)))
    # By id: one that is stored meanwhile is queued too.
    CarrierEvent.objects.filter(pk__in=set(ids) - queued).delete()
    events.update(payload={})
