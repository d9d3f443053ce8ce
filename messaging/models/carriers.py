"""Log-ins at carriers, the numbers texts go out from, and what a segment costs."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Account
from common.clock import now, today
from messaging.choices import (
    BatchKind,
    GatewayName,
    SenderKind,
    TextType,
)


class CarrierAccount(models.Model):
    """Log-in at a carrier; its id stands in the webhook URLs. Credentials are encrypted.

    `account` is empty for the platform's own, which every account may use.
    """

    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.CASCADE, related_name="carrier_accounts"
    )
    gateway = models.CharField(
        max_length=12, choices=GatewayName.choices, default=GatewayName.TWILIO
    )
    name = models.CharField(max_length=80)
    external_id = models.CharField(max_length=64, help_text="The carrier's id: AccountSid.")
    secret_encrypted = models.BinaryField()
    previous_secret_encrypted = models.BinaryField(
        null=True, blank=True, help_text="Still accepted in signatures while secrets rotate."
    )
    api_base_url = models.CharField(max_length=200)
    is_simulated = models.BooleanField(
        default=False, help_text="carriersim: trial accounts may text any number."
    )
    list_delay_s = models.FloatField(default=600.0)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class SenderNumber(models.Model):
    """A number an account texts from, with the rate its carrier allows (segments a second)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sender_numbers")
    carrier_account = models.ForeignKey(
        CarrierAccount, on_delete=models.PROTECT, related_name="sender_numbers"
    )
    phone = models.CharField(max_length=16)
    kind = models.CharField(
        max_length=10,
        choices=SenderKind.choices,
        default=SenderKind.LOCAL,
        db_default=SenderKind.LOCAL,
    )
    label = models.CharField(max_length=60, blank=True)
    rate_per_s = models.FloatField(default=1.0)
    daily_cap = models.PositiveIntegerField(null=True, blank=True)
    can_mms = models.BooleanField(
        default=True, db_default=True, help_text="Whether its carrier sends pictures from it."
    )
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    released_at = models.DateTimeField(null=True, blank=True)
    inbound_checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the carrier was last asked what came in."
    )
    reconcile_not_before = models.DateTimeField(
        null=True, blank=True, help_text="The carrier's list could not be read: not until then."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier_account", "phone"],
                condition=Q(released_at__isnull=True),
                name="sender_phone_unique",
            )
        ]

    def __str__(self) -> str:
        return self.phone


class Lane(models.Model):
    """When a sender was last served and may be served again: the send engine's order of work.

    A row of its own, because every window touches it and an account's row is the last lock of the
    transactions that move credits (docs/locks.md).
    """

    sender = models.OneToOneField(
        SenderNumber, primary_key=True, on_delete=models.CASCADE, related_name="lane"
    )
    account_id = models.BigIntegerField(db_index=True)
    served_at = models.DateTimeField(default=now)
    not_before = models.DateTimeField(default=now, help_text="Its bucket is dry until then.")


class SenderDay(models.Model):
    """Segments a sender used on one day of its account's zone, for daily caps."""

    sender = models.ForeignKey(SenderNumber, on_delete=models.CASCADE, related_name="days")
    day_on = models.DateField()
    segments = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "day_on"], name="sender_day")]


class Price(models.Model):
    """Credits a segment, or a picture message, costs, to a country and for a kind of text.

    From a day on; staff decide. Of its type the closest row that is in force counts: country and
    kind, then country, then kind, then neither (`messaging.selectors.prices_now`). Where there is
    none, `messaging.pricing.DEFAULTS`.
    """

    type = models.CharField(
        max_length=3,
        choices=TextType.choices,
        default=TextType.SMS,
        help_text="Words are priced by the segment, a message with pictures as a whole.",
    )

    country = models.CharField(
        max_length=2,
        blank=True,
        help_text="ISO 3166, such as US; empty for everywhere else. Where countries share a"
        " calling code, the largest of them counts.",
    )
    kind = models.CharField(
        max_length=8,
        blank=True,
        choices=BatchKind.choices,
        help_text="Empty for every kind of text.",
    )
    credits = models.PositiveSmallIntegerField(
        help_text="Credits a segment, or a picture message.",
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    valid_from = models.DateField(
        default=today, help_text="From this day (UTC) on, until a later row says otherwise."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["type", "country", "kind", "valid_from"], name="one_price_a_day"
            ),
            models.CheckConstraint(condition=Q(credits__gte=1), name="price_not_free"),
        ]
        ordering = ["type", "country", "kind", "-valid_from"]

    def __str__(self) -> str:
        return f"{self.country or 'elsewhere'}: {self.credits}"
