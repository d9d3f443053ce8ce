"""What carriers posted, and what of it is still to be applied."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from common.clock import now
from messaging.choices import (
    EventEnd,
    EventKind,
)
from messaging.models.carriers import CarrierAccount
from messaging.payloads import PayloadField


class CarrierEvent(models.Model):
    """Every webhook whose signature was right, as received. Append-only, but for how it ended.

    The edge stores the raw payload and beside it what the gateway's translator made of it
    (`carrier_id` to `reason`), so that applying thousands is work for the database alone. An event
    that is no longer queued was applied or changed nothing (a repetition, a late word); one that
    could not be applied says `set_aside` and why.
    """

    carrier_account = models.ForeignKey(
        CarrierAccount,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    kind = models.CharField(max_length=8, choices=EventKind.choices)
    message_id = models.BigIntegerField(null=True, blank=True)
    attempt_n = models.PositiveSmallIntegerField(null=True, blank=True)
    carrier_id = models.CharField(max_length=64, blank=True)
    account_ref = models.CharField(max_length=64, blank=True)
    word = models.CharField(max_length=24, blank=True, help_text="The carrier's own word.")
    state = models.CharField(
        max_length=11, blank=True, help_text="What it means; empty for an unknown word."
    )
    code = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=20, blank=True)
    payload = PayloadField()
    received_at = models.DateTimeField(default=now)
    ended = models.CharField(max_length=12, choices=EventEnd.choices, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["message_id"],
                name="event_by_message",
                condition=Q(message_id__isnull=False),
            ),
            models.Index(
                fields=["id"], name="event_set_aside", condition=Q(ended=EventEnd.SET_ASIDE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} event {self.pk}"


class CarrierEventQueue(models.Model):
    """Events not applied yet, of one kind: status callbacks of one commit in one row, others alone.

    Drained by DELETE ... SKIP LOCKED in the applying transaction (`receipts/queue.py`). `kind` lets
    a STOP overtake a hundred thousand status callbacks. A row per commit is less to write and to
    delete than one per event (docs/adr/0027).
    """

    event_ids = ArrayField(models.BigIntegerField())
    kind = models.CharField(max_length=8, choices=EventKind.choices, default=EventKind.STATUS)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="queue_of_texts",
                condition=~Q(kind=EventKind.STATUS),
            )
        ]
