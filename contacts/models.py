"""People, groups, consent and imports.

An OptOut is keyed by (account, phone), not by contact: it survives deletion and re-import. What was
texted to a contact is owned by messaging. Foreign keys whose column leads another index, or is
never searched by, have no index of their own, and an `account` that is copied from a row with a
constraint has none: a list of a million people pays for each of them (checks of foreign keys were
half of an import's time).
"""

from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.choices import (
    Consent,
    ConsentKind,
    ConsentSource,
    ImportPurpose,
    ImportStatus,
    LineType,
    RefusalReason,
)

# So often is one step of an import tried: reading it, and writing what a dry run counted.
RUNS_MAX = 5


class Contact(models.Model):
    """A person with a phone. `phone` is E.164 and unique in the account, also when deleted.

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
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)

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
    """A field an account added to its contacts; `key` is its name in Contact.custom."""

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="custom_fields", db_index=False
    )
    key = models.CharField(max_length=40)
    label = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="custom_field_unique")
        ]

    def __str__(self) -> str:
        return self.label


class Group(models.Model):
    """A named list of contacts: static (GroupMember), or smart by `rules` (contacts.rules).

    A group keeps its kind. `people` is how many a smart group's rules fitted when they were last
    counted, at `counted_at`; who is in it is always asked anew (contacts.membership).
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="groups", db_index=False
    )
    name = models.CharField(max_length=80)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    rules = models.JSONField(null=True, blank=True, help_text="None for a static group.")
    people = models.PositiveBigIntegerField(null=True, blank=True)
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="group_name_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_smart(self) -> bool:
        """Whether rules decide who is in it."""
        return self.rules is not None


class GroupMember(models.Model):
    """A live contact's place in a group; deleting the contact ends it.

    `account` repeats what group and contact say, whose constraints hold it.
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="group_members")
    added_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "contact"], name="group_member_once")
        ]


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

    @property
    def is_to_review(self) -> bool:
        """Whether it was read out of the person's own words and nobody has looked at it yet."""
        return self.source == ConsentSource.FREE_TEXT and self.reviewed_at is None


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


class OptInForm(models.Model):
    """An account's public form at /subscribe/<token>/, where people agree to its texts.

    `asked` and `joined` are kept counts: phones texted for a YES, opt-ins that came of it.
    """

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="optin_form")
    token = models.CharField(max_length=32, unique=True)
    is_open = models.BooleanField(default=True)
    title = models.CharField(max_length=80)
    wording = models.CharField(max_length=500)
    frequency = models.CharField(max_length=40)
    privacy_url = models.CharField(max_length=200, blank=True)
    terms_url = models.CharField(max_length=200, blank=True)
    welcome = models.CharField(max_length=160, blank=True)
    asks_yes = models.BooleanField(default=True)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    asked = models.PositiveIntegerField(default=0)
    joined = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.title


class OptInKeyword(models.Model):
    """A word that opts in whoever texts it. `key` is the word as texts are compared with it."""

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="optin_keywords", db_index=False
    )
    word = models.CharField(max_length=20)
    key = models.CharField(max_length=20)
    wording = models.CharField(max_length=400, blank=True)
    frequency = models.CharField(max_length=40)
    welcome = models.CharField(max_length=160, blank=True)
    asks_yes = models.BooleanField(default=False)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    asked = models.PositiveIntegerField(default=0)
    joined = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="optin_keyword_unique")
        ]

    def __str__(self) -> str:
        return self.word


class OptInPending(models.Model):
    """A phone that was asked for its YES: no consent yet, and none after `expires_at`."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    phone = models.CharField(max_length=16)
    form = models.ForeignKey(
        OptInForm, null=True, blank=True, on_delete=models.CASCADE, related_name="pending"
    )
    keyword = models.ForeignKey(
        OptInKeyword, null=True, blank=True, on_delete=models.CASCADE, related_name="pending"
    )
    wording = models.CharField(max_length=500)
    first_name = models.CharField(max_length=80, blank=True)
    message_id = models.BigIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="optin_pending_unique"),
            models.CheckConstraint(
                condition=models.Q(form=None) ^ models.Q(keyword=None), name="optin_by_one_way"
            ),
        ]
