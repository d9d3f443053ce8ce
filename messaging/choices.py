"""Vocabulary of messaging: one meaning per word, the same in rows, reports and the API."""

from typing import Final

from django.db.models import TextChoices

# Differences from a carrier's records that are kept of a blast; one more says that there are more.
DIFFERENCES_SHOWN: Final = 200


class Direction(TextChoices):
    """Which way a message went."""

    OUT = "out", "Sent"
    IN = "in", "Received"


class DriftSide(TextChoices):
    """Who knows of an opt-out that the other side does not."""

    HERE = "here", "Only here"
    THERE = "there", "Only at the carrier"


class MessageState(TextChoices):
    """Where a message stands; drawn in `messaging.models.Message`."""

    PENDING = "pending", "Waiting"  # nobody has asked the carrier yet
    UNKNOWN = "unknown", "Unknown"  # the carrier's answer was lost; never re-sent by itself
    ACCEPTED = "accepted", "Accepted"  # the carrier took it
    SENT = "sent", "Sent"  # the carrier handed it on; may be its last word
    DELIVERED = "delivered", "Delivered"  # the phone's carrier says it arrived
    UNDELIVERED = "undelivered", "Not delivered"  # handed on, came back
    FAILED = "failed", "Failed"  # taken by the carrier, never left it
    REFUSED = "refused", "Refused"  # not taken by the carrier
    SKIPPED = "skipped", "Not texted"  # we did not ask the carrier, see the reason
    RECEIVED = "received", "Received"  # inbound


class Reason(TextChoices):
    """Why a message was skipped, refused or not delivered. Empty where nothing went wrong."""

    # Skipped, by us
    OPTED_OUT = "opted_out", "Opted out"
    NO_CONSENT = "no_consent", "No consent on record"
    LANDLINE = "landline", "Landline"
    DUPLICATE = "duplicate", "Duplicate"
    BLANK_FIELD = "blank_field", "Blank merge field"
    INVALID_NUMBER = "invalid_number", "Impossible number"
    UNVERIFIED_TRIAL = "unverified_trial", "Trial: number not verified"
    EMAIL_UNVERIFIED = "email_unverified", "Email not verified"
    QUIET_HOURS_MISSED = "quiet_hours_missed", "Allowed hours passed"
    CAPPED = "capped", "Texted too often"
    NO_CREDITS = "no_credits", "No credits"
    SUSPENDED = "suspended", "Account suspended"
    CANCELED = "canceled", "Canceled"
    TOO_LONG = "too_long", "Longer than 1,600 characters"
    GIVEN_UP = "given_up", "Time was up"
    DELETED = "deleted", "Contact deleted"
    # Refused or not delivered, by carriers
    UNREACHABLE = "unreachable", "Phone unreachable"
    BLOCKED = "blocked", "Blocked"
    FILTERED = "filtered", "Filtered as spam"
    BAD_SENDER = "bad_sender", "Sender cannot be used"
    REGION = "region", "Country not enabled"
    RATE = "rate", "Over a carrier's limit"
    MEDIA = "media", "Picture not passed on"
    EXPIRED = "expired", "Expired"
    CARRIER_ACCOUNT = "carrier_account", "Carrier account problem"
    PROVIDER = "provider", "Carrier problem"
    OTHER = "other", "Other"


class Happened(TextChoices):
    """What is counted over time; final states under their own names (`messaging.activity`)."""

    ACCEPTED = "accepted", "Accepted"  # the carrier took it
    DELIVERED = "delivered", "Delivered"
    UNDELIVERED = "undelivered", "Not delivered"
    FAILED = "failed", "Failed"
    REFUSED = "refused", "Refused"
    CLICKED = "clicked", "Clicked"  # a person's first click
    REPLIED = "replied", "Replied"  # first reply, other than with opt-out words
    OPTED_OUT = "opted_out", "Left"


class TextType(TextChoices):
    """What is priced: words by the segment, or a message with pictures as a whole."""

    SMS = "sms", "Text, a segment"
    MMS = "mms", "Picture message"


class InboundMediaState(TextChoices):
    """What became of a file that came in."""

    WAITING = "waiting", "Waiting"  # to be fetched from the carrier
    STORED = "stored", "Stored"
    REFUSED = "refused", "Refused"  # cannot be had: too large, gone, not at the carrier


class BatchKind(TextChoices):
    """What asked for the messages."""

    BLAST = "blast", "Blast"
    REPLY = "reply", "Inbox reply"
    WRITE = "write", "Inbox text"  # to somebody who never wrote to us
    API = "api", "API message"
    AUTO = "auto", "Automatic answer"  # opt-out confirmation, HELP
    OPTIN = "optin", "Opt-in by form"  # asks a phone for its YES, or confirms
    TEST = "test", "Test or verification"


class BatchState(TextChoices):
    """Life of a batch: running <-> paused -> done; canceled skips what is still pending."""

    RUNNING = "running", "Sending"
    PAUSED = "paused", "Paused"
    CANCELED = "canceled", "Canceled"
    DONE = "done", "Done"


class ChunkState(TextChoices):
    """Life of a chunk: ready -> leased -> ready ... -> done; an expired lease is judged first."""

    READY = "ready", "Ready"
    LEASED = "leased", "Leased"
    DONE = "done", "Done"


class Outcome(TextChoices):
    """What one request to a carrier came to."""

    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"  # with a reason; the message was not taken
    RETRYABLE = "retryable", "Retryable"  # proven not processed (429)
    UNKNOWN = "unknown", "Unknown"  # timeout, reset, 5xx: may have been taken


class LookupRunState(TextChoices):
    """Where look-ups of line types stand; drawn in `messaging.models.LookupRun`."""

    RUNNING = "running", "Being looked up"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class LookupState(TextChoices):
    """Where one number of them stands; drawn in `messaging.models.Lookup`."""

    WAITING = "waiting", "Waiting"
    ASKED = "asked", "Asked"
    TOLD = "told", "Told"
    REFUSED = "refused", "Not taken"
    LOST = "lost", "Answer lost"


class EventKind(TextChoices):
    """What a carrier's webhook told."""

    STATUS = "status", "Status"
    INBOUND = "inbound", "Inbound"
    CLICK = "click", "Click"


class EventEnd(TextChoices):
    """How an event ended when it was not simply applied."""

    SET_ASIDE = "set_aside", "Set aside"  # could not be applied; its error says why


class SenderKind(TextChoices):
    """What kind of number an account texts from; see `messaging.sender_kinds`."""

    LOCAL = "local", "Local number"  # a ten-digit long code
    TOLL_FREE = "toll_free", "Toll-free number"
    SHORT_CODE = "short_code", "Short code"


class GatewayName(TextChoices):
    """Carriers that have a gateway."""

    TWILIO = "twilio", "Twilio"


class Priority:
    """Order of work inside an account; lower goes first."""

    REPLY = 0
    SINGLE = 10
    BULK_FIRST = 15
    BULK = 20
