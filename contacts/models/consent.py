"""Every opt-in and opt-out; an OptOut is keyed by phone and survives its contact, and erasure."""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.choices import (
    ConsentKind,
    ConsentSource,
)


class ConsentEvent(models.Model):
    """One opt-in or opt-out with its proof. Append-only; keyed by phone, like OptOut.

    `actor` is who entered it by hand; the import named by `import_id` knows who imported.
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    phone = models.CharField(max_length=16)
    kind = models.CharField(max_length=4, choices=ConsentKind.choices)
    source = models.CharField(max_length=10, choices=ConsentSource.choices)
    wording = models.CharField(max_length=500, blank=True)
    message_id = models.BigIntegerField(null=True, blank=True)
    import_id = models.BigIntegerField(null=True, blank=True)
    form_id = models.BigIntegerField(null=True, blank=True)
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["account", "phone", "-id"], name="consent_history")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.phone}"


class OptOut(models.Model):
    """A phone that must not be texted by this account, whatever becomes of the contact."""

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="opt_outs", db_index=False
    )
    phone = models.CharField(max_length=16)
    source = models.CharField(max_length=10, choices=ConsentSource.choices)
    at = models.DateTimeField(default=now)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="opt_out_phone_unique")
        ]
        indexes = [
            models.Index(
                fields=["account", "-id"],
                name="opt_out_to_review",
                condition=models.Q(source=ConsentSource.FREE_TEXT, reviewed_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.phone

    @property
    def is_to_review(self) -> bool:
        """Whether it was read out of the person's own words and nobody has looked at it yet."""
        return self.source == ConsentSource.FREE_TEXT and self.reviewed_at is None


class ErasedNumber(models.Model):
    """The opt-out of a person who was erased: their number as a keyed hash, and nothing else.

    `digest` is of account and phone (contacts.erased). It goes when the phone itself texts again:
    an OptOut in clear takes its place.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="erased_numbers", db_index=False
    )
    digest = models.BinaryField(max_length=32)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="erased_number_unique")
        ]
