"""Vocabulary of the accounts app."""

from collections.abc import Mapping
from typing import Final

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


class TemplateRule(TextChoices):
    """Whose blasts must be, word for word, a template that an admin approved."""

    FREE = "free", "Nobody: everybody writes freely"
    MARKETERS = "marketers", "Marketers; admins write freely"
    EVERYBODY = "everybody", "Everybody, programs too"


class Scope(TextChoices):
    """What an API key may do."""

    READ = "read", "Read everything"
    WRITE = "write", "Change contacts, groups, campaigns and blasts"
    SEND = "send", "Send messages and launch blasts"
    ERASE = "erase", "Erase people for good, who asked to be forgotten"


class CreditKind(TextChoices):
    """Why credits moved. Each takes them from one pocket to another (`POCKETS`)."""

    TRIAL = "trial", "Trial credits"
    PURCHASE = "purchase", "Purchase"
    GRANT = "grant", "Granted by staff"
    RESERVE = "reserve", "Reserved"
    SETTLE = "settle", "Used"
    RELEASE = "release", "Released, not used"
    ADJUST = "adjust", "Adjusted to the carrier's count"
    REFUND = "refund", "Paid back"


class Pocket(TextChoices):
    """Where credits can be. What one gains another loses, so all of them together hold nothing."""

    ISSUED = "issued", "Issued"  # the platform's: minus what was ever given to the account
    AVAILABLE = "available", "Left"  # Account.credit_balance
    HELD = "held", "Held"  # Account.credit_held
    USED = "used", "Used"


# From where to where a movement of each kind goes; an adjustment either way.
POCKETS: Final[Mapping[str, tuple[Pocket, Pocket]]] = {
    CreditKind.TRIAL: (Pocket.ISSUED, Pocket.AVAILABLE),
    CreditKind.PURCHASE: (Pocket.ISSUED, Pocket.AVAILABLE),
    CreditKind.GRANT: (Pocket.ISSUED, Pocket.AVAILABLE),
    CreditKind.REFUND: (Pocket.AVAILABLE, Pocket.ISSUED),
    CreditKind.RESERVE: (Pocket.AVAILABLE, Pocket.HELD),
    CreditKind.SETTLE: (Pocket.HELD, Pocket.USED),
    CreditKind.RELEASE: (Pocket.HELD, Pocket.AVAILABLE),
    CreditKind.ADJUST: (Pocket.AVAILABLE, Pocket.USED),
}


class Currency(TextChoices):
    """What packages are sold for. Stripe's names; each has a hundred of its smallest unit."""

    USD = "usd", "US dollar"
    CAD = "cad", "Canadian dollar"
    EUR = "eur", "Euro"
    GBP = "gbp", "Pound sterling"


class PurchaseEnd(TextChoices):
    """Why a purchase that was begun came to nothing."""

    EXPIRED = "expired", "Not paid in time"
    FAILED = "failed", "The payment failed"


class DisputeState(TextChoices):
    """Whose the money is while a buyer's bank asks for it back."""

    INQUIRY = "inquiry", "Asked about"  # nothing was taken
    OPEN = "open", "Disputed"  # the bank has it
    WON = "won", "Won"  # it came back
    LOST = "lost", "Lost"  # the bank keeps it


# What acts in the audit trail are about (`<kind>.<done>`), by area, as its filter names them.
AUDIT_KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Sending": {
        "blast": "Blasts",
        "series": "Repeating blasts",
        "approval": "Approvals",
        "batch": "Sends paused, resumed, canceled",
        "campaign": "Campaigns",
        "text": "Saved texts",
        "media": "Pictures",
        "links": "Links",
        "conversation": "Inbox",
    },
    "People": {
        "contact": "One contact",
        "contacts": "Many contacts at once",
        "consent": "Opt-outs looked through",
        "optin": "Ways to join",
        "lines": "Line types",
        "group": "Groups",
        "tag": "Tags",
        "field": "Fields",
        "import": "Imports",
    },
    "Account": {
        "account": "Account settings",
        "member": "Team",
        "api_key": "API keys",
        "sender": "Numbers",
        "carrier": "Carrier accounts",
        "number": "Verified phones",
        "credits": "Credits",
        "export": "Exports",
    },
}
AUDIT_KIND_NAMES: Final = frozenset(kind for kinds in AUDIT_KINDS.values() for kind in kinds)
