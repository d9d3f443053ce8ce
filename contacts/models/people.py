"""People, and the fields an account gave them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from accounts.models import Account
from common.clock import now
from contacts.choices import (
    Consent,
    FieldKind,
    LineType,
)


class Contact(models.Model):
    """A person with a phone. `phone` is E.164 and unique in the account, also when deleted.

    Of a person who was erased the row stays, deleted and empty, with an alias (common.phone) where
    the phone stood, so that what refers to it still stands.

    `consent` is derived from ConsentEvents; every phone with an OptOut has a contact, a deleted one
    if need be, so this row is the lock under which consent and merges of one phone take turns.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="contacts", db_index=False
    )
    phone = models.CharField(max_length=16)
    first_name = models.CharField(max_length=80, blank=True)
    last_name = models.CharField(max_length=80, blank=True)
    email = models.CharField(max_length=254, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    custom = models.JSONField(default=dict, blank=True)
    line_type = models.CharField(max_length=10, choices=LineType.choices, default=LineType.UNKNOWN)
    region = models.CharField(max_length=2, blank=True)
    consent = models.CharField(max_length=10, choices=Consent.choices, default=Consent.UNKNOWN)
    consent_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="merged",
        db_index=False,
        help_text="Of a deleted contact: the one that is the same person.",
    )
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)
    was_in = models.JSONField(
        null=True,
        blank=True,
        help_text="Of a deleted contact: ids of the `groups` and `tags` it had, to be restored.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="contact_phone_unique")
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="contact_list"),
            models.Index(
                fields=["account", "-id"],
                name="contact_opted_out",
                condition=models.Q(consent=Consent.OPTED_OUT, deleted_at=None),
            ),
            models.Index(
                fields=["account", "-id"],
                name="contact_deleted",
                condition=models.Q(deleted_at__gt=models.F("created_at")),
            ),
            models.Index(
                fields=["merged_into"],
                name="contact_merged",
                condition=models.Q(merged_into__isnull=False),
            ),
            GinIndex(
                SearchVector("first_name", "last_name", "phone", "email", config="simple"),
                name="contact_search",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.phone

    @property
    def full_name(self) -> str:
        """First and last name, or an empty string."""
        return f"{self.first_name} {self.last_name}".strip()


class CustomField(models.Model):
    """A field an account added to its contacts; `key` is its name in Contact.custom.

    Every value there is text, and fits `kind` as contacts.field_types writes it: a number such as
    12.5, a date such as 2026-05-03, true or false, one of the `options` of a choice.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="custom_fields", db_index=False
    )
    key = models.CharField(max_length=40)
    label = models.CharField(max_length=80)
    kind = models.CharField(
        max_length=10,
        choices=FieldKind.choices,
        default=FieldKind.TEXT,
        db_default=FieldKind.TEXT,
    )
    options = ArrayField(
        models.CharField(max_length=80),
        default=list,
        db_default=[],
        blank=True,
        help_text="Of a choice, in the order they are shown.",
    )
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="custom_field_unique")
        ]

    def __str__(self) -> str:
        return self.label
