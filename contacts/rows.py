"""From a record's cells to a clean person or a refusal: the inner loop of an import, pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii as _quoted

from contacts import fields
from contacts.choices import RefusalReason
from contacts.columns import FULL_NAME
from contacts.csvfile import Record
from contacts.fields import CUSTOM_PREFIX, CustomReader, FieldError, Person


class RowReader:
    """Reads records of one mapping.

    Args:
        mapping: One entry a column (see contacts.columns).
        country: Where numbers without + are dialled.
        read: How the account's own fields are read.
    """

    def __init__(self, mapping: Sequence[str], country: str, read: CustomReader) -> None:
        self._width = len(mapping)
        self._country = country
        self._read = read
        at = {target: i for i, target in enumerate(mapping) if target}
        # A column that the file does not have is the blank that `person` puts behind the last one.
        self._phone, self._first, self._last, self._full, self._email, self._timezone = (
            at.get(target, self._width)
            for target in ("phone", "first_name", "last_name", FULL_NAME, "email", "timezone")
        )
        self._has_full = FULL_NAME in at
        self._custom = [
            (target[len(CUSTOM_PREFIX) :], i)
            for target, i in at.items()
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
        cells = [*cells, *[""] * (self._width + 1 - len(cells))]
        phone = fields.clean_phone(cells[self._phone], self._country)
        first, last = cells[self._first], cells[self._last]
        if self._has_full:
            first, last = fields.split_name(cells[self._full])
        return Person(
            phone.e164,
            fields.clean_text("first_name", first),
            fields.clean_text("last_name", last),
            fields.clean_email(cells[self._email]),
            fields.clean_timezone(cells[self._timezone]),
            {key: value for key, i in self._custom if (value := self._read(key, cells[i]))},
            phone.line_type,
            phone.region,
        )


class CopyBuffer:
    """Rows in PostgreSQL's CSV format, for COPY (with FORCE_NOT_NULL on columns of text)."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)
        self.rows = 0

    def person(self, import_id: int, line: int, person: Person) -> None:
        """Add a row of staging."""
        self.add(
            (import_id, line, *person[:5], _json(person.custom), person.line_type, person.region)
        )

    def add(self, row: Sequence[object]) -> None:
        """Add a row as it is."""
        self._writer.writerow(row)
        self.rows += 1

    def stream(self) -> io.StringIO:
        """The rows, to be read from their beginning."""
        self._text.seek(0)
        return self._text


def _json(texts: Mapping[str, str]) -> str:
    """What json.dumps makes of it, in a fifth of the time: that sets up an encoder a call."""
    return "{" + ", ".join(f"{_quoted(key)}: {_quoted(text)}" for key, text in texts.items()) + "}"
