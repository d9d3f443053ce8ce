"""Vocabulary of exports."""

from django.db.models import TextChoices


class ExportState(TextChoices):
    """Life of an export; drawn in `exports.models.Export`."""

    RUNNING = "running", "Being made"
    DONE = "done", "Ready"
    FAILED = "failed", "Failed"
