"""Rows as a CSV file for spreadsheets: streamed, and nothing in it is run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import CharField, F, Func

from common.phone import is_e164

# A cell that begins like this is run as a formula by spreadsheets (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file whose write gives the text back: csv.writer as a generator."""

    def write(self, text: str) -> str:
        """The text as it came."""
        return text


def csv_lines(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of the file, its heading first; the byte order mark tells Excel it is UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(heading)
    for row in rows:
        yield writer.writerow([_safe(cell) for cell in row])


def _safe(cell: object) -> object:
    """A phone keeps its plus: digits alone compute nothing."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_STARTS):
        return cell
    return cell if is_e164(cell) else f"'{cell}"


class SafeText(Func):
    """A column of text as PostgreSQL writes it into such a file; nothing where it is empty."""

    template = (
        "CASE WHEN left(%(expressions)s, 1) IN ("
        + ", ".join(f"chr({ord(start)})" for start in _FORMULA_STARTS)
        + ") THEN chr(39) || %(expressions)s ELSE nullif(%(expressions)s, '') END"
    )

    def __init__(self, column: str) -> None:
        """For a column that holds no phones, which keep their plus."""
        super().__init__(F(column), output_field=CharField())
