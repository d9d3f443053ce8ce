"""Vocabulary of the contacts app."""

from django.db.models import TextChoices


class LineType(TextChoices):
    """What kind of line a number is, as far as number metadata tells."""

    MOBILE = "mobile", "Mobile"
    LANDLINE = "landline", "Landline"
    VOIP = "voip", "Internet phone"
    TOLL_FREE = "toll_free", "Toll-free"
    UNKNOWN = "unknown", "Unknown"


class Consent(TextChoices):
    """The current word on whether a contact may be texted, derived from ConsentEvents."""

    UNKNOWN = "unknown", "Not on record"
    OPTED_IN = "opted_in", "Opted in"
    OPTED_OUT = "opted_out", "Opted out"


class ConsentKind(TextChoices):
    """Direction of a consent event."""

    IN = "in", "Opt-in"
    OUT = "out", "Opt-out"


class ConsentSource(TextChoices):
    """Where a consent event came from."""

    IMPORT = "import", "Imported list"
    MANUAL = "manual", "Entered by an account user"
    API = "api", "API"
    KEYWORD = "keyword", "Texted a keyword"
    FREE_TEXT = "free_text", "Asked in own words"
    CARRIER = "carrier", "Reported by the carrier"
    FORM = "form", "Public form"


class ImportStatus(TextChoices):
    """Life of a contact import."""

    UPLOADED = "uploaded", "Waiting"
    RUNNING = "running", "Importing"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
