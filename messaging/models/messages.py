"""One row per text, in or out, and one per request to a carrier."""

from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from common.clock import now
from common.phone import is_erased
from contacts.models import Contact
from messaging.choices import (
    Direction,
    MessageState,
    Outcome,
    Reason,
)
from messaging.models.batches import Batch
from messaging.models.carriers import CarrierAccount


class Message(models.Model):
    """One text to or from one phone. Everybody in an audience has a row, also who is not texted.

    ::

        pending -> accepted -> sent -> delivered | undelivered | failed
           |-> refused                   (not taken by the carrier: reason)
           |-> unknown (answer lost) -> accepted ... | pending (proven not accepted: next attempt)
           \\-> skipped                   (not asked for: reason)
        received                         (inbound)

    Within one attempt the rank (`messaging.state`) never falls. `phone` is always the other
    party's, `our_number` the account's sender, whichever way the text went. No index stands on a
    column that changes, so updates stay HOT (fillfactor 40). References carry no constraint in
    the database: a million deferred checks would take longer than the launch they follow.
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
        db_constraint=False,
    )
    batch = models.ForeignKey(
        Batch,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
        db_constraint=False,
    )
    recipient_no = models.PositiveIntegerField(null=True, blank=True)
    contact = models.ForeignKey(
        Contact,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="messages",
        db_index=False,
    )
    direction = models.CharField(max_length=3, choices=Direction.choices, default=Direction.OUT)
    phone = models.CharField(max_length=16)
    our_number = models.CharField(max_length=16)
    created_by = models.ForeignKey(
        User,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    merge = models.JSONField(null=True, blank=True, help_text="Merge values frozen at launch.")
    body = models.TextField(blank=True, help_text="As sent; empty until then.")
    segments = models.PositiveSmallIntegerField(default=0)
    credits = models.PositiveIntegerField(default=0)
    state = models.CharField(
        max_length=11, choices=MessageState.choices, default=MessageState.PENDING
    )
    rank = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    carrier_code = models.CharField(max_length=12, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=now)
    accepted_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    final_at = models.DateTimeField(null=True, blank=True)
    first_click_at = models.DateTimeField(null=True, blank=True)
    human_click_at = models.DateTimeField(null=True, blank=True)
    clicks = models.PositiveIntegerField(default=0)
    replied_at = models.DateTimeField(null=True, blank=True)
    opted_out_at = models.DateTimeField(null=True, blank=True)
    answers_batch_id = models.BigIntegerField(
        null=True, blank=True, help_text="Inbound: the batch this reply is attributed to."
    )
    carrier_id = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        help_text="Inbound: the carrier's id, by which a repeated webhook is known.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "recipient_no"], name="message_recipient_unique"
            ),
            models.UniqueConstraint(
                fields=["account", "carrier_id"],
                name="message_inbound_unique",
                condition=Q(carrier_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="message_log"),
            models.Index(fields=["account", "phone", "-id"], name="message_by_phone"),
        ]

    @property
    def is_of_erased(self) -> bool:
        """Whether the person was erased; `phone` is an alias then."""
        return is_erased(self.phone)

    @property
    def is_text_removed(self) -> bool:
        """Whether its text was kept as long as its account or its person wants, and is gone."""
        if self.body:
            return False
        if self.is_of_erased:
            return True
        if self.direction == Direction.IN:
            # One that was only a picture never had any; what came with it goes when a text does.
            return self.segments > 0 and not self.inbound_media.all()
        return self.batch is not None and self.batch.texts_removed_at is not None


class Attempt(models.Model):
    """One request that was made to a carrier. Append-only but for a carrier id learned late.

    One that a person had tried again says so, and keeps the segments and credits that its message
    counted until then; nothing the carrier says of it afterwards changes the message.
    """

    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        related_name="attempt_rows",
        db_index=False,
        db_constraint=False,
    )
    n = models.PositiveSmallIntegerField()
    carrier_account = models.ForeignKey(
        CarrierAccount,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    carrier_id = models.CharField(max_length=64, null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    carrier_code = models.CharField(max_length=12, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    requested_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    looked_up_at = models.DateTimeField(
        null=True, blank=True, help_text="First look at the carrier's list that did not find it."
    )
    retried_at = models.DateTimeField(null=True, blank=True)
    segments = models.PositiveSmallIntegerField(null=True, blank=True)
    credits = models.PositiveIntegerField(null=True, blank=True)
    carrier_segments = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="As the carrier counted, told later by its list."
    )
    cost_micros = models.PositiveIntegerField(
        null=True, blank=True, help_text="The carrier's price, in millionths of its currency."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "n"], name="attempt_number_unique"),
            models.UniqueConstraint(
                fields=["carrier_account", "carrier_id"], name="attempt_carrier_id_unique"
            ),
        ]
        indexes = [
            models.Index(
                fields=["carrier_account", "id"],
                name="attempt_in_doubt",
                condition=Q(outcome=Outcome.UNKNOWN),
            )
        ]
