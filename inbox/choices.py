"""Vocabulary of the inbox."""

from django.db.models import TextChoices


class ConversationStatus(TextChoices):
    """Whether somebody still has to look at it."""

    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"
