"""Exports that are too long for one answer: what was asked for, how far it is, the file in parts.

The file lies in PostgreSQL, so any host may make it and any other hand it out.
"""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from exports.choices import ExportState


class Export(models.Model):
    """One list as a CSV file, made part by part.

    ::

        running --part by part--> done --a week--> deleted
           |-> failed    (the list is gone, or a part could not be made several times)

    `kind` and `params` say which list (`exports.lists`); `last_id` is the last row that is in a
    part, so whoever goes on begins behind it. One list is in the making at most once.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="exports", db_index=False
    )
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=20)
    params = models.JSONField(default=dict)
    key = models.CharField(max_length=64, help_text="Digest of kind and params.")
    title = models.CharField(max_length=200)
    filename = models.CharField(max_length=80)
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.RUNNING)
    error = models.CharField(max_length=300, blank=True)
    rows_total = models.PositiveIntegerField(null=True, blank=True)
    rows_done = models.PositiveIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker began since the last part was kept."
    )
    touched_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "key"],
                name="export_made_once",
                condition=models.Q(state=ExportState.RUNNING),
            )
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="export_list"),
            models.Index(
                fields=["touched_at"],
                name="export_running",
                condition=models.Q(state=ExportState.RUNNING),
            ),
            models.Index(fields=["expires_at"], name="export_expiry"),
        ]

    def __str__(self) -> str:
        return self.title


class ExportPart(models.Model):
    """Some thousand rows of a file, compressed; written once, in the order of `n` from 0."""

    export = models.ForeignKey(
        Export, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    n = models.PositiveIntegerField()
    content = models.BinaryField(help_text="zlib, of UTF-8.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "n"], name="export_part_once")]
