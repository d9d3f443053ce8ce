"""Sender numbers, batches, messages, attempts, carrier events and kept totals.

Owns everything between "text these people" and the carrier's last word. Blasts and campaigns
(the marketer's view) and conversations (the inbox) live above and point down to these rows.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from common.clock import now, today
from contacts.models import Contact
from messaging.choices import (
    BatchKind,
    BatchState,
    ChunkState,
    Direction,
    EventEnd,
    EventKind,
    GatewayName,
    Happened,
    MessageState,
    Outcome,
    Priority,
    Reason,
    SenderKind,
)


class CarrierAccount(models.Model):
    """Log-in at a carrier; its id stands in the webhook URLs. Credentials are encrypted.

    `account` is empty for the platform's own, which every account may use.
    """

    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.CASCADE, related_name="carrier_accounts"
    )
    gateway = models.CharField(
        max_length=12, choices=GatewayName.choices, default=GatewayName.TWILIO
    )
    name = models.CharField(max_length=80)
    external_id = models.CharField(max_length=64, help_text="The carrier's id: AccountSid.")
    secret_encrypted = models.BinaryField()
    previous_secret_encrypted = models.BinaryField(
        null=True, blank=True, help_text="Still accepted in signatures while secrets rotate."
    )
    api_base_url = models.CharField(max_length=200)
    is_simulated = models.BooleanField(
        default=False, help_text="carriersim: trial accounts may text any number."
    )
    list_delay_s = models.FloatField(default=600.0)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class SenderNumber(models.Model):
    """A number an account texts from, with the rate its carrier allows (segments a second)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sender_numbers")
    carrier_account = models.ForeignKey(
        CarrierAccount, on_delete=models.PROTECT, related_name="sender_numbers"
    )
    phone = models.CharField(max_length=16)
    kind = models.CharField(
        max_length=10,
        choices=SenderKind.choices,
        default=SenderKind.LOCAL,
        db_default=SenderKind.LOCAL,
    )
    label = models.CharField(max_length=60, blank=True)
    rate_per_s = models.FloatField(default=1.0)
    daily_cap = models.PositiveIntegerField(null=True, blank=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    released_at = models.DateTimeField(null=True, blank=True)
    inbound_checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the carrier was last asked what came in."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier_account", "phone"],
                condition=Q(released_at__isnull=True),
                name="sender_phone_unique",
            )
        ]

    def __str__(self) -> str:
        return self.phone


class Lane(models.Model):
    """When a sender was last served and may be served again: the send engine's order of work.

    A row of its own, because every window touches it and an account's row is the last lock of the
    transactions that move credits (docs/locks.md).
    """

    sender = models.OneToOneField(
        SenderNumber, primary_key=True, on_delete=models.CASCADE, related_name="lane"
    )
    account_id = models.BigIntegerField(db_index=True)
    served_at = models.DateTimeField(default=now)
    not_before = models.DateTimeField(default=now, help_text="Its bucket is dry until then.")


class SenderDay(models.Model):
    """Segments a sender used on one day of its account's zone, for daily caps."""

    sender = models.ForeignKey(SenderNumber, on_delete=models.CASCADE, related_name="days")
    day_on = models.DateField()
    segments = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "day_on"], name="sender_day")]


class Price(models.Model):
    """Credits a segment costs, to a country and for a kind of text, from a day on. Staff decide.

    The closest row that is in force counts: country and kind, then country, then kind, then neither
    (`messaging.selectors.prices_now`). Where there is none, `messaging.pricing.DEFAULTS`.
    """

    country = models.CharField(
        max_length=2,
        blank=True,
        help_text="ISO 3166, such as US; empty for everywhere else. Where countries share a"
        " calling code, the largest of them counts.",
    )
    kind = models.CharField(
        max_length=8,
        blank=True,
        choices=BatchKind.choices,
        help_text="Empty for every kind of text.",
    )
    credits = models.PositiveSmallIntegerField(
        help_text="Credits a segment.", validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    valid_from = models.DateField(
        default=today, help_text="From this day (UTC) on, until a later row says otherwise."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["country", "kind", "valid_from"], name="one_price_a_day"
            ),
            models.CheckConstraint(condition=Q(credits__gte=1), name="price_not_free"),
        ]
        ordering = ["country", "kind", "-valid_from"]

    def __str__(self) -> str:
        return f"{self.country or 'elsewhere'}: {self.credits}"


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
    sender = models.ForeignKey(SenderNumber, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.RUNNING)
    state_reason = models.CharField(max_length=300, blank=True)
    priority = models.PositiveSmallIntegerField(default=Priority.BULK)
    ignores_quiet_hours = models.BooleanField(default=False)
    size = models.PositiveIntegerField(default=0)
    prices = models.JSONField(
        default=dict, help_text="Credits a segment by the beginning of the number, at launch."
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
        default=0, help_text="What the carrier's count of segments differs by; see adjust entries."
    )
    retries = models.PositiveSmallIntegerField(
        default=0, help_text="How often somebody had its failed messages tried again."
    )
    request_key = models.CharField(max_length=120)
    launched_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Whoever has not been texted by then is skipped."
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
    def is_text_removed(self) -> bool:
        """Whether its text was kept as long as its account wants, and is gone."""
        if self.body:
            return False
        if self.direction == Direction.IN:
            return self.segments > 0
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
                fields=["id"], name="attempt_unknown", condition=Q(outcome=Outcome.UNKNOWN)
            )
        ]


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
    payload = models.JSONField()
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


class CarrierEventQueue(models.Model):
    """Events not applied yet; drained by DELETE ... SKIP LOCKED in the applying transaction.

    `kind` lets a STOP overtake a hundred thousand status callbacks.
    """

    event_id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=8, choices=EventKind.choices, default=EventKind.STATUS)

    class Meta:
        indexes = [
            models.Index(
                fields=["event_id"],
                name="queue_of_texts",
                condition=~Q(kind=EventKind.STATUS),
            )
        ]


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
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="costs")
    our_number = models.CharField(max_length=16)
    currency = models.CharField(max_length=3, blank=True)
    texts = models.PositiveIntegerField(default=0)
    priced = models.PositiveIntegerField(default=0)
    segments = models.BigIntegerField(default=0)
    our_segments = models.BigIntegerField(default=0)
    micros = models.BigIntegerField(default=0, help_text="Millionths of `currency`.")

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
