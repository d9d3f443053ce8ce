"""A list on its way in: the run, refused rows, what it changed, rows still to be merged."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.choices import (
    ImportPurpose,
    ImportStatus,
    RefusalReason,
)
from contacts.models.groups import Group

# So often is one step of an import tried: reading it, and writing what a dry run counted.
RUNS_MAX = 5


class ContactImport(models.Model):
    """One uploaded file and what became of each of its rows (the states: see ImportStatus).

    Once done (or, of a dry run, once checked):
    rows_read = rows_new + rows_updated + rows_unchanged + rows_duplicate + rows_refused.
    Of an opt-out list rows_new opt out and rows_unchanged had opted out before.
    `mapping` has one entry a column: a field, ``custom.<key>``, or an empty string for "leave out".
    `run_no` counts the claims; a worker whose number is no longer the newest writes nothing.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="imports", db_index=False
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.SET_NULL)
    purpose = models.CharField(
        max_length=10,
        choices=ImportPurpose.choices,
        default=ImportPurpose.CONTACTS,
        db_default=ImportPurpose.CONTACTS,
    )
    filename = models.CharField(max_length=200)
    path = models.CharField(max_length=300, help_text="Under MEDIA_ROOT; empty once removed.")
    size_bytes = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=40, blank=True)
    delimiter = models.CharField(max_length=2, blank=True)
    sheet_no = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of a workbook, from 0; empty for a text."
    )
    has_header = models.BooleanField(default=True)
    mapping = models.JSONField(default=list)
    headings_key = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Of the headings; empty without headings.",
    )
    consent_wording = models.CharField(max_length=500, blank=True)
    group_name = models.CharField(
        max_length=80,
        blank=True,
        default="",
        db_default="",
        help_text="Of a group to be made for these people.",
    )
    has_made_group = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its group was not there before it; an undo that empties it ends it.",
    )
    tags = ArrayField(
        models.CharField(max_length=40),
        default=list,
        db_default=[],
        blank=True,
        help_text="Names of tags for these people.",
    )
    is_dry_run = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Stops once the rows are counted, until a person confirms.",
    )
    is_staged = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Every row of the file was read and waits in staging.",
    )
    status = models.CharField(
        max_length=10, choices=ImportStatus.choices, default=ImportStatus.UPLOADED
    )
    error = models.CharField(max_length=300, blank=True)
    run_no = models.PositiveIntegerField(default=0)
    runs_max = models.PositiveIntegerField(
        default=RUNS_MAX, db_default=RUNS_MAX, help_text="Given up once `run_no` reached it."
    )
    read_bytes = models.BigIntegerField(default=0)
    rows_read = models.BigIntegerField(default=0)
    rows_new = models.BigIntegerField(default=0)
    rows_updated = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    rows_duplicate = models.BigIntegerField(default=0)
    rows_refused = models.BigIntegerField(default=0)
    people_opted_out = models.BigIntegerField(
        default=0, help_text="People of the file who opted out before, and stay out."
    )
    people_landline = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="People of the file whose number is known to take no texts.",
    )
    created_at = models.DateTimeField(default=now)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    merged_at = models.DateTimeField(
        null=True, blank=True, help_text="Moment of what it wrote; empty once it cannot be undone."
    )
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    people_removed = models.BigIntegerField(default=0, db_default=0)
    people_restored = models.BigIntegerField(default=0, db_default=0)
    people_left = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Left alone by the undo: touched since.",
    )

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="import_list")]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_opt_out_list(self) -> bool:
        """Whether its people must not be texted."""
        return self.purpose == ImportPurpose.OPT_OUTS

    @property
    def rows_accepted(self) -> int:
        """Rows that ended in a contact: every row read but the refused ones."""
        return self.rows_read - self.rows_refused

    @property
    def people(self) -> int:
        """Different people among the accepted rows."""
        return self.rows_accepted - self.rows_duplicate

    def counts_clear(self) -> None:
        """Nothing of the file counts; the caller saves."""
        self.read_bytes = self.rows_read = self.rows_refused = 0
        self.rows_new = self.rows_updated = self.rows_unchanged = self.rows_duplicate = 0
        self.people_opted_out = self.people_landline = 0


class ImportRefusal(models.Model):
    """A row of an import that was not taken, with its line number and the reason."""

    contact_import = models.ForeignKey(
        ContactImport, on_delete=models.CASCADE, related_name="refusals", db_index=False
    )
    line = models.BigIntegerField()
    reason = models.CharField(max_length=40, choices=RefusalReason.choices)
    sentence = models.CharField(max_length=300)
    raw = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["contact_import", "line"], name="refusal_by_line")]


class ImportChange(models.Model):
    """What an import did to a contact, kept to undo it: nobody was there before, or what was.

    `before` has the contact's fields as they were; empty for one that is new. Neither it nor
    ImportRow has indexes to keep while a million rows come in: a BRIN index finds an import's rows,
    which lie together.
    """

    contact_import = models.ForeignKey(
        ContactImport,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    contact_id = models.BigIntegerField()
    before = models.JSONField(null=True, blank=True)
    granted = models.BooleanField(help_text="Consent came with the import.")

    class Meta:
        indexes = [
            BrinIndex(fields=["contact_import"], name="import_change_of", autosummarize=True),
        ]


class ImportRow(models.Model):
    """Staging of an import under way; filled by COPY, merged in SQL, deleted afterwards.

    Unlogged (0002_storage): what a crash of PostgreSQL empties is read again from the file. A merge
    reads and sorts all rows of its import anyway, so only a BRIN index, which costs COPY nothing,
    keeps it away from those of others' dry runs.
    """

    contact_import = models.ForeignKey(
        ContactImport,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
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
            BrinIndex(fields=["contact_import"], name="import_row_of", autosummarize=True),
        ]
