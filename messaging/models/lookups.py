"""Paid look-ups of line types: what was asked for together, and each number of it."""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from messaging.choices import LookupRunState, LookupState
from messaging.models.carriers import CarrierAccount


class LookupRun(models.Model):
    """Look-ups asked for together, at a price that was said before.

    running -> done | failed (the carrier refuses the log-in; what was not asked is paid back)

    `numbers * credits_each` is reserved when it begins. Once no number waits any more, what the
    carrier told is settled and the rest released, in the transaction that ends the run.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="lookup_runs")
    carrier_account = models.ForeignKey(
        CarrierAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    request_key = models.CharField(max_length=64)
    title = models.CharField(max_length=120)
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    numbers = models.PositiveIntegerField(default=0)
    credits_each = models.PositiveSmallIntegerField()
    state = models.CharField(
        max_length=10, choices=LookupRunState.choices, default=LookupRunState.RUNNING
    )
    error = models.CharField(max_length=300, blank=True)
    told = models.PositiveIntegerField(default=0, help_text="Numbers that were paid for.")
    created_at = models.DateTimeField(default=now)
    touched_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "request_key"], name="lookup_run_once")
        ]
        indexes = [
            models.Index(
                fields=["touched_at"],
                name="lookup_running",
                condition=models.Q(state=LookupRunState.RUNNING),
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def credits_settled(self) -> int:
        """What it took, once it is over."""
        return self.told * self.credits_each


class Lookup(models.Model):
    """One number of a run.

    waiting -> asked -> told (paid for)
       ^         |----> waiting (proven not processed: 429)
       '---------'----> refused (not taken) | lost (may have been taken: never asked again)

    `asked` is committed before the request goes out, so whatever dies, a number is asked once.
    """

    run = models.ForeignKey(LookupRun, on_delete=models.CASCADE, related_name="lookups")
    phone = models.CharField(max_length=16)
    state = models.CharField(max_length=8, choices=LookupState.choices, default=LookupState.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    line_type = models.CharField(max_length=10, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "phone"], name="lookup_phone")]
        indexes = [
            models.Index(
                fields=["run", "id"],
                name="lookup_open",
                condition=models.Q(state__in=[LookupState.WAITING, LookupState.ASKED]),
            )
        ]
