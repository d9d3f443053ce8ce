"""Vocabulary of the accounts app."""

from django.db.models import TextChoices


class AccountStatus(TextChoices):
    """What an account may do with the outside world."""

    TRIAL = "trial", "Trial"  # on a real carrier: texts only to numbers it verified
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"  # nothing is sent


class Role(TextChoices):
    """What a member may do. Each role includes the ones after it."""

    OWNER = "owner", "Owner"  # everything, also giving the account away
    ADMIN = "admin", "Admin"  # team, numbers, credits, keys, settings
    MARKETER = "marketer", "Marketer"  # contacts, campaigns, sending, inbox
    VIEWER = "viewer", "Viewer"  # reads


class Scope(TextChoices):
    """What an API key may do."""

    READ = "read", "Read everything"
    WRITE = "write", "Change contacts, groups, campaigns and blasts"
    SEND = "send", "Send messages and launch blasts"


class CreditKind(TextChoices):
    """Why the balance moved. Each has a fixed sign (see CreditEntry)."""

    TRIAL = "trial", "Trial credits"
    PURCHASE = "purchase", "Purchase"
    GRANT = "grant", "Granted by staff"
    RESERVE = "reserve", "Reserved for a send"
    SETTLE = "settle", "Used"
    RELEASE = "release", "Released, not used"
    ADJUST = "adjust", "Adjusted to the carrier's count"
    REFUND = "refund", "Refund"
