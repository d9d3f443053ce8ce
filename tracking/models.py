"""Links and the hits on them.

There is no row per recipient and link: the short code is an encrypted (link id, recipient number),
see `tracking.codes`. A hit is joined to its message later, by messaging, through (batch_id,
recipient_no).
"""

from django.db import models
from django.db.models import Q

from accounts.models import Account
from common.clock import now
from tracking.choices import Verdict


class LinkSettings(models.Model):
    """How an account's links look and how long they live. Without a row: as its defaults say.

    `domain` reaches the links that are made from then on; `fallback_url` all of them at once.
    """

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="link_settings"
    )
    domain = models.CharField(max_length=253, null=True, blank=True, unique=True)
    expires_after_days = models.PositiveSmallIntegerField(null=True, blank=True)
    fallback_url = models.URLField(max_length=2000, blank=True)
    utm_source = models.CharField(max_length=80, blank=True)
    utm_medium = models.CharField(max_length=80, blank=True)

    def __str__(self) -> str:
        return self.domain or "links"


class Link(models.Model):
    """A destination as it stands in one batch of messages (`ordinal`: its place in the text).

    `domain` is the account's own as it was when the link was made, "" for the platform's: the
    length of a text must not change while its batch goes out. The kept counts are moved in the
    transaction that judges the hits they count.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="links")
    destination = models.URLField(max_length=2000)
    label = models.CharField(max_length=160, blank=True)
    batch_id = models.BigIntegerField(null=True, blank=True)
    ordinal = models.PositiveSmallIntegerField(default=0)
    recipients = models.PositiveIntegerField(default=0)
    domain = models.CharField(max_length=253, blank=True, default="", db_default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    clicks_total = models.BigIntegerField(default=0)
    clicks_human = models.BigIntegerField(default=0)
    recipients_clicked = models.BigIntegerField(default=0)
    recipients_human = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch_id", "ordinal"], name="link_place_unique")
        ]
        indexes = [models.Index(fields=["account", "-id"], name="link_list")]

    def __str__(self) -> str:
        return self.destination


class Click(models.Model):
    """One hit on a short link, as the edge stored it; judged when applied, re-judged at will.

    The address is kept only as a keyed hash that rotates daily.
    """

    account_id = models.BigIntegerField()
    link = models.ForeignKey(
        Link, on_delete=models.CASCADE, related_name="clicks", db_index=False, db_constraint=False
    )
    recipient_no = models.PositiveIntegerField()
    at = models.DateTimeField()
    method = models.CharField(max_length=8)
    user_agent = models.CharField(max_length=500, blank=True)
    browser_headers = models.BooleanField(
        default=False, help_text="Came with Accept and Accept-Language as browsers send them."
    )
    ip_hash = models.BinaryField(max_length=16)
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.PENDING)
    reasons = models.JSONField(default=list)
    rules_version = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["link", "at"], name="click_by_link"),
            models.Index(fields=["link", "recipient_no"], name="click_by_recipient"),
            models.Index(fields=["id"], name="click_pending", condition=Q(verdict=Verdict.PENDING)),
            models.Index(fields=["ip_hash", "at"], name="click_by_address"),
        ]


class Destination(models.Model):
    """What came of asking an address that stands in an account's draft; kept for a day.

    `checked_at` before `asked_at`, or none, means that it waits to be asked.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the address.")
    url = models.URLField(max_length=2000)
    asked_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(default=0)
    elapsed_ms = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=10, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "digest"], name="destination_unique")
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def waits(self) -> bool:
        """Whether it is yet to be asked."""
        return self.checked_at is None or self.checked_at < self.asked_at
