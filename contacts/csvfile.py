"""Reading CSV files as people send them: encoding, separator, heading, and records one by one.

Knows nothing of contacts or the database. Memory is bounded whatever the file: a line longer than
a million characters, or a quotation mark that is never closed, costs that line and not the file.
"""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

import charset_normalizer

from contacts.choices import RefusalReason
from contacts.errors import FileUnusable

ENCODINGS: Final = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16": "Unicode (UTF-16)",
    "utf-16-le": "Unicode (UTF-16, little-endian)",
    "utf-16-be": "Unicode (UTF-16, big-endian)",
    "cp1252": "Western European (Windows)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "cp1253": "Greek (Windows)",
    "cp1254": "Turkish (Windows)",
    "mac_roman": "Western European (Mac)",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
}
DELIMITERS: Final = {",": "Comma ,", ";": "Semicolon ;", "\t": "Tab", "|": "Pipe |"}
LINE_CHARS_MAX: Final = 1_000_000
RECORD_LINES_MAX: Final = 100
RAW_CHARS_MAX: Final = 2_000
_SAMPLE_BYTES: Final = 65_536
_BLOCK_BYTES: Final = 1_048_576
_SAMPLE_RECORDS: Final = 50
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)
_PHONE_LIKE = re.compile(r"\s*'?[+(]?[0-9][0-9 ().+/-]{5,20}\s*")
# What a file that is no text begins with, and what to do about it.
_FOREIGN: Final = (
    (
        b"\xd0\xcf\x11\xe0",
        "This is an Excel workbook of the old kind (.xls), or one with a password. In Excel, choose"
        " “Save as” and “Excel Workbook (.xlsx)” or “CSV UTF-8”, without a password,",
    ),
    (b"%PDF", "This is a PDF. Export the list as CSV from where it was made"),
)
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class Record(NamedTuple):
    """Cells that start on physical line `line` (the first is 1); `raw` is the text itself."""

    line: int
    cells: list[str]
    raw: list[str]


class Fault(NamedTuple):
    """A place where no record could be read."""

    line: int
    reason: RefusalReason
    sentence: str
    raw: str


class _LineTooLong(Exception):
    pass


class _Lines:
    """Physical lines of a stream, holding those of the record under way so they can be reread."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.number = 0
        self.held: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        again = bool(self._again)
        line = self._again.popleft() if again else self._stream.readline(LINE_CHARS_MAX)
        if not line:
            raise StopIteration
        self.number += 1
        self.held.append(line)
        if len(line) >= LINE_CHARS_MAX:
            if not again:
                self._skip_rest(line)
            raise _LineTooLong
        if len(self.held) > RECORD_LINES_MAX:
            raise csv.Error("a cell goes on for too many lines")
        return line

    def first(self) -> int:
        """Number of the physical line on which the record under way began."""
        return self.number - len(self.held) + 1

    def reread(self) -> None:
        """Hand out again all lines of the record under way but its first."""
        self._again.extendleft(reversed(self.held[1:]))
        self.number -= len(self.held) - 1
        self.held.clear()

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._stream.readline(LINE_CHARS_MAX)


def open_text(path: Path, encoding: str) -> tuple[IO[bytes], IO[str]]:
    """The file as bytes (whose `tell` shows progress) and, over it, as text.

    What the encoding cannot read comes as U+FFFD, which `records` reports.
    """
    raw = path.open("rb")
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    return raw, io.TextIOWrapper(raw, encoding=name, errors="replace", newline="")


def records(stream: IO[str], delimiter: str) -> Iterator[Record | Fault]:
    """Records in the order of the file; blank ones are left out, broken ones come as faults.

    Quotes follow RFC 4180 strictly, so that no cell is silently cut or joined; after a broken
    record reading goes on with the next physical line.
    """
    lines = _Lines(stream)
    while True:
        try:
            for cells in csv.reader(lines, delimiter=delimiter, strict=True):
                held = lines.held
                if _unreadable(held):
                    yield Fault(
                        lines.first(),
                        RefusalReason.UNREADABLE,
                        "This line has characters that cannot be read in the chosen encoding.",
                        raw_text(held),
                    )
                elif any(cells) and not (lines.number == 1 and _SEPARATOR_LINE.fullmatch(held[0])):
                    yield Record(lines.first(), cells, held)
                held.clear()
            return
        except (_LineTooLong, csv.Error) as error:
            yield _fault(lines, error)
            lines.reread()


def _fault(lines: _Lines, error: Exception) -> Fault:
    """What to say of the first line of the record under way, from which nothing could be read."""
    alone = len(lines.held) == 1
    if alone and isinstance(error, _LineTooLong):
        reason = RefusalReason.LINE_TOO_LONG
        sentence = f"This line is longer than {LINE_CHARS_MAX:,} characters."
    elif alone and str(error).startswith("field larger"):
        reason = RefusalReason.TOO_LONG
        sentence = f"A cell is longer than {csv.field_size_limit():,} characters."
    else:
        reason = RefusalReason.BROKEN_QUOTES
        sentence = (
            "A quotation mark is out of place or never closed, so the cells cannot be told apart."
        )
    return Fault(lines.first(), reason, sentence, raw_text(lines.held[:1]))


def encoding_detect(path: Path) -> str:
    """One of ENCODINGS: by its mark, else UTF-8 where it fits, else by what letters it makes.

    Raises:
        FileUnusable: empty, or not a text file; the sentence says what to do.
    """
    head, other = _samples(path)
    if not head.strip():
        raise FileUnusable("This file is empty. Nothing was imported.")
    for mark, sentence in _FOREIGN:
        if head.startswith(mark):
            raise FileUnusable(f"{sentence} and upload that. Nothing was imported.")
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) * 0.3 > min(even, odd) * 4:
        return "utf-16-le" if odd > even else "utf-16-be"
    if head.count(0) > len(head) * 0.05:
        raise FileUnusable(
            "This is not a text file. Export the list as CSV and upload that. Nothing was imported."
        )
    return _eight_bit(other)


def delimiter_detect(text: str) -> str:
    """The separator under which most records look like rows with a phone number; "," if none.

    Args:
        text: The beginning of the file.
    """
    named = _SEPARATOR_LINE.match(text)
    if named and named[1] in DELIMITERS:
        return named[1]
    return max(DELIMITERS, key=lambda delimiter: _fit(text, delimiter))


def text_head(path: Path, encoding: str) -> str:
    """The first 64 k characters, without a line that is cut."""
    raw, text = open_text(path, encoding)
    with raw, text:
        head = text.read(_SAMPLE_BYTES)
    whole, end, _ = head.rpartition("\n")
    return whole + end if end and len(head) == _SAMPLE_BYTES else head


def raw_text(held: Sequence[str]) -> str:
    """A record's text for a list of refusals: cut, and without what PostgreSQL cannot store."""
    text = "".join(held)[:RAW_CHARS_MAX].rstrip("\r\n")
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _unreadable(held: Sequence[str]) -> bool:
    text = held[0] if len(held) == 1 else "".join(held)
    return "\0" in text or "\ufffd" in text


