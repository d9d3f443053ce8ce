"""What a contact's fields may hold, and how what people type becomes it. No database.

One cleaning for forms, API and import, so that they refuse the same things in the same words.
Phones themselves are read by common.phone.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from zoneinfo import available_timezones

from common.phone import Phone, PhoneError, normalise
from contacts.choices import RefusalReason

TEXT_LENGTHS: Final[Mapping[str, int]] = {"first_name": 80, "last_name": 80, "email": 254}
LABELS: Final[Mapping[str, str]] = {
    "phone": "Phone",
    "first_name": "First name",
    "last_name": "Last name",
    "email": "Email",
    "timezone": "Time zone",
}
CUSTOM_PREFIX: Final = "custom."
CUSTOM_VALUE_LENGTH: Final = 500
CUSTOM_FIELDS_MAX: Final = 50
_CUSTOM_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Not a full grammar (an address may be stranger than any pattern), only what is surely a mistake.
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
# Control characters have no place in a name; PostgreSQL takes no NUL and no lone surrogate.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_ZONES: Final = {name.lower(): name for name in available_timezones()}


class FieldError(ValueError):
    """A value that a field cannot hold: which field, why (as import refusals say it), in words."""

    def __init__(self, field: str, reason: RefusalReason, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.reason = reason
        self.sentence = sentence


# (key of a field of the account's own, what was typed) -> what is kept of it; raises FieldError.
CustomReader = Callable[[str, str], str]


class Person(NamedTuple):
    """Cleaned fields of one contact, in the order of ImportRow's columns."""

    phone: str
    first_name: str
    last_name: str
    email: str
    timezone: str
    custom: Mapping[str, str]
    line_type: str
    region: str


def clean(raw: Mapping[str, Any], *, country: str, read: CustomReader) -> Person:
    """Clean all fields of a contact, stopping at the first that cannot be used.

    Args:
        raw: ``phone``, and any of first_name, last_name, email, timezone, custom (key to value).
        country: Where a number without + is dialled (ISO 3166, two letters).
        read: How the account's own fields are read (contacts.field_types).

    Raises:
        FieldError: a value cannot be used.
    """
    phone = clean_phone(_text("phone", raw.get("phone")), country)
    return Person(
        phone=phone.e164,
        first_name=clean_text("first_name", _text("first_name", raw.get("first_name"))),
        last_name=clean_text("last_name", _text("last_name", raw.get("last_name"))),
        email=clean_email(_text("email", raw.get("email"))),
        timezone=clean_timezone(_text("timezone", raw.get("timezone"))),
        custom=clean_custom(raw.get("custom") or {}, read),
        line_type=phone.line_type,
        region=phone.region,
    )


def clean_phone(text: str, country: str) -> Phone:
    """The number and what metadata knows of it.

    Raises:
        FieldError: empty, or no number that can be texted.
    """
    if not text.strip():
        raise FieldError("phone", RefusalReason.NO_PHONE, "The phone number is missing.")
    try:
        return normalise(text, country)
    except PhoneError as error:
        raise FieldError("phone", RefusalReason.BAD_PHONE, error.message) from error


def clean_text(field: str, text: str) -> str:
    """A name: one line, no surrounding space, within the field's length.

    Raises:
        FieldError: too long.
    """
    if not text:
        return ""
    text = _one_line(text)
    limit = TEXT_LENGTHS[field]
    if len(text) > limit:
        raise _too_long(field, LABELS[field], limit)
    return text


def clean_email(text: str) -> str:
    """An email address, or an empty string.

    Raises:
        FieldError: too long, or surely no address.
    """
    text = clean_text("email", text)
    if text and not _EMAIL.fullmatch(text):
        raise FieldError(
            "email",
            RefusalReason.BAD_EMAIL,
            f"“{shorten(text)}” is not an email address. Correct it or leave it empty.",
        )
    return text


def clean_timezone(text: str) -> str:
    """An IANA time zone name, in its usual spelling, or an empty string.

    Raises:
        FieldError: no such zone.
    """
    if not text:
        return ""
    text = _one_line(text)
    if not text:
        return ""
    zone = _ZONES.get(text.lower().replace(" ", "_"))
    if zone is None:
        raise FieldError(
            "timezone",
            RefusalReason.BAD_TIMEZONE,
            f"“{shorten(text)}” is not a time zone. Write it like America/New_York, or leave it"
            " empty.",
        )
    return zone


def clean_custom(values: Any, read: CustomReader) -> dict[str, str]:
    """Custom fields without the blank ones.

    Raises:
        FieldError: no mapping, a key that is no slug, too many keys, a value that is too long or
            does not fit its field.
    """
    if not isinstance(values, Mapping):
        raise _unreadable("custom", "The custom fields")
    if len(values) > CUSTOM_FIELDS_MAX:
        raise FieldError(
            "custom",
            RefusalReason.TOO_LONG,
            f"A contact can have at most {CUSTOM_FIELDS_MAX} fields of its own.",
        )
    cleaned = {}
    for key, value in values.items():
        if not _CUSTOM_KEY.fullmatch(key):
            raise FieldError(
                "custom",
                RefusalReason.UNREADABLE,
                f"“{shorten(key)}” cannot be a field's name. Use small letters, digits and _, and"
                " begin with a letter.",
            )
        text = read(key, _text("custom", value))
        if text:
            cleaned[key] = text
    return cleaned


def clean_custom_value(key: str, text: str) -> str:
    """The text of a custom field whose key is known to be one.

    Raises:
        FieldError: too long.
    """
    if not text:
        return ""
    text = _one_line(text)
    if len(text) > CUSTOM_VALUE_LENGTH:
        raise _too_long("custom", key, CUSTOM_VALUE_LENGTH)
    return text


def custom_key(label: str) -> str:
    """A field key for a column heading: ``Loyalty points`` is ``loyalty_points``; "" if none."""
    ascii_text = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    key = re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_")
    if key and not key[0].isalpha():
        key = f"field_{key}"
    return key[:40].rstrip("_")


def split_name(text: str) -> tuple[str, str]:
    """First and last name of a full one: ``Lee, Ann`` and ``Ann Lee`` are both (Ann, Lee)."""
    text = _one_line(text)
    last, comma, first = text.partition(",")
    if comma:
        return first.strip(), last.strip()
    first, _, last = text.partition(" ")
    return first, last.strip()


def shorten(text: str, limit: int = 40) -> str:
    """`text` on one line, cut to `limit` characters, for sentences."""
    text = _one_line(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(text: str) -> str:
    text = text.strip()
    return text if text.isprintable() else _CONTROL.sub(" ", text).strip()


def _text(field: str, value: Any) -> str:
    """What JSON may hold as text: words and numbers, not lists or objects."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise _unreadable(field, LABELS.get(field, "A custom field"))
    return str(value)


def _unreadable(field: str, label: str) -> FieldError:
    return FieldError(field, RefusalReason.UNREADABLE, f"{label} cannot be read.")


def _too_long(field: str, label: str, limit: int) -> FieldError:
    return FieldError(
        field, RefusalReason.TOO_LONG, f"{label} is longer than {limit} characters. Shorten it."
    )
