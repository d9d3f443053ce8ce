"""From a record's cells to a clean person or a refusal: the inner loop of an import, pure."""

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
    """Rows in PostgreSQL's text format, for COPY."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @property
    def rows(self) -> int:
        """How many they are."""
        return len(self._lines)

    def person(self, import_id: int, line: int, person: Person) -> None:
        """Add a row of staging. Cleaned fields hold neither tabs nor ends of lines."""
        phone, first, last, email, timezone, custom, line_type, region = person
        text = (
            f"{import_id}\t{line}\t{phone}\t{first}\t{last}\t{email}\t{timezone}\t{_json(custom)}"
            f"\t{line_type}\t{region}\n"
        )
        self._lines.append(text.replace("\\", "\\\\") if "\\" in text else text)

    def refusal(self, import_id: int, line: int, reason: str, sentence: str, raw: str) -> None:
        """Add a row of refusals."""
        self._lines.append(
            f"{import_id}\t{line}\t{reason}\t{_escaped(sentence)}\t{_escaped(raw)}\n"
        )

    def stream(self) -> io.BytesIO:
        """The rows, to be read from their beginning."""
        return io.BytesIO("".join(self._lines).encode())


def _json(texts: Mapping[str, str]) -> str:
    """What json.dumps makes of it, in a fifth of the time: that sets up an encoder a call."""
    return "{" + ", ".join(f"{_quoted(key)}: {_quoted(text)}" for key, text in texts.items()) + "}"


def _escaped(text: str) -> str:
    """What may hold anything but NUL, as COPY wants it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
