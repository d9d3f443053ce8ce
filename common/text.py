"""What people type into boxes and addresses, and forms hold, before anything is made of it."""

from collections.abc import Iterable
from typing import Final

# More do not fit into a whole number of the database.
_MOST_DIGITS: Final = 18
# Each word of a search is one more condition on every row.
_SEARCH_LENGTH: Final = 80


def typed(text: str) -> str:
    """`text` without NUL characters, which PostgreSQL refuses, and without space at its ends."""
    return text.replace("\0", "").strip()


def searched(text: str) -> str:
    """What was typed into a search: no more words than a list can be asked for."""
    return typed(text)[:_SEARCH_LENGTH]


def whole_number(text: str) -> int | None:
    """The id or count that `text` is; None where it is none, or larger than any."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_one else None


def ids_typed(values: Iterable[object] | None) -> list[int]:
    """Ids as a form holds them, in order, each once; what is no id is left out."""
    found = (whole_number(str(value)) for value in values or ())
    return list(dict.fromkeys(number for number in found if number is not None))


def plain_lines(text: str) -> str:
    """`text` without NUL characters, and with line ends of one character.

    Browsers send CRLF; carriers bill both characters, and a phone shows one break either way.
    """
    return text.replace("\r\n", "\n").replace("\0", "")