def _samples(path: Path) -> tuple[bytes, list[bytes]]:
    """The file's first bytes, and lines from anywhere in it that are not ASCII."""
    with path.open("rb") as file:
        block = file.read(_BLOCK_BYTES)
        head, other, size = block[:_SAMPLE_BYTES], [], 0
        while block and size < _SAMPLE_BYTES:
            if not block.isascii():
                # The first and last line of a block may be cut within a character.
                lines = re.split(rb"[\r\n]+", block)
                lines = lines if len(lines) < 3 else lines[1:-1]
                found = [line[:1000] for line in lines if not line.isascii()]
                other += found
                size += sum(map(len, found))
            block = file.read(_BLOCK_BYTES)
    return head, other


def _eight_bit(lines: Sequence[bytes]) -> str:
    good = sum(_is_utf8(line) for line in lines)
    if good * 2 >= len(lines):
        return "utf-8"
    matches = charset_normalizer.from_bytes(
        b"\n".join(lines)[:_SAMPLE_BYTES],
        cp_isolation=[name for name in ENCODINGS if not name.startswith("utf")],
    )
    best = matches.best()
    # Names are little to judge by: the usual encoding stands unless another one clearly fits.
    if best is None or best.chaos >= 0.1:
        return "cp1252"
    if any("cp1252" in match.could_be_from_charset for match in matches):
        return "cp1252"
    return best.encoding if best.encoding in ENCODINGS else "cp1252"


def _is_utf8(line: bytes) -> bool:
    # A line cut at 1000 bytes may end within a character.
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.end >= len(line) and len(line) == 1000
    return True


def _fit(text: str, delimiter: str) -> tuple[float, float, int]:
    rows = []
    for record in records(io.StringIO(text, newline=""), delimiter):
        if isinstance(record, Record):
            rows.append(record.cells)
            if len(rows) == _SAMPLE_RECORDS:
                break
    if not rows:
        return (0, 0, 0)
    width, usual = Counter(map(len, rows)).most_common(1)[0]
    phones = sum(any(_PHONE_LIKE.fullmatch(cell) for cell in cells) for cells in rows)
    return (phones / len(rows), usual / len(rows) if width > 1 else 0, width)
