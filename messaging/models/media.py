"""Pictures that texts carry, each kept once in its account, and media that came in with texts."""

from typing import Final

from django.db import models

from accounts.models import Account, User
from common.clock import now
from messaging.choices import InboundMediaState
from messaging.models.carriers import CarrierAccount
from messaging.models.messages import Message

_PICTURES: Final = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


class Media(models.Model):
    """A file of an account: a picture to send, or what came in. The same bytes are one row.

    `media_ids` of batches, blasts and saved texts and `InboundMedia` refer to it. What nothing
    refers to a day after it was last wanted is removed (`messaging.services.media`).
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="media")
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=40)
    size_bytes = models.PositiveIntegerField()
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    wanted_at = models.DateTimeField(
        default=now, help_text="When somebody last uploaded or used it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "sha256"], name="media_kept_once")
        ]
        indexes = [models.Index(fields=["wanted_at"], name="media_by_wanted")]

    def __str__(self) -> str:
        return f"{self.content_type}, {self.size_bytes:,} bytes"

    @property
    def path(self) -> str:
        """Its name in the storage: by content, below its account."""
        return f"mms/{self.account_id}/{self.sha256[:2]}/{self.sha256}"

    @property
    def is_picture(self) -> bool:
        """Whether a browser may show it: everything else is only offered for download."""
        return self.content_type in _PICTURES

    @property
    def filename(self) -> str:
        """What it is called where it is saved; short and plain, as carriers ask."""
        return f"picture-{self.pk}.{_PICTURES.get(self.content_type, 'bin')}"


class InboundMedia(models.Model):
    """One file that came with an inbound text, fetched from the carrier in the background.

    ::

        waiting -> stored | refused (too large, gone, not at the carrier: error)
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="inbound_media")
    carrier_account = models.ForeignKey(CarrierAccount, on_delete=models.PROTECT, related_name="+")
    n = models.PositiveSmallIntegerField()
    url = models.TextField(help_text="At the carrier; empty once nothing is to be fetched there.")
    state = models.CharField(
        max_length=8, choices=InboundMediaState.choices, default=InboundMediaState.WAITING
    )
    media = models.ForeignKey(
        Media, null=True, blank=True, on_delete=models.SET_NULL, related_name="came_with"
    )
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=now)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "n"], name="inbound_media_once")]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="inbound_media_waiting",
                condition=models.Q(state="waiting"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id}/{self.n}: {self.state}"
