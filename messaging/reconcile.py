"""Our records held against the carrier's: lost final words, lost replies, and what disagrees.

Owns two questions to a carrier. Of a batch: what became of its messages? A final state that no
callback told is queued as an event and applied like one; what disagrees is kept on the batch for
its report. Of a number: which texts did it receive that we never heard of (a STOP sent while the
edge was down)? They are filed like any other. Messages whose answer was lost are
`messaging.evidence`'s; when something is asked is `messaging.reconcile_due`'s.

No transaction is open while a carrier is asked.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from common.clock import now
from common.jobs import enqueue
from common.sql import unguessed
from messaging import carrier_codes
from messaging.carrier_list import SKEW, listed
from messaging.choices import DIFFERENCES_SHOWN, EventKind, MessageState, Outcome
from messaging.costs import costs_keep, credits_follow
from messaging.gateways.base import Listed
from messaging.gateways.events import InboundText
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Chunk,
    SenderNumber,
)
from messaging.receipts.inbound import inbound_file
from messaging.receipts.queue import SetAside
from messaging.state import is_final

log = logging.getLogger(__name__)

# A worker reads and writes back what a row of the queue holds.
_ROW: Final = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One message on which the carrier and we do not agree.

    Attributes:
        kind: `missing` (we hold it for accepted, the carrier does not list it), `doubled` (the
            carrier lists one to this person that no attempt of ours made), `different` (both have
            a final word, not the same one).
        carrier_id: The carrier's id.
        message_id: Ours, where there is one.
        ours, theirs: The states.
    """

    kind: str
    carrier_id: str
    message_id: int | None
    ours: str
    theirs: str


# ---- a batch ------------------------------------------------------------------------------------


def batch_reconcile(*, batch: Batch) -> list[Difference]:
    """Hold a batch against the carrier's list.

    Returns:
        What disagrees; also kept on the batch with the time of the check.

    Raises:
        CarrierAway: the list could not be read; nothing was changed.

    Side effects: final states that no callback told are queued as events; what the carrier charges
        and counted is kept, and credits follow its count (`messaging.costs`).
    """
    checked_at = now()
    differences: list[Difference] = []
    for sender in numbers_of(batch).select_related("carrier_account"):
        differences += _number_reconcile(batch, sender, checked_at)
    batch.reconciled_at = checked_at
    batch.reconciled_differences = [asdict(one) for one in differences[: DIFFERENCES_SHOWN + 1]]
    batch.save(update_fields=["reconciled_at", "reconciled_differences"])
    credits_follow(batch.pk)
    return differences


def numbers_of(batch: Batch) -> QuerySet[SenderNumber]:
    """The numbers a batch goes out from, of whatever carrier accounts."""
    pool = Chunk.objects.filter(batch=batch).values("sender_id")
    return SenderNumber.objects.filter(Q(pk=batch.sender_id) | Q(pk__in=pool))


def _number_reconcile(batch: Batch, sender: SenderNumber, checked_at: datetime) -> list[Difference]:
    """What disagrees of a batch's messages from one number; queues what no callback told."""
    carrier_account = sender.carrier_account
    since = batch.launched_at - SKEW
    theirs = {
        one.carrier_id: one
        for one in listed(carrier_account, our_number=sender.phone, since=since)
        if one.is_outbound
    }
    costs_keep(batch_ids=[batch.pk], sender=sender, listed=theirs, asked_at=checked_at)
    differences: list[Difference] = []
    lost: list[tuple[int, int, Listed]] = []
    settled_before = checked_at - timedelta(seconds=carrier_account.list_delay_s) - SKEW
    for message_id, n, carrier_id, state, accepted_at in _attempts(batch, sender):
        found = theirs.pop(carrier_id, None)
        if found is None:
            if accepted_at is None or accepted_at < settled_before:
                differences.append(Difference("missing", carrier_id, message_id, state, ""))
        elif found.state and found.state != state:
            if is_final(state):
                if is_final(found.state):
                    differences.append(
                        Difference("different", carrier_id, message_id, state, found.state)
                    )
            else:
                lost.append((message_id, n, found))
    differences += _doubled(batch, carrier_account, theirs)
    _queue(carrier_account, lost)
    return differences


