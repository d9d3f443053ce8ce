"""Accounts (tenants), users, roles, API keys, the credit ledger and the audit trail.

Every account-owned row of every app carries `account_id`. Contacts, messages and anything that is
texted are owned by apps above this one.
"""

from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower

from accounts.choices import (
    AccountStatus,
    CreditKind,
    Currency,
    DisputeState,
    PurchaseEnd,
    Role,
    TemplateRule,
)
from common.clock import now


class UserManager(BaseUserManager["User"]):
    """Creates people, keyed by their email address."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Create a user with a normalised address; without a password log-in is impossible."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields: object) -> "User":
        """Create a member of the platform's staff."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user by address, whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in by email. May be a member of several accounts."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def display_name(self) -> str:
        """The name people see beside what this user did."""
        return self.name or self.email.split("@")[0]


class Account(models.Model):
    """A tenant: one shop, with its own contacts, numbers, credits and reports.

    `credit_balance` is what may still be reserved, `credit_held` what is reserved for sends under
    way, `credit_owed` what was used and then paid back; all change only together with a
    CreditEntry, so they equal the ledger's sums.
    """

    name = models.CharField(max_length=120)
    timezone = models.CharField(max_length=64, default="America/New_York")
    default_country = models.CharField(max_length=2, default="US")
    status = models.CharField(
        max_length=12, choices=AccountStatus.choices, default=AccountStatus.TRIAL
    )
    brand = models.CharField(
        max_length=60, blank=True, help_text="How the account names itself in automatic answers."
    )
    help_text = models.CharField(max_length=320, blank=True)
    stop_words = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="Whole texts that opt out here, beside STOP and its fixed set.",
    )
    start_words = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="Whole texts that opt in here, beside START and its fixed set.",
    )
    consent_wording = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="How the account's contacts agree to get texts; asked of each list without it.",
    )
    requires_consent = models.BooleanField(
        default=False, help_text="Text only contacts whose consent is on record."
    )
    quiet_start = models.TimeField(default="21:00", help_text="No bulk texts from this local time")
    quiet_end = models.TimeField(default="08:00", help_text="until this local time.")
    cap_texts = models.PositiveSmallIntegerField(
        default=0, help_text="Most blasts a person gets in `cap_days`; 0 for no limit."
    )
    cap_days = models.PositiveSmallIntegerField(default=7)
    monthly_budget_credits = models.PositiveIntegerField(
        default=0, help_text="Most credits blasts may use in a month; 0 for no limit."
    )
    keep_events_days = models.PositiveSmallIntegerField(
        default=0, help_text="Carriers' raw events are removed after so many days; 0 for never."
    )
    keep_bodies_days = models.PositiveSmallIntegerField(
        default=0, help_text="Texts of messages are removed after so many days; 0 for never."
    )
    template_rule = models.CharField(
        max_length=10,
        choices=TemplateRule.choices,
        default=TemplateRule.FREE,
        help_text="Whose blasts must be approved templates.",
    )
    low_balance_credits = models.PositiveIntegerField(
        default=0, help_text="Admins get a mail when fewer credits are left; 0 for never."
    )
    low_balance_told_at = models.DateTimeField(
        null=True, blank=True, help_text="When they got it; empty once there is more again."
    )
    requires_approval = models.BooleanField(
        default=False, help_text="A second person approves each blast before it goes out."
    )
    approval_over_people = models.PositiveIntegerField(
        default=0, help_text="Only blasts to more people than this need approval."
    )
    attribution_hours = models.PositiveSmallIntegerField(default=72)
    is_platform = models.BooleanField(
        default=False, help_text="The installation's own account: it texts verification codes."
    )
    credit_balance = models.BigIntegerField(default=0)
    credit_held = models.BigIntegerField(default=0)
    credit_owed = models.BigIntegerField(
        default=0, help_text="Used before their price went back; whatever comes in pays them first."
    )
    credit_price_cents = models.DecimalField(max_digits=8, decimal_places=3, default=2)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(credit_balance__gte=0), name="credits_not_negative"),
            models.CheckConstraint(condition=Q(credit_held__gte=0), name="held_not_negative"),
            models.CheckConstraint(
                condition=Q(credit_owed=0) | Q(credit_owed__gt=0, credit_balance=0),
                name="owes_only_with_nothing_left",
            ),
            models.UniqueConstraint(
                fields=["is_platform"], condition=Q(is_platform=True), name="one_platform_account"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in an account."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_membership_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.account}"


class Invitation(models.Model):
    """An admin's offer of a role to an address; the link's secret is kept only as a hash."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=12, choices=Role.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class ApiKey(models.Model):
    """A program's way in. Only the hash is kept; the prefix tells keys apart in lists."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class VerifiedNumber(models.Model):
    """A phone that a trial account proved to hold, by a code texted to it.

    `attempts` counts wrong codes since the last code was made; `codes` how many codes were made
    since `window_at`, so that asking again and again does not add up to guessing.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="verified_numbers")
    phone = models.CharField(max_length=16)
    code_hash = models.CharField(max_length=64)
    attempts = models.PositiveSmallIntegerField(default=0)
    codes = models.PositiveSmallIntegerField(default=0)
    window_at = models.DateTimeField(default=now)
    requested_at = models.DateTimeField(default=now)
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="one_verification_per_phone")
        ]


# What a movement of each kind may do to the two columns; see POCKETS. Capped ones may move nothing.
_LEGS = (
    Q(kind__in=["trial", "purchase", "grant"], available__gt=0, held=0)
    | Q(kind="refund", available__lte=0, held=0)
    | Q(kind="reserve", available__lt=0, held=-F("available"))
    | Q(kind="settle", available=0, held__lt=0)
    | Q(kind="release", available__gt=0, held=-F("available"))
    | Q(kind="adjust", held=0)
)


class CreditEntry(models.Model):
    """One movement of credits. Append-only; written in the transaction that changes the balance.

    A transfer between two pockets (`accounts.choices.POCKETS`): both legs stand in one row, so
    that neither can be written without the other. `available` is the change of
    `Account.credit_balance`, `held` that of what is reserved for sends under way; the leg of the
    other two pockets, issued and used, is what makes the sum nothing. The database holds each kind
    to its pockets (`credit_entry_legs`), and a trigger refuses to change or delete a movement.

    =====================  =========  =====  ======  =====
    kind                   available  held   issued  used
    =====================  =========  =====  ======  =====
    trial, purchase, grant   +n         0      -n      0
    refund                   -n         0      +n      0
    reserve                  -n         +n     0       0
    settle                   0          -n     0       +n
    release                  +n         -n     0       0
    adjust                   +-n        0      0       -+n
    =====================  =========  =====  ======  =====

    `owed` is in no pocket: of a refund it is what was not left to be taken back (+), or what a
    later refund took of credits that had just come in (-).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credit_entries")
    kind = models.CharField(max_length=12, choices=CreditKind.choices)
    available = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    owed = models.BigIntegerField(
        default=0, db_default=0, help_text="The change of what the account owes."
    )
    balance_after = models.BigIntegerField()
    idempotency_key = models.CharField(max_length=120)
    batch_id = models.BigIntegerField(null=True, blank=True)
    purchase_id = models.BigIntegerField(
        null=True, blank=True, help_text="The purchase whose payment came in or went back."
    )
    note = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "idempotency_key"], name="credit_entry_once"
            ),
            models.CheckConstraint(condition=Q(balance_after__gte=0), name="balance_not_negative"),
            models.CheckConstraint(condition=_LEGS, name="credit_entry_legs"),
            models.CheckConstraint(
                condition=Q(owed=0) | Q(kind="refund"), name="credit_entry_owed"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="credit_statement"),
            # What is rare among a million settled windows and is looked for by itself.
            models.Index(
                fields=["account", "kind", "-id"],
                name="credit_rare",
                condition=Q(kind__in=["trial", "purchase", "grant", "refund", "adjust"]),
            ),
            models.Index(
                fields=["batch_id"], name="credit_by_batch", condition=Q(batch_id__isnull=False)
            ),
        ]
        ordering = ["-id"]
        verbose_name = "movement of credits"
        verbose_name_plural = "movements of credits"

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


