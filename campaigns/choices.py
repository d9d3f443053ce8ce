"""Vocabulary of the campaigns app."""

from django.db.models import TextChoices


class BlastState(TextChoices):
    """Life of a blast: draft -> scheduled -> launched; what happens then is its batch's state."""

    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    LAUNCHED = "launched", "Sent"
    CANCELED = "canceled", "Canceled"
    FAILED = "failed", "Could not be sent"


class TextKind(TextChoices):
    """What a saved text is for."""

    TEMPLATE = "template", "Template"  # a whole text, to begin a blast with
    SNIPPET = "snippet", "Snippet"  # a few words, to put into one
