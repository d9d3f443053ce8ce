"""One launch of one text to many, what of it is left to send, and for how long texts are kept."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from common.clock import now
from messaging.choices import (
    BatchKind,
    BatchState,
    ChunkState,
    Priority,
)
from messaging.models.carriers import CarrierAccount, SenderNumber


class Batch(models.Model):
    """Messages asked for together: a blast, a reply, an API call, an automatic answer.

    Content is frozen here at launch: `body` is the template, `sender` the number, `created_by` who.
    `request_key` makes asking twice ask once.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="batches")
    kind = models.CharField(max_length=8, choices=BatchKind.choices)
    name = models.CharField(max_length=160, blank=True)
    body = models.TextField()
    is_template = models.BooleanField(
        default=True, help_text="Merge fields are filled and links shortened; else sent as it is."
    )
    smart_encoding = models.BooleanField(
        default=False, help_text="Look-alikes are replaced in texts that become cheaper by it."
    )
    media_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="Pictures it carries, in order."
    )
    sender = models.ForeignKey(SenderNumber, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.RUNNING)
    state_reason = models.CharField(max_length=300, blank=True)
    priority = models.PositiveSmallIntegerField(default=Priority.BULK)
    ignores_quiet_hours = models.BooleanField(default=False)
    size = models.PositiveIntegerField(default=0)
    prices = models.JSONField(
        default=dict,
        help_text="Credits a segment, or a picture message, by how numbers begin.",
    )
    budget_group = models.BigIntegerField(
        null=True, blank=True, help_text="Batches with the same one share a budget: a campaign's."
    )
    budget_credits = models.PositiveIntegerField(
        default=0, help_text="That budget, as it is now; 0 for no limit."
    )
    credits_reserved = models.BigIntegerField(default=0)
    credits_settled = models.BigIntegerField(default=0)
    credits_released = models.BigIntegerField(default=0)
    credits_adjusted = models.BigIntegerField(
        default=0, help_text="Charged, or given back (negative), by the carrier's own count."
    )
    credits_borne = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="What that count came to beyond what was left: the platform bore it.",
    )
    retries = models.PositiveSmallIntegerField(
        default=0, help_text="How often somebody had its failed messages tried again."
    )
    request_key = models.CharField(max_length=120)
    launched_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Whoever has not been texted by then is skipped."
    )
    may_take = models.DurationField(
        null=True, blank=True, help_text="From its launch, and from each time it is resumed."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="When what was reserved and not used went back."
    )
    texts_removed_at = models.DateTimeField(
        null=True, blank=True, help_text="When its messages' texts had been kept long enough."
    )
    events_removed_at = models.DateTimeField(
        null=True, blank=True, help_text="When its raw carrier events had been kept long enough."
    )
    reconciled_at = models.DateTimeField(null=True, blank=True)
    reconcile_not_before = models.DateTimeField(
        null=True, blank=True, help_text="The carrier's list could not be read: not until then."
    )
    reconciled_differences = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "request_key"], name="batch_asked_once")
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="batch_list"),
            models.Index(fields=["launched_at"], name="batch_by_launch"),
            # Budgets are asked by every window of an account that has one.
            models.Index(
                fields=["account", "launched_at"],
                name="batch_of_month",
                condition=Q(kind=BatchKind.BLAST),
            ),
            models.Index(
                fields=["budget_group"],
                name="batch_of_group",
                condition=Q(budget_group__isnull=False),
            ),
            # Only batches with pictures stand in it: whether a picture is still referred to.
            GinIndex(fields=["media_ids"], name="batch_with_media", condition=~Q(media_ids=[])),
            models.Index(
                fields=["id"], name="batch_unsettled", condition=Q(settled_at__isnull=True)
            ),
            models.Index(
                fields=["account", "settled_at"],
                name="batch_with_texts",
                condition=Q(texts_removed_at__isnull=True),
            ),
            models.Index(
                fields=["account", "settled_at"],
                name="batch_with_events",
                condition=Q(events_removed_at__isnull=True),
            ),
        ]


class Retention(models.Model):
    """How far an account's messages have been gone through for old inbound texts and events."""

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    message_id = models.BigIntegerField(default=0)
    events_message_id = models.BigIntegerField(default=0)


class BatchWatch(models.Model):
    """A batch's kept counts when the breaker last looked: what it judges is what came since.

    There is a row only for batches that are large enough to be watched (`messaging.breaker`).
    `causes` is reason to messages that ended by it.
    """

    batch = models.OneToOneField(
        Batch, primary_key=True, on_delete=models.CASCADE, related_name="watch"
    )
    ended = models.BigIntegerField(default=0)
    causes = models.JSONField(default=dict)
    looked_at = models.DateTimeField(default=now)


class Chunk(models.Model):
    """A range of recipient numbers of a batch, and the lease under which a worker serves it.

    The work of a chunk is whatever messages in [first_no, last_no] are still `pending`. It is gone
    through in passes: `next_no` is how far this pass has come, `held_no` the first message it left
    pending on purpose (a 429, outside allowed hours) and `held_until` when to begin the next pass.

    ready --claim (conditional UPDATE, lease token, window)--> leased --results--> ready | done
    leased --lease end + request timeout + list delay--> judged: what is pending in the window
    becomes `unknown`, and the chunk is ready for the rest.
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="chunks")
    account_id = models.BigIntegerField()
    sender = models.ForeignKey(
        SenderNumber, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    first_no = models.PositiveIntegerField()
    last_no = models.PositiveIntegerField()
    next_no = models.PositiveIntegerField(
        help_text="This pass has dealt with every message before this one."
    )
    held_no = models.PositiveIntegerField(
        null=True, blank=True, help_text="No pending message stands before this one, if set."
    )
    held_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=ChunkState.choices, default=ChunkState.READY)
    priority = models.PositiveSmallIntegerField(default=Priority.BULK)
    not_before = models.DateTimeField(default=now)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    window_last_no = models.PositiveIntegerField(null=True, blank=True)
    carrier_account = models.ForeignKey(
        CarrierAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["sender", "priority", "id"],
                name="chunk_ready",
                condition=Q(state=ChunkState.READY),
            ),
            models.Index(
                fields=["lease_until"], name="chunk_leased", condition=Q(state=ChunkState.LEASED)
            ),
        ]
