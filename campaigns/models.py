"""Campaigns and their blasts: the marketer's view of what was sent.

Once launched, a blast has exactly one batch (messaging), which holds its messages and figures.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from campaigns.choices import ApprovalState, BlastState, Every, SeriesState, TextKind
from campaigns.planning import Plan
from campaigns.recurring import Rule
from common.clock import now
from contacts.models import Group
from messaging.models import Batch, SenderNumber
from messaging.timetable import wall_moment


class Campaign(models.Model):
    """Groups blasts that belong together, for one report over all of them."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    goes_first = models.BooleanField(
        default=False,
        help_text="Its blasts are sent before those of other campaigns, within caps too.",
    )
    budget_credits = models.PositiveIntegerField(
        default=0, help_text="Most credits its blasts may use together; 0 for no limit."
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="campaign_list")]

    def __str__(self) -> str:
        return self.name


class Blast(models.Model):
    """One text to many people.

    ::

        draft <-> scheduled -> launched        (scheduled_at reached: beat launches it, once)
                     |-> failed                (could not be launched: state_reason)
        draft | scheduled -> canceled
        draft -> repeating                     (a pattern: its Series makes copies of it)

    "Send now" is a schedule a few seconds ahead, which is the time to undo it.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="blasts")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="blasts")
    name = models.CharField(max_length=120)
    body = models.TextField(blank=True)
    groups = models.ManyToManyField(Group, related_name="blasts", blank=True)
    sender = models.ForeignKey(
        SenderNumber, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    more_senders = models.ManyToManyField(
        SenderNumber,
        related_name="+",
        blank=True,
        help_text="Numbers it is spread over besides `sender`.",
    )
    state = models.CharField(max_length=10, choices=BlastState.choices, default=BlastState.DRAFT)
    state_reason = models.CharField(max_length=300, blank=True)
    scheduled_at = models.DateTimeField(
        null=True, blank=True, help_text="When it is launched; of a draft, when it is meant to be."
    )
    local_on = models.DateField(
        null=True, blank=True, help_text="With `local_time`: each is texted at this time of theirs."
    )
    local_time = models.TimeField(null=True, blank=True)
    give_up_hours = models.PositiveSmallIntegerField(
        default=0, help_text="Hours from its start in which to text people; 0 for no limit."
    )
    smart_encoding = models.BooleanField(
        default=False, help_text="Look-alikes are replaced in texts that become cheaper by it."
    )
    media_ids = ArrayField(
        models.BigIntegerField(), default=list, blank=True, help_text="Pictures, in order."
    )
    utm = models.JSONField(
        default=dict, blank=True, help_text="UTM parameters of its own (`tracking.utm.UTM_PARTS`)."
    )
    estimated_credits = models.BigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    written_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who last changed its text or pictures.",
    )
    sent_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    batch = models.OneToOneField(
        Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="blast"
    )
    series = models.ForeignKey(
        "Series",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="occurrences",
        help_text="Of which it is one occurrence, on `occurrence_on`.",
    )
    occurrence_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "occurrence_on"], name="blast_occurs_once")
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="blast_list"),
            models.Index(fields=["account", "scheduled_at"], name="blast_calendar"),
            models.Index(
                fields=["scheduled_at"],
                name="blast_due",
                condition=Q(state=BlastState.SCHEDULED),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def wall(self) -> datetime | None:
        """The time (naive) at which each is texted on their own clock; None for one moment."""
        if self.local_on is None or self.local_time is None:
            return None
        return datetime.combine(self.local_on, self.local_time)

    @property
    def is_leaving(self) -> bool:
        """Whether it was sent with "now", and only the time to undo stands between."""
        if self.state != BlastState.SCHEDULED or self.scheduled_at is None:
            return False
        return self.scheduled_at - self.updated_at <= timedelta(seconds=settings.UNDO_S + 1)

    @property
    def plan(self) -> Plan:
        """When it is meant to go out."""
        return Plan(wall=self.wall) if self.wall else Plan(at=self.scheduled_at)

    def plan_set(self, plan: Plan) -> None:
        """Take over a plan; stores nothing."""
        self.scheduled_at = plan.at
        self.local_on = plan.wall.date() if plan.wall else None
        self.local_time = plan.wall.time() if plan.wall else None


class SavedText(models.Model):
    """Words kept for later: a template, or a snippet.

    `approved_at` is of these words: changing them takes it back.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="saved_texts")
    kind = models.CharField(max_length=8, choices=TextKind.choices, default=TextKind.TEMPLATE)
    folder = models.CharField(max_length=60, blank=True)
    name = models.CharField(max_length=80)
    body = models.TextField()
    media_ids = ArrayField(
        models.BigIntegerField(), default=list, blank=True, help_text="Pictures, in order."
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class Series(models.Model):
    """How a blast repeats. Its blast is the pattern; each occurrence is a blast of its own.

    ::

        draft -> running            (kept with a draft blast, which nothing sends)
        running <-> paused          (next_on, next_at: the occurrence to come)
        running | paused -> ended   (by a person, or after the last day)
        ended -> running            (its last day was skipped, and is brought back)

    Times are of the account's clock, or with `is_local` of each recipient's: then an occurrence is
    launched when the first of the `clocks` shows its time.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="series")
    blast = models.OneToOneField(Blast, on_delete=models.PROTECT, related_name="repeats")
    state = models.CharField(max_length=8, choices=SeriesState.choices, default=SeriesState.RUNNING)
    every = models.CharField(max_length=5, choices=Every.choices)
    interval = models.PositiveSmallIntegerField(default=1)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    at = models.TimeField()
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    count = models.PositiveSmallIntegerField(null=True, blank=True)
    is_local = models.BooleanField(
        default=False, help_text="`at` is a time on the clock of each recipient."
    )
    clocks = models.JSONField(
        default=list,
        blank=True,
        help_text="Of its people when last looked: time zones each may be in, as lists.",
    )
    skipped_on = ArrayField(
        models.DateField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Days of the rule on which nothing goes out.",
    )
    next_on = models.DateField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"],
                name="series_due",
                condition=Q(state=SeriesState.RUNNING),
            )
        ]

    def __str__(self) -> str:
        return self.blast.name

    @property
    def rule(self) -> Rule:
        """The rule as a value."""
        return Rule(
            every=self.every,
            at=self.at,
            starts_on=self.starts_on,
            interval=self.interval,
            weekdays=tuple(self.weekdays),
            ends_on=self.ends_on,
            count=self.count,
            is_local=self.is_local,
        )

    def rule_set(self, rule: Rule) -> None:
        """Take over a rule; stores nothing."""
        self.every, self.interval, self.at = rule.every, rule.interval, rule.at
        self.weekdays = sorted(set(rule.weekdays))
        self.starts_on, self.ends_on, self.count = rule.starts_on, rule.ends_on, rule.count
        self.is_local = rule.is_local

    def wall_on(self, day: date) -> datetime:
        """What clocks show (naive) when the occurrence of a day is due."""
        return datetime.combine(day, self.at)

    def moment_on(self, day: date) -> datetime:
        """When the occurrence of a day is launched: at the first turn of anybody."""
        clocks = self.clocks if self.is_local and self.clocks else [[self.account.timezone]]
        wall = self.wall_on(day)
        return min(max(wall_moment(wall, zone) for zone in zones) for zones in clocks)

    def days_between(self, first: date, last: date, *, most: int = 100) -> list[date]:
        """Days to come of the rule, from `first` to `last`, the skipped ones too."""
        skipped = set(self.skipped_on)
        # One that has ended may have skipped days left.
        left = skipped if self.next_on is None else {self.next_on, *skipped}
        if not left:
            return []
        next_on = self.next_on or date.max
        found = self.rule.days_between(max(first, min(left)), last, most=most)
        return [day for day in found if day >= next_on or day in skipped]

    def move_anew(self, *, since: datetime, rule: Rule, made_on: date | None) -> None:
        """Take over a rule and set the next occurrence; days that were skipped stay so.

        Args:
            since: Not before this moment.
            rule: What holds from now on.
            made_on: The day of the newest occurrence that was made, which is not made again.
        """
        self.rule_set(rule)
        self.move_on(since=since, after=made_on)

    def move_on(self, *, since: datetime | None = None, after: date | None = None) -> None:
        """Set the next occurrence: the first not before a moment, after a day, and not skipped.

        Without one it has ended. Stores nothing.
        """
        starts = [self.starts_on]
        if since is not None:
            # Somewhere it may still be the day before.
            here = since.astimezone(ZoneInfo(self.account.timezone)).date()
            starts.append(here - timedelta(days=2 if self.is_local else 0))
        if after is not None:
            starts.append(after + timedelta(days=1))
        skipped = set(self.skipped_on)
        day = next(
            (
                day
                for day in self.rule.days(since=max(starts))
                if day not in skipped and (since is None or self.moment_on(day) >= since)
            ),
            None,
        )
        self.next_on = day
        self.next_at = self.moment_on(day) if day is not None else None
        if day is None:
            self.state = SeriesState.ENDED


class Approval(models.Model):
    """A second person's word on a blast, and what it covers (`campaigns.services.freezing`).

    ::

        requested -> approved | rejected
        requested | approved -> void      (the blast changed, or it was asked again)
    """

    OPEN = (ApprovalState.REQUESTED, ApprovalState.APPROVED)

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    blast = models.ForeignKey(Blast, on_delete=models.CASCADE, related_name="approvals")
    state = models.CharField(
        max_length=9, choices=ApprovalState.choices, default=ApprovalState.REQUESTED
    )
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=now)
    note = models.CharField(max_length=500, blank=True)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was refused or voided."
    )
    answer = models.CharField(max_length=500, blank=True)
    void_why = models.CharField(max_length=300, blank=True, help_text="What changed since.")
    parts = models.JSONField(
        default=dict,
        help_text="Digests of text, groups, numbers, time to give up and more, by name.",
    )
    people = models.PositiveIntegerField(help_text="In its groups.")
    members = models.CharField(
        max_length=80,
        blank=True,
        default="",
        help_text="Digest of who they are (`messaging.selectors.audience_digest`).",
    )
    credits = models.BigIntegerField(help_text="What it comes to, at most.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["blast"],
                name="one_open_approval",
                condition=Q(state__in=("requested", "approved")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.blast} ({self.get_state_display()})"