def _attempts(
    batch: Batch, sender: SenderNumber
) -> Iterator[tuple[int, int, str, str, datetime | None]]:
    """(message, attempt, carrier id, message's state, accepted at) of what the carrier took."""
    rows = Attempt.objects.filter(
        message__batch=batch,
        message__our_number=sender.phone,
        carrier_account=unguessed(sender.carrier_account_id),
        outcome=Outcome.ACCEPTED,
        carrier_id__isnull=False,
        # What the carrier says of an attempt that was tried again is not the message's state.
        retried_at__isnull=True,
    )
    for row in rows.values_list(
        "message_id", "n", "carrier_id", "message__state", "message__accepted_at"
    ).iterator(chunk_size=5000):
        message_id, n, carrier_id, state, accepted_at = row
        yield message_id, n, carrier_id or "", state, accepted_at


def _doubled(
    batch: Batch, carrier_account: CarrierAccount, rest: dict[str, Listed]
) -> list[Difference]:
    """Texts to this batch's people that no attempt of ours, in any batch, made.

    Those to somebody whose message is still unknown are left to `messaging.evidence`.
    """
    if not rest:
        return []
    known = set(
        Attempt.objects.filter(
            carrier_account=carrier_account, carrier_id__in=list(rest)
        ).values_list("carrier_id", flat=True)
    )
    strange = {one.phone: one for key, one in rest.items() if key not in known}
    people = batch.messages.filter(phone__in=list(strange)).exclude(
        state__in=[MessageState.UNKNOWN, MessageState.PENDING]
    )
    until = (batch.finished_at or now()) + SKEW
    return [
        Difference("doubled", strange[phone].carrier_id, message_id, state, strange[phone].state)
        for message_id, phone, state in people.values_list("id", "phone", "state")
        if strange[phone].created_at <= until
    ]


@transaction.atomic
def _queue(carrier_account: CarrierAccount, lost: list[tuple[int, int, Listed]]) -> None:
    """What a callback should have told, as an event like any other."""
    for first in range(0, len(lost), _ROW):
        events = CarrierEvent.objects.bulk_create(
            _event(carrier_account, *one) for one in lost[first : first + _ROW]
        )
        CarrierEventQueue.objects.create(
            event_ids=[event.pk for event in events], kind=EventKind.STATUS
        )
    if lost:
        enqueue("messaging.apply_events")


def _event(carrier_account: CarrierAccount, message_id: int, n: int, one: Listed) -> CarrierEvent:
    return CarrierEvent(
        carrier_account=carrier_account,
        kind=EventKind.STATUS,
        message_id=message_id,
        attempt_n=n,
        carrier_id=one.carrier_id,
        account_ref=carrier_account.external_id,
        word=one.state,
        state=one.state,
        code=one.code,
        reason=carrier_codes.reason(one.code).value if _is_bad(one.state) else "",
        payload={
            "source": "looked up in the carrier's records",
            "MessageSid": one.carrier_id,
            "MessageStatus": one.state,
            "ErrorCode": one.code,
        },
    )


def _is_bad(state: str) -> bool:
    return state in (MessageState.UNDELIVERED, MessageState.FAILED)


# ---- a number -----------------------------------------------------------------------------------


def inbound_catch_up(*, sender: SenderNumber) -> int:
    """File the texts a number received that no webhook brought.

    Returns:
        How many were filed.

    Raises:
        CarrierAway: the list could not be read; it is asked again.
    """
    carrier_account = sender.carrier_account
    checked_at = now()
    overlap = timedelta(seconds=carrier_account.list_delay_s) + timedelta(hours=1)
    # Since the last time, however long nobody asked or got no answer: a STOP does not grow old.
    since = (sender.inbound_checked_at or sender.created_at) - overlap
    filed = 0
    # Oldest first: a STOP and a later START must end as the person left it.
    for one in reversed(list(listed(carrier_account, to=sender.phone, since=since))):
        if not one.is_outbound:
            filed += _file(carrier_account, one)
    SenderNumber.objects.filter(pk=sender.pk).update(inbound_checked_at=checked_at)
    return filed


def _file(carrier_account: CarrierAccount, one: Listed) -> bool:
    text = InboundText(
        carrier_id=one.carrier_id,
        account_ref=carrier_account.external_id,
        phone=one.our_number,  # a list says From and To; of an inbound text From is the person
        our_number=one.phone,
        body=one.body,
        segments=max(one.segments, 1),
    )
    try:
        filed = inbound_file(carrier_account=carrier_account, text=text, at=one.created_at)
    except SetAside as reason:
        log.info("inbound text %s is not filed: %s", one.carrier_id, reason)
        return False
    return filed is not None
