"""People, groups, consent and imports.

An OptOut is keyed by (account, phone), not by contact: it survives deletion and re-import. What was
texted to a contact is owned by messaging.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from accounts.models import Account, User
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource, ImportStatus, LineType


class Contact(models.Model):
    """A person with a phone. `phone` is E.164 and unique in the account, also when deleted."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contacts")
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
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="contact_phone_unique")
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="contact_list"),
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


class Group(models.Model):
    """A named list of contacts."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField(max_length=80)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="group_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """A contact's place in a group."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="group_members")
    added_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "contact"], name="group_member_once")
        ]


class ConsentEvent(models.Model):
    """One opt-in or opt-out with its proof. Append-only."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    phone = models.CharField(max_length=16)
    kind = models.CharField(max_length=3, choices=ConsentKind.choices)
    source = models.CharField(max_length=10, choices=ConsentSource.choices)
    wording = models.CharField(max_length=500, blank=True)
    message_id = models.BigIntegerField(null=True, blank=True)
    import_id = models.BigIntegerField(null=True, blank=True)
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["account", "phone", "-id"], name="consent_history")]


class OptOut(models.Model):
    """A phone that must not be texted by this account, whatever becomes of the contact."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="opt_outs")
    phone = models.CharField(max_length=16)
    source = models.CharField(max_length=10, choices=ConsentSource.choices)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="opt_out_phone_unique")
        ]


class ContactImport(models.Model):
    """One uploaded file and what became of each of its rows.

    Once done: rows_read = rows_new + rows_updated + rows_unchanged + rows_duplicate + rows_refused.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="imports")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.SET_NULL)
    filename = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    encoding = models.CharField(max_length=40, blank=True)
    delimiter = models.CharField(max_length=2, blank=True)
    has_header = models.BooleanField(default=True)
    mapping = models.JSONField(default=dict)
    consent_wording = models.CharField(max_length=500, blank=True)
    status = models.CharField(
        max_length=10, choices=ImportStatus.choices, default=ImportStatus.UPLOADED
    )
    error = models.CharField(max_length=300, blank=True)
    rows_read = models.BigIntegerField(default=0)
    rows_new = models.BigIntegerField(default=0)
    rows_updated = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    rows_duplicate = models.BigIntegerField(default=0)
    rows_refused = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=now)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="import_list")]


class ImportRefusal(models.Model):
    """A row of an import that was not taken, with its line number and the reason."""

    contact_import = models.ForeignKey(
        ContactImport, on_delete=models.CASCADE, related_name="refusals"
    )
    line = models.BigIntegerField()
    reason = models.CharField(max_length=40)
    sentence = models.CharField(max_length=300)
    raw = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["contact_import", "line"], name="refusal_by_line")]


class ImportRow(models.Model):
    """Staging of an import under way; filled by COPY, merged in SQL, deleted afterwards."""

    contact_import = models.ForeignKey(
        ContactImport, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    line = models.BigIntegerField()
    phone = models.CharField(max_length=16)
    first_name = models.CharField(max_length=80, blank=True)
    last_name = models.CharField(max_length=80, blank=True)
    email = models.CharField(max_length=254, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    custom = models.JSONField(default=dict)
    line_type = models.CharField(max_length=10)
    region = models.CharField(max_length=2)

    class Meta:
        indexes = [
            models.Index(fields=["contact_import", "phone", "line"], name="import_row_phone")
        ]
        constraints = [
            models.CheckConstraint(condition=Q(line__gte=1), name="import_row_line_positive")
        ]
