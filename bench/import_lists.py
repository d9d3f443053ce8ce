"""The lists of `make bench-import`: people as shops write them down, one line in twenty dirty."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

_AREAS: Final = (
    *(201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224),
    *(225, 228, 229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270),
    *(301, 302, 303, 304),
)
_FIRST: Final = ("Ann", "Ben", "Cleo", "Dan", "Eve", "José", "Zoë", "Mary-Jane", "Olu", "Wei")
_LAST: Final = ("Lee", "Müller", "O'Brien", "García", "Smith", "van der Berg", "Nowak", "Kim")
_FLOWERS: Final = ("peony", "rose", "tulip, red", "", "lily")
# What is wrong with the lines whose place, modulo 100, is here: five in a hundred.
_DIRT: Final = {
    7: "12345",
    27: "",
    47: '"305"5550101',
    67: "call me",
}
_AGAIN: Final = 87


class Row(NamedTuple):
    """A person of the list."""

    place: int
    digits: str
    first_name: str
    last_name: str
    email: str
    flower: str


def write_list(path: Path, count: int) -> None:
    """The list as it is uploaded: CSV, numbers in four ways of writing, five lines in 100 dirty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("First name,Last name,Mobile,Email,Favourite flower\n")
        file.writelines(map(_line, _rows(count)))


def clean_rows(count: int, *, known: bool = False) -> Iterator[Row]:
    """The rows that end in a contact; or the half that the account knows, by name and number."""
    for row in _rows(count):
        if row.place % 100 in _DIRT or row.place % 100 == _AGAIN:
            continue
        if not known:
            yield row
        elif row.place % 2 == 0:
            yield row._replace(email="", flower="")


def write_clean(path: Path, rows: Iterable[Row]) -> None:
    """Rows as they are copied: phone, names, email, own fields, kind of line, region."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            (
                f"+1{row.digits}",
                row.first_name,
                row.last_name,
                row.email,
                json.dumps({"favourite_flower": row.flower} if row.flower else {}),
                "unknown",
                "US",
            )
            for row in rows
        )


def _rows(count: int) -> Iterator[Row]:
    for at in range(count):
        # Neighbours in the file are not neighbours by number, as in any list.
        place = at * 7_919 % count if count % 7_919 else at
        spread = place * 1_299_709 % 252_800_000
        digits = f"{_AREAS[spread % 32]}{200 + spread // 32 % 790}{spread // 25_280 % 10_000:04d}"
        yield Row(
            place,
            digits,
            _FIRST[place % 10],
            _LAST[place % 8],
            f"person{place}@example.com" if place % 3 else "",
            _FLOWERS[place % 5],
        )


def _line(row: Row) -> str:
    digits = row.digits
    kind = row.place % 100
    if kind in _DIRT:
        phone = _DIRT[kind]
    elif kind == _AGAIN:
        phone = "+12015550100"
    else:
        phone = (
            f"({digits[:3]}) {digits[3:6]}-{digits[6:]}",
            f"+1{digits}",
            f"{digits[:3]}-{digits[3:6]}-{digits[6:]}",
            digits,
        )[row.place % 4]
    flower = f'"{row.flower}"' if "," in row.flower else row.flower
    return f"{row.first_name},{row.last_name},{phone},{row.email},{flower}\n"
