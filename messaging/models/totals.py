"""Kept counts of a batch: by state and reason, by cost, by what people did, by hour."""

from django.db import models

from common.clock import now
from messaging.choices import (
    Happened,
    MessageState,
    Reason,
)
from messaging.models.batches import Batch


class BatchTally(models.Model):
    """Kept count of a batch's messages per state and reason; always equals a recount."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="tallies")
    state = models.CharField(max_length=11, choices=MessageState.choices)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    messages = models.BigIntegerField(default=0)
    segments = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "state", "reason"], name="tally_unique")
        ]


class BatchCost(models.Model):
    """What the carrier says a batch's texts from one number cost; summed anew when it is asked.

    texts: what the carrier took, attempts that were tried again included; priced: of those, how
    many have a price; segments and our_segments: the carrier's count and ours, of the same texts.
    credits: what they took at our count, and retried_credits what of that went to attempts that
    were tried again; adjusted_credits: more, or less (negative), by the carrier's count. Of a
    one-to-one text that the carrier never took there is a row of zeros.
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="costs")
    our_number = models.CharField(max_length=16)
    currency = models.CharField(max_length=3, blank=True)
    texts = models.PositiveIntegerField(default=0)
    priced = models.PositiveIntegerField(default=0)
    segments = models.BigIntegerField(default=0)
    our_segments = models.BigIntegerField(default=0)
    micros = models.BigIntegerField(default=0, help_text="Millionths of `currency`.")
    credits = models.BigIntegerField(default=0)
    retried_credits = models.BigIntegerField(default=0)
    adjusted_credits = models.BigIntegerField(default=0, db_default=0)
    asked_at = models.DateTimeField(default=now, help_text="When the carrier was last asked.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "our_number"], name="one_cost_a_number")
        ]


class BatchTotals(models.Model):
    """Kept count of what a batch's recipients did afterwards; always equals a recount.

    clicked: recipients with a human click; hit: with any hit; replied: recipients who replied other
    than with opt-out words; opted_out: recipients who left. retried_segments, retried_credits: of
    attempts that came to nothing and were followed by another at somebody's word; what the carrier
    took and charged for, though no message counts it any more.
    """

    batch = models.OneToOneField(
        Batch, primary_key=True, on_delete=models.CASCADE, related_name="totals"
    )
    clicked = models.BigIntegerField(default=0)
    hit = models.BigIntegerField(default=0)
    clicks_total = models.BigIntegerField(default=0)
    clicks_human = models.BigIntegerField(default=0)
    replied = models.BigIntegerField(default=0)
    opted_out = models.BigIntegerField(default=0)
    retried_segments = models.BigIntegerField(default=0)
    retried_credits = models.BigIntegerField(default=0)


class BatchActivity(models.Model):
    """Kept count of what happened to a blast's messages in one slot of time, per sending number.

    A slot is a minute in about the first three hours after the launch, a quarter of an hour
    afterwards. Every message counts at most once for each `what`, at its own `accepted_at`,
    `final_at`, `human_click_at`, `replied_at` or `opted_out_at`; always equals a recount.
    """

    batch = models.ForeignKey(
        Batch, on_delete=models.CASCADE, related_name="activity", db_index=False
    )
    account_id = models.BigIntegerField()
    our_number = models.CharField(max_length=16)
    what = models.CharField(max_length=11, choices=Happened.choices)
    slot_at = models.DateTimeField()
    people = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "our_number", "what", "slot_at"], name="activity_unique"
            )
        ]
        indexes = [models.Index(fields=["account_id", "slot_at"], name="activity_by_time")]
