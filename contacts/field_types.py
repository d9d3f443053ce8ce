"""What a field of an account's own may hold: how each kind is read, kept and said. No database.

A value is kept as text in one form for each kind, so that equal values are equal texts: a number
without separators or idle zeros, a date as 2026-05-03 (which sorts as text), true or false, an
option as the account spells it. In texts a value stands in words: `words` says them, `words_sql`
says the same in a statement, and a launch freezes what that says.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from contacts.choices import FieldKind, RefusalReason
from contacts.fields import (
    CUSTOM_PREFIX,
    CustomReader,
    FieldError,
    clean_custom_value,
    shorten,
)

OPTIONS_MAX: Final = 50
OPTION_LENGTH: Final = 80
_DIGITS_MAX: Final = 30
_NUMBER = re.compile(
    r"([+-]?)([0-9]*|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+)"
    r"(?:\.([0-9]*))?"
)
_YES: Final = frozenset({"yes", "y", "true", "t", "1", "x", "on"})
_NO: Final = frozenset({"no", "n", "false", "f", "0", "off"})
YES_NO_WORDS: Final[Mapping[str, str]] = {"true": "Yes", "false": "No"}
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
# A time behind the day, as spreadsheets write it, is no part of a date.
_TIME = r"(?:[T ]+[0-9]{1,2}:[0-9]{2}.*)?"
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})" + _TIME)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})" + _TIME)
_DAY_MONTH = re.compile(r"([0-9]{1,2})\.? ([A-Za-z]{3,9})\.?,? ([0-9]{4})")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.? ([0-9]{1,2}),? ([0-9]{4})")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Where 5/3/2026 is a day in May: the United States with its islands, and the Philippines.
_MONTH_FIRST: Final = frozenset({"US", "AS", "GU", "MP", "PR", "VI", "FM", "MH", "PW", "PH"})


class FieldType(NamedTuple):
    """What one field holds: a FieldKind, the options of a choice, what the field is called."""

    kind: str
    options: tuple[str, ...] = ()
    label: str = ""


def reader(types: Mapping[str, FieldType], country: str) -> CustomReader:
    """How an account's own fields are read.

    Args:
        types: By key; a field that is not there holds text.
        country: The account's, for 5/3/2026.
    """
    typed = {key: own for key, own in types.items() if own.kind != FieldKind.TEXT}
    if not typed:
        return clean_custom_value  # a million rows pass here; text needs nothing more

    def read(key: str, text: str) -> str:
        text = clean_custom_value(key, text)
        own = typed.get(key)
        if own is None or not text:
            return text
        return value_read(key, own, text, country)

    return read


def value_read(key: str, own: FieldType, text: str, country: str) -> str:
    """A value that is not blank, as its field keeps it.

    Raises:
        FieldError: it does not fit.
    """
    match own.kind:
        case FieldKind.NUMBER:
            kept, like = number_read(text), "is no number. Write it like 12.5"
        case FieldKind.DATE:
            kept, like = _date_read(text, country), "is no date. Write it like 2026-05-03"
        case FieldKind.YES_NO:
            kept, like = _yes_no_read(text), "is neither yes nor no. Write yes or no"
        case FieldKind.CHOICE:
            kept = option_read(own.options, text)
            like = f"is none of its options ({shorten(', '.join(own.options), 80)}). Choose one"
        case _:
            return text
    if kept is None:
        raise FieldError(
            CUSTOM_PREFIX + key,
            RefusalReason.BAD_VALUE,
            f"{own.label or key}: “{shorten(text)}” {like}, or leave it empty.",
        )
    return kept


def number_read(text: str) -> str | None:
    """A number as it is kept: -012,345.50 is -12345.5. None for what is none."""
    found = _NUMBER.fullmatch(text)
    if not found or not (found[2] or found[3]):
        return None
    whole = re.sub(r"[^0-9]", "", found[2]).lstrip("0") or "0"
    part = (found[3] or "").rstrip("0")
    if len(whole) + len(part) > _DIGITS_MAX:
        return None
    number = f"{whole}.{part}" if part else whole
    return f"-{number}" if found[1] == "-" and number != "0" else number


def option_read(options: Sequence[str], text: str) -> str | None:
    """The option that is meant, whatever the case of its letters; None for none of them."""
    return next((one for one in options if one.casefold() == text.casefold()), None)


def options_read(lines: str) -> list[str]:
    """Options as somebody typed them, one a line: without blanks and repetitions, in their order.

    Raises:
        FieldError: too many, one too long, one with a comma.
    """
    options: dict[str, str] = {}
    for line in lines.splitlines():
        option = clean_custom_value("options", line)
        if option:
            options.setdefault(option.casefold(), option)
    for option in options.values():
        if len(option) > OPTION_LENGTH or "," in option:
            raise FieldError(
                "options",
                RefusalReason.BAD_VALUE,
                f"“{shorten(option)}” cannot be an option: at most {OPTION_LENGTH} characters, and"
                " no comma.",
            )
    if len(options) > OPTIONS_MAX:
        raise FieldError(
            "options", RefusalReason.BAD_VALUE, f"A choice has at most {OPTIONS_MAX} options."
        )
    return list(options.values())


def words(kind: str, value: str) -> str:
    """A kept value as texts and pages say it: 3 May 2026, Yes, 12.5."""
    if kind == FieldKind.YES_NO:
        return YES_NO_WORDS.get(value, value)
    if kind == FieldKind.DATE and _ISO.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return value
        return f"{day.day} {_MONTHS[day.month - 1][:3].title()} {day.year:04}"
    return value


def words_sql(kind: str, value: str) -> str:
    """SQL of `words` of a value, itself SQL of a text without a percent sign of its own.

    NULL is the empty text. Nothing that is stored can make it fail.
    """
    if kind == FieldKind.YES_NO:
        return f"CASE {value} WHEN 'true' THEN 'Yes' WHEN 'false' THEN 'No' {_else(value)}"
    if kind == FieldKind.DATE:
        return (
            f"CASE WHEN {value} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' "
            f"AND pg_input_is_valid({value}, 'date') "
            f"THEN to_char({value}::date, 'FMDD Mon YYYY') {_else(value)}"
        )
    return f"coalesce({value}, '')"


def _else(value: str) -> str:
    return f"ELSE coalesce({value}, '') END"


def _yes_no_read(text: str) -> str | None:
    folded = text.casefold()
    if folded in _YES:
        return "true"
    return "false" if folded in _NO else None


def _date_read(text: str, country: str) -> str | None:
    if found := _YEAR_FIRST.fullmatch(text):
        return _date(found[1], found[2], found[3])
    if found := _YEAR_LAST.fullmatch(text):
        is_month_first = country in _MONTH_FIRST and found[2] != "."
        month, day = (found[1], found[3]) if is_month_first else (found[3], found[1])
        return _date(found[4], month, day)
    if found := _DAY_MONTH.fullmatch(text):
        return _date(found[3], _month(found[2]), found[1])
    if found := _MONTH_DAY.fullmatch(text):
        return _date(found[3], _month(found[1]), found[2])
    return None


def _month(name: str) -> str:
    folded = name.lower()
    return str(next((no for no, month in enumerate(_MONTHS, 1) if month.startswith(folded)), 0))


def _date(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
