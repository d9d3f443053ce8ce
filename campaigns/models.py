"""Campaigns and their blasts: the marketer's view of what was sent.

Once launched, a blast has exactly one batch (messaging), which holds its messages and figures.
"""

from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from campaigns.choices import BlastState, TextKind
from common.clock import now
from contacts.models import Group
from messaging.models import Batch, SenderNumber


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
    scheduled_at = models.DateTimeField(null=True, blank=True)
    give_up_hours = models.PositiveSmallIntegerField(
        default=0, help_text="Hours from its start in which to text people; 0 for no limit."
    )
    smart_encoding = models.BooleanField(
        default=False, help_text="Look-alikes are replaced in texts that become cheaper by it."
    )
    utm = models.JSONField(
        default=dict, blank=True, help_text="UTM parameters of its own (`tracking.utm.UTM_PARTS`)."
    )
    estimated_credits = models.BigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    sent_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    batch = models.OneToOneField(
        Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="blast"
    )
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-id"], name="blast_list"),
            models.Index(
                fields=["scheduled_at"],
                name="blast_due",
                condition=Q(state=BlastState.SCHEDULED),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SavedText(models.Model):
    """Words kept for later: a template, or a snippet.

    `approved_at` is of these words: changing them takes it back.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="saved_texts")
    kind = models.CharField(max_length=8, choices=TextKind.choices, default=TextKind.TEMPLATE)
    folder = models.CharField(max_length=60, blank=True)
    name = models.CharField(max_length=80)
    body = models.TextField()
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name
