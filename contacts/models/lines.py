"""What a carrier said, for money, of the kind of line that a number is."""

from django.db import models

from accounts.models import Account
from common.clock import now
from contacts.choices import LineSource, LineType


class LineFact(models.Model):
    """The newest word on a phone's line. Keyed by phone: it outlives the contact.

    `Contact.line_type` says the same, for lists and audiences.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    phone = models.CharField(max_length=16)
    line_type = models.CharField(max_length=10, choices=LineType.choices)
    carrier_name = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=10, choices=LineSource.choices, default=LineSource.LOOKUP)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "phone"], name="line_fact_phone")]
