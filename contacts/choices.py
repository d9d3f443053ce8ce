"""Vocabulary of the contacts app."""

from enum import StrEnum
from typing import Final

from django.db.models import TextChoices


class LineType(TextChoices):
    """What kind of line a number is, as far as number metadata tells."""

    MOBILE = "mobile", "Mobile"
    LANDLINE = "landline", "Landline"
    VOIP = "voip", "Internet phone"
    TOLL_FREE = "toll_free", "Toll-free"
    UNKNOWN = "unknown", "Unknown"


class FieldKind(TextChoices):
    """What a field of an account's own holds; how each is read is contacts.field_types'."""

    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    YES_NO = "yes_no", "Yes or no"
    CHOICE = "choice", "One of a list"


class LineSource(TextChoices):
    """Who told a line type that number metadata does not tell."""

    LOOKUP = "lookup", "Looked up at the carrier"


class Consent(TextChoices):
    """The current word on whether a contact may be texted, derived from ConsentEvents."""

    UNKNOWN = "unknown", "Not on record"
    OPTED_IN = "opted_in", "Opted in"
    OPTED_OUT = "opted_out", "Opted out"


class ConsentKind(TextChoices):
    """Direction of a consent event."""

    IN = "in", "Opt-in"
    OUT = "out", "Opt-out"
    UNDO = "undo", "Opt-in taken back"  # its import was undone; see contacts.services.undoing
    VOID = "void", "Opt-out taken back"  # a text was misread; see contacts.services.reviews


class ConsentSource(TextChoices):
    """Where a consent event came from."""

    IMPORT = "import", "Imported list"
    MANUAL = "manual", "Entered by an account user"
    API = "api", "API"
    KEYWORD = "keyword", "Texted a keyword"
    FREE_TEXT = "free_text", "Asked in own words"
    CARRIER = "carrier", "Reported by the carrier"
    FORM = "form", "Public form"
    ERASURE = "erasure", "Asked to be erased"
    PERSON = "person", "Left under another number"


class TimelineKind(TextChoices):
    """What an entry of a person's timeline tells of."""

    SENT = "sent", "Sent"
    RECEIVED = "received", "Received"
    CLICKED = "clicked", "Clicked"
    CONSENT = "consent", "Consent"
    CONTACT = "contact", "Contact"  # added, changed, put into a group


class WayBack(StrEnum):
    """What undoes an opt-out, besides START from the phone itself."""

    PERSON = "person"  # nothing else
    REVIEW = "review"  # it was read out of their own words, and a person may say: misread
    SHOP = "shop"  # the shop entered it, and may correct it with proof


class ImportPurpose(TextChoices):
    """What the people of an imported list are there for."""

    CONTACTS = "contacts", "People to text"
    OPT_OUTS = "opt_outs", "People who must not be texted (opt-outs)"


class ImportStatus(TextChoices):
    """Life of a contact import.

    uploaded --the user confirms the columns--> queued --a worker claims it--> running --> done
    running, of a dry run --> checked --the user confirms--> queued --> running --> done
    checked --the user--> uploaded, to change the columns
    running --heartbeat stale (crash)--> running again, from the first line, under a new run number
    uploaded | queued | running | checked --the user--> canceled
    running --cannot be read--> failed
    done --the user--> undoing --a worker--> undone
    """

    UPLOADED = "uploaded", "Columns to confirm"
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Importing"
    CHECKED = "checked", "To confirm"
    DONE = "done", "Done"
    UNDOING = "undoing", "Being undone"
    UNDONE = "undone", "Undone"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


# Nothing more of such an import is written.
IMPORT_OVER: Final = frozenset(
    {ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.CANCELED, ImportStatus.UNDONE}
)
# Started, and its people are not in its group yet.
IMPORT_COMING: Final = frozenset({ImportStatus.QUEUED, ImportStatus.RUNNING, ImportStatus.CHECKED})


class RefusalReason(TextChoices):
    """Why a row of an import was not taken; the label stands in the table by reason."""

    NO_PHONE = "no_phone", "No phone number"
    BAD_PHONE = "bad_phone", "Impossible phone number"
    BAD_EMAIL = "bad_email", "Not an email address"
    BAD_TIMEZONE = "bad_timezone", "Unknown time zone"
    BAD_VALUE = "bad_value", "Does not fit its field"
    TOO_LONG = "too_long", "A cell is too long"
    EXTRA_CELLS = "extra_cells", "More cells than columns"
    BROKEN_QUOTES = "broken_quotes", "Quotation marks out of place"
    LINE_TOO_LONG = "line_too_long", "The line is too long"
    UNREADABLE = "unreadable", "Characters that cannot be read"
    ERASED = "erased", "Asked to be erased"
