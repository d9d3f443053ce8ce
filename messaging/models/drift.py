"""The last comparison of an account's opt-outs with the carrier's."""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.choices import ConsentSource
from messaging.choices import DriftSide


class DriftReport(models.Model):
    """What the last comparison found; one row an account, its phones in `DriftRow`.

    It waits for a worker while `asked_at` is later than `checked_at`.
    """

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="drift_report")
    asked_at = models.DateTimeField(default=now)
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    checked_at = models.DateTimeField(null=True, blank=True, db_index=True)
    agreed = models.PositiveIntegerField(default=0, help_text="Out here and at the carrier.")
    only_here = models.PositiveIntegerField(default=0)
    only_there = models.PositiveIntegerField(default=0)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody asked for a comparison that has not been made yet."""
        return self.checked_at is None or self.asked_at > self.checked_at


class DriftRow(models.Model):
    """A phone that one side knows as opted out and the other does not.

    `source` and `wording` are of what stands here: the opt-out, or the opt-in that followed it.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    phone = models.CharField(max_length=16)
    side = models.CharField(max_length=6, choices=DriftSide.choices)
    source = models.CharField(max_length=10, blank=True, choices=ConsentSource.choices)
    wording = models.CharField(max_length=500, blank=True)
    since_at = models.DateTimeField(help_text="Of the opt-out, on the side that knows it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "phone"], name="drift_phone")]
        indexes = [models.Index(fields=["account", "side", "-id"], name="drift_by_side")]
