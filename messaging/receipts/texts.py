"""Inbound texts and reported clicks off the queue: one by one, each in a transaction of its own.

Owns their order (before any status callback: a STOP does not wait) and that one that fails is set
aside. What they do is `inbound`'s and `carrier_clicks`'.
"""

import logging

from django.db import OperationalError, connection, transaction

from messaging.choices import EventKind
from messaging.gateways import twilio_webhooks
from messaging.inbound_media import inbound_media_note
from messaging.models import CarrierEvent
from messaging.receipts.carrier_clicks import carrier_click_store
from messaging.receipts.inbound import inbound_file, inbound_filed
from messaging.receipts.queue import SetAside, set_aside, take

log = logging.getLogger(__name__)


def text_apply_next() -> bool:
    """Apply the oldest queued inbound text or reported click. Returns whether there was one.

    Raises:
        OperationalError: PostgreSQL is away or ended a deadlock; the event is still queued.

    Locks: the queue row, then what the event needs.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        events = take(cursor, statuses=False, limit=1)
        if not events:
            return False
        event = CarrierEvent.objects.select_related("carrier_account").get(pk=events[0])
        try:
            with transaction.atomic():
                _apply(event)
        except OperationalError:
            raise
        except SetAside as reason:
            set_aside(event_id=event.pk, error=str(reason))
        except Exception as error:
            # Whatever it is, it must not keep the next STOP waiting; staff see it set aside.
            log.exception("event %s cannot be applied and is set aside", event.pk)
            set_aside(event_id=event.pk, error=f"{type(error).__name__}: {error}")
    return True


def _apply(event: CarrierEvent) -> None:
    if event.kind == EventKind.INBOUND:
        text = twilio_webhooks.parse_inbound(event.payload)
        carrier_account = event.carrier_account
        stored = inbound_file(carrier_account=carrier_account, text=text, at=event.received_at)
        # One that came before is the same text: whoever removes that one finds this event too.
        message = stored or inbound_filed(carrier_account=carrier_account, text=text)
        if message is not None:
            if stored is None and not message.is_of_erased:
                # The carrier's list names no files: one filed from there hears of them now.
                inbound_media_note(
                    message=message, carrier_account=carrier_account, urls=text.media
                )
            CarrierEvent.objects.filter(pk=event.pk).update(message_id=message.pk)
        return
    taps = twilio_webhooks.parse_clicks(event.payload)
    if not taps:
        raise SetAside("It tells of no click.")
    refusals = []
    for tap in taps:
        try:
            carrier_click_store(
                carrier_account=event.carrier_account, tap=tap, event_at=event.received_at
            )
        except SetAside as reason:
            refusals.append(str(reason))
    if refusals:
        # The others are stored all the same.
        set_aside(event_id=event.pk, error=refusals[0])
