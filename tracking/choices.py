"""Vocabulary of the tracking app."""

from django.db.models import TextChoices


class Verdict(TextChoices):
    """Who was behind a hit on a short link."""

    PENDING = "pending", "Not judged yet"
    HUMAN = "human", "Person"
    PREVIEW = "preview", "Preview robot"
    SCANNER = "scanner", "Scanner"
    UNSURE = "unsure", "Unsure"
