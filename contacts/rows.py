"""From a record's cells to a clean person or a refusal: the inner loop of an import, pure."""

import csv
import io
import json
from collections.abc import Sequence

from contacts import fields
from contacts.choices import RefusalReason
from contacts.columns import FULL_NAME
from contacts.csvfile import Record
from contacts.fields import CUSTOM_PREFIX, FieldError, Person


class RowReader:
    """Reads records of one mapping.

    Args:
        mapping: One entry a column (see contacts.columns).
        country: Where numbers without + are dialled.
    """

    def __init__(self, mapping: Sequence[str], country: str) -> None:
        self._width = len(mapping)
        self._country = country
        self._at = {target: i for i, target in enumerate(mapping) if target}
        self._custom = [
            (target[len(CUSTOM_PREFIX) :], i)
            for target, i in self._at.items()
            if target.startswith(CUSTOM_PREFIX)
        ]

    def person(self, record: Record) -> Person:
        """The person of a record.

        Raises:
            FieldError: the row cannot be taken, and why.
        """
        cells = record.cells
        if len(cells) > self._width and any(cells[self._width :]):
            raise FieldError(
                "",
                RefusalReason.EXTRA_CELLS,
                f"This line has {len(cells)} cells and the file has {self._width} columns. A"
                " separator inside a cell needs quotation marks around the cell.",
            )
        cells = cells + [""] * (self._width - len(cells))
        phone = fields.clean_phone(self._cell(cells, "phone"), self._country)
        first, last = self._names(cells)
        return Person(
            phone.e164,
            fields.clean_text("first_name", first),
            fields.clean_text("last_name", last),
            fields.clean_email(self._cell(cells, "email")),
            fields.clean_timezone(self._cell(cells, "timezone")),
            fields.clean_custom({key: cells[i] for key, i in self._custom}) if self._custom else {},
            phone.line_type,
            phone.region,
        )

    def _names(self, cells: Sequence[str]) -> tuple[str, str]:
        if FULL_NAME in self._at:
            return fields.split_name(cells[self._at[FULL_NAME]])
        return self._cell(cells, "first_name"), self._cell(cells, "last_name")

    def _cell(self, cells: Sequence[str], target: str) -> str:
        i = self._at.get(target)
        return "" if i is None else cells[i]


class CopyBuffer:
    """Rows in PostgreSQL's CSV format, for COPY (with FORCE_NOT_NULL on columns of text)."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)
        self.rows = 0

    def person(self, import_id: int, line: int, person: Person) -> None:
        """Add a row of staging."""
        self.add(
            (import_id, line, *person[:5], json.dumps(person.custom) if person.custom else "{}",
             person.line_type, person.region)
        )  # fmt: skip

    def add(self, row: Sequence[object]) -> None:
        """Add a row as it is."""
        self._writer.writerow(row)
        self.rows += 1

    def stream(self) -> io.StringIO:
        """The rows, to be read from their beginning."""
        self._text.seek(0)
        return self._text
