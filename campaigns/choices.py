"""Vocabulary of the campaigns app."""

from django.db.models import TextChoices


class BlastState(TextChoices):
    """Life of a blast: draft -> scheduled -> launched; what happens then is its batch's state."""

    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    LAUNCHED = "launched", "Sent"
    CANCELED = "canceled", "Canceled"
    FAILED = "failed", "Could not be sent"
    REPEATING = "repeating", "Repeats"


class TextKind(TextChoices):
    """What a saved text is for."""

    TEMPLATE = "template", "Template"  # a whole text, to begin a blast with
    SNIPPET = "snippet", "Snippet"  # a few words, to put into one


class ApprovalState(TextChoices):
    """Life of an approval: requested -> approved | rejected; requested | approved -> void."""

    REQUESTED = "requested", "Waits for approval"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Refused"
    VOID = "void", "No longer holds"


class Every(TextChoices):
    """Unit of a repeating blast's interval."""

    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"


class SeriesState(TextChoices):
    """Life of a repeating blast: draft -> running <-> paused -> ended."""

    DRAFT = "draft", "Not started"
    RUNNING = "running", "Repeats"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"
