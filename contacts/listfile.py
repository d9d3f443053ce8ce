"""An uploaded list as records, whether it is a CSV file or a sheet of a workbook."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from contacts import csvfile, workbook
from contacts.csvfile import Fault, Record

_SAMPLE_RECORDS = 50
# A sample is read within a request.
_SAMPLE_BYTES = 64 << 20


class Shape(NamedTuple):
    """How a list is written: `sheet_no` of a workbook, or encoding and separator of a text."""

    encoding: str = ""
    delimiter: str = ""
    sheet_no: int | None = None


class OpenList(NamedTuple):
    """Records in the order of the file, and the file itself, whose `tell` shows progress."""

    records: Iterator[Record | Fault]
    file: IO[bytes]


def detect(path: Path) -> Shape:
    """How the file is written, by what it begins with; of a workbook the first visible sheet.

    Raises:
        FileUnusable: empty, or neither text nor workbook.
    """
    if workbook.is_workbook(path):
        found = workbook.sheets(path)
        visible = [at for at, sheet in enumerate(found) if sheet.is_visible]
        return Shape(sheet_no=visible[0] if visible else 0)
    encoding = csvfile.encoding_detect(path)
    return Shape(encoding, csvfile.delimiter_detect(csvfile.text_head(path, encoding)))


@contextmanager
def open_list(
    path: Path, shape: Shape, *, sheet_bytes_max: int = workbook.SHEET_BYTES_MAX
) -> Iterator[OpenList]:
    """The list, opened.

    Raises:
        FileNotFoundError: it is gone.
        FileUnusable: a workbook that cannot be read, also while its records are read.
    """
    if shape.sheet_no is not None:
        with path.open("rb") as file:
            found = workbook.records(file, shape.sheet_no, bytes_max=sheet_bytes_max)
            yield OpenList(found, file)
    else:
        raw, text = csvfile.open_text(path, shape.encoding)
        with raw, text:
            yield OpenList(csvfile.records(text, shape.delimiter), raw)


def sample(path: Path, shape: Shape) -> list[Record]:
    """The first 50 records that can be read."""
    found = []
    with open_list(path, shape, sheet_bytes_max=_SAMPLE_BYTES) as opened:
        for record in opened.records:
            if isinstance(record, Record):
                found.append(Record(record.line, record.cells, list(record.raw)))
                if len(found) == _SAMPLE_RECORDS:
                    break
    return found