def money(cents: int, currency: str) -> str:
    """ "50.00 USD". Every `Currency` has a hundred of its smallest unit."""
    return f"{cents / 100:,.2f} {currency.upper()}"


class Package(models.Model):
    """Credits sold together at a price. Staff decide; what was bought stands in `Purchase`."""

    name = models.CharField(max_length=60)
    credits = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    price_cents = models.PositiveIntegerField(
        validators=[MinValueValidator(50)], help_text="In cents; Stripe takes 50 at the least."
    )
    currency = models.CharField(max_length=3, choices=Currency.choices, default=Currency.USD)
    is_offered = models.BooleanField(default=True, help_text="Shown to those who buy credits.")
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["price_cents", "id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.credits:,} credits, {self.price}"

    @property
    def price(self) -> str:
        """For people."""
        return money(self.price_cents, self.currency)

    @property
    def cents_each(self) -> float:
        """Cents a credit."""
        return self.price_cents / self.credits


class Purchase(models.Model):
    """A package that somebody began to buy: begun -> paid -> (partly) paid back.

    `reference` names it at the payment provider, `session_id` and `payment_id` are the provider's
    own names for its page and its payment. `refunded_cents` is all that was ever refunded;
    `back_credits` what of its credits was taken back or is owed, for refunds and disputes.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="purchases")
    name = models.CharField(max_length=60)
    credits = models.PositiveIntegerField()
    price_cents = models.PositiveIntegerField()
    currency = models.CharField(max_length=3, choices=Currency.choices)
    reference = models.CharField(max_length=64, unique=True)
    request_key = models.CharField(max_length=80)
    session_id = models.CharField(max_length=120, blank=True)
    payment_id = models.CharField(max_length=120, blank=True, default="", db_default="")
    ended = models.CharField(
        max_length=7, blank=True, choices=PurchaseEnd.choices, default="", db_default=""
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    paid_at = models.DateTimeField(null=True, blank=True)
    refunded_cents = models.PositiveIntegerField(default=0)
    back_credits = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "request_key"], name="purchase_begun_once"),
            models.CheckConstraint(
                condition=Q(refunded_cents__lte=F("price_cents")), name="refund_within_price"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="purchase_list"),
            models.Index(fields=["payment_id"], name="purchase_paid", condition=~Q(payment_id="")),
        ]

    @property
    def price(self) -> str:
        """For people."""
        return money(self.price_cents, self.currency)

    @property
    def refunded(self) -> str:
        """For people."""
        return money(self.refunded_cents, self.currency)


class Dispute(models.Model):
    """A buyer's bank takes a payment back, or tries to. As the payment provider told last.

    It may be told before its payment is, so it knows that only by the provider's name for it.
    """

    dispute_id = models.CharField(max_length=120, unique=True)
    payment_id = models.CharField(max_length=120, db_index=True)
    # Of another system's payment perhaps, in a currency of many small units.
    amount_cents = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=7, choices=DisputeState.choices)
    created_at = models.DateTimeField(default=now)


# What an action is about: what stands before its dot, one of AUDIT_KINDS.
AUDIT_KIND: Final = Func(
    F("action"), Value("."), Value(1), function="split_part", output_field=models.TextField()
)


class AuditEvent(models.Model):
    """Who did what, when: append-only, shown to admins."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="audit_events")
    # Nobody is deleted whose acts would have to be found without their account.
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, db_index=False
    )
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at", "-id"], name="audit_by_day"),
            models.Index(fields=["account", "actor", "-at", "-id"], name="audit_by_actor"),
            models.Index(
                "account", AUDIT_KIND, F("at").desc(), F("id").desc(), name="audit_by_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()
