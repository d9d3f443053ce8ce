"""Reading Excel workbooks (.xlsx, .xlsm) record by record, within bounds whatever the file.

A formula counts as the value that was last calculated. Knows nothing of contacts or the database.
Parsing is openpyxl's, with defusedxml; what may be unpacked of the zip is decided here, by what it
declares and again by what really comes out of it.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self
from xml.etree.ElementTree import ParseError

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import WorkSheetParser

from contacts.csvfile import Record
from contacts.errors import FileUnusable

# A sheet of a million rows and ten columns has some 350 MB of XML. Shared strings and styles are
# kept in memory as a whole.
SHEET_BYTES_MAX: Final = 1 << 30
STRINGS_BYTES_MAX: Final = 64 << 20
PART_BYTES_MAX: Final = 8 << 20
# Between two rows: Excel's longest row of longest cells is larger, but no list of people has one,
# and the parser holds a row in memory.
ROW_BYTES_MAX: Final = 12 << 20
ROWS_MAX: Final = 1_048_576
_MARK: Final = b"PK\x03\x04"
_UNREADABLE: Final = (
    "This file cannot be read as an Excel workbook. Open it in Excel, choose “Save as” and “Excel"
    " Workbook (.xlsx)” or “CSV UTF-8”, and upload that. Nothing was imported."
)
_TOO_LARGE: Final = (
    "Unpacked, this workbook is larger than any list of people should be. In Excel, choose “Save"
    " as” and “CSV UTF-8”, and upload that. Nothing was imported."
)
# What zipfile and openpyxl raise at a file that is damaged, locked, or something else; zipfile
# says NotImplementedError of a way of packing that it does not know.
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


class Sheet(NamedTuple):
    """A worksheet: its name, and whether Excel shows it."""

    title: str
    is_visible: bool


class _Part:
    """A file within the zip, read no further than its bounds."""

    def __init__(self, archive: "_Archive", stream: IO[bytes], limit: int) -> None:
        self._archive = archive
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all of them where no size is given."""
        data = self._stream.read(self._left + 1 if size is None or size < 0 else size)
        self._left -= len(data)
        archive = self._archive
        archive.since_row += len(data)
        archive.unpacked += len(data)
        if (
            self._left < 0
            or archive.since_row > archive.row_bytes_max
            or archive.unpacked > archive.unpacked_max
        ):
            raise FileUnusable(_TOO_LARGE)
        return data

    def close(self) -> None:
        """Let go of the zip."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Archive(zipfile.ZipFile):
    """A zip that hands out bounded parts only, by what they are opened for, not by their names.

    `since_row` counts what was unpacked since the last row of a sheet.
    """

    part_bytes_max = PART_BYTES_MAX
    since_row = unpacked = 0
    unpacked_max = SHEET_BYTES_MAX
    row_bytes_max = STRINGS_BYTES_MAX + PART_BYTES_MAX

    def open(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """A part of the workbook, for reading."""
        info = self.getinfo(name)
        if info.file_size > self.part_bytes_max:
            raise FileUnusable(_TOO_LARGE)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Others unpack without bound at a single read.
            raise FileUnusable(_UNREADABLE)
        return _Part(self, super().open(name, *args, **kwargs), self.part_bytes_max)


class _Reader(ExcelReader):
    """openpyxl's reader with a bounded zip, without what a list of people does not need."""

    def __init__(self, file: IO[bytes], *, strings: bool) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self.archive: Any = _Archive(file)
        self.read_manifest()
        if strings:
            self.archive.part_bytes_max = STRINGS_BYTES_MAX
            self.read_strings()
            self.archive.part_bytes_max = PART_BYTES_MAX
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)
        self.sheets = [
            (sheet, rel.target)
            for sheet, rel in self.parser.find_sheets()
            if rel.target in self.valid_files and "chartsheet" not in rel.Type
        ]
        if not self.sheets:
            raise FileUnusable("This workbook has no sheet with cells. Nothing was imported.")

    def rows(self, sheet_no: int, bytes_max: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """(row number, its filled cells) in the order of the sheet."""
        _, target = self.sheets[sheet_no]
        self.archive.part_bytes_max = SHEET_BYTES_MAX
        self.archive.since_row = self.archive.unpacked = 0
        self.archive.unpacked_max = bytes_max
        self.archive.row_bytes_max = ROW_BYTES_MAX
        book: Any = self.wb  # its formats are no part of the declared types
        with self.archive.open(target) as part:
            yield from WorkSheetParser(
                part,
                self.shared_strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
            ).parse()


def is_workbook(path: Path) -> bool:
    """Whether the file is a zip, as workbooks are and no text is."""
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def sheets(path: Path) -> list[Sheet]:
    """The worksheets, in the order of the workbook; at least one.

    Raises:
        FileUnusable: no workbook, or one that unpacks beyond all bounds.
    """
    with path.open("rb") as file, _translated():
        reader = _Reader(file, strings=False)
        return [Sheet(str(sheet.name), sheet.state == "visible") for sheet, _ in reader.sheets]


def records(
    file: IO[bytes], sheet_no: int, *, bytes_max: int = SHEET_BYTES_MAX
) -> Iterator[Record]:
    """Rows of a sheet that are not blank, by their row numbers in Excel.

    Args:
        file: The workbook; its `tell` shows progress.
        sheet_no: Place in `sheets`, from 0.
        bytes_max: How much of the sheet may be unpacked.

    Raises:
        FileUnusable: no workbook, damaged further on, or unpacking beyond all bounds.
    """
    with _translated():
        reader = _Reader(file, strings=True)
        for seen, (number, row) in enumerate(reader.rows(sheet_no, bytes_max), 1):
            reader.archive.since_row = 0
            # A row may claim any number, one that was there before too.
            if seen > ROWS_MAX or not 1 <= number <= ROWS_MAX:
                raise FileUnusable(_UNREADABLE)
            cells = _cells(row)
            if cells:
                yield Record(number, cells, [",".join(map(_quoted, cells))])


def _cells(row: list[dict[str, Any]]) -> list[str]:
    """Texts by column, without blank ones at the end."""
    filled = [(cell["column"], _text(cell["value"], cell["data_type"])) for cell in row]
    filled = [(column, text) for column, text in filled if text]
    if not filled:
        return []
    cells = [""] * max(column for column, _ in filled)
    for column, text in filled:
        cells[column - 1] = text
    return cells


def _text(value: Any, kind: str) -> str:
    """A cell as a person would type it; an error of a formula is no value."""
    if value is None or kind == "e":
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # Excel keeps fifteen digits; a phone number is often a float here.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time() else value)
    return str(value)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileUnusable:
        raise
    except _BROKEN as error:
        raise FileUnusable(_UNREADABLE) from error
