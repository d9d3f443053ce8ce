"""Reading of records: whatever the text, nothing is lost silently and nothing hangs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import csvfile
from contacts.columns import label_of, labels
from contacts.csvfile import Fault, Record
from contacts.fields import custom_key, split_name

TEXT = st.text(st.characters(exclude_characters="\0\ufffd", exclude_categories=["Cs"]), max_size=12)
CELLS = st.lists(TEXT, min_size=1, max_size=4).filter(any)
HOSTILE = st.text(st.sampled_from('ab,;"\n\r\t \0\ufffdé'), max_size=300)


def read(text: str, delimiter: str = ",") -> list[Record | Fault]:
    stream = io.StringIO(text, newline="")
    return [
        Record(found.line, found.cells, list(found.raw)) if isinstance(found, Record) else found
        for found in csvfile.records(stream, delimiter)
    ]


@given(st.lists(CELLS, max_size=8), st.sampled_from(list(csvfile.DELIMITERS)))
def test_what_a_csv_writer_writes_is_read_as_it_was(rows: list[list[str]], delimiter: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)

    found = read(written.getvalue(), delimiter)

    assert [record.cells for record in found if isinstance(record, Record)] == rows
    assert len(found) == len(rows)


@given(HOSTILE)
def test_every_line_with_letters_is_in_a_record_or_a_fault_exactly_once(text: str) -> None:
    found = read(text)

    lines = io.StringIO(text, newline="").readlines()
    numbers = [item.line for item in found]
    told = set()
    for item in found:
        height = len(item.raw) if isinstance(item, Record) else max(1, len(item.raw.splitlines()))
        told |= set(range(item.line, item.line + height))
    assert numbers == sorted(set(numbers))
    assert {no for no, line in enumerate(lines, 1) if "a" in line} <= told


def test_a_record_over_several_lines_is_named_by_its_first() -> None:
    found = read('a,b\n"x\ny\nz",1\nc,d\n')

    assert [(item.line, getattr(item, "cells", None)) for item in found] == [
        (1, ["a", "b"]),
        (2, ["x\ny\nz", "1"]),
        (5, ["c", "d"]),
    ]


def test_a_cell_of_more_than_a_hundred_lines_costs_its_first_line_only() -> None:
    text = 'p,"open\n' + "q,r\n" * 150

    found = read(text)

    assert isinstance(found[0], Fault)
    assert (found[0].line, found[0].raw) == (1, 'p,"open')
    assert [item.line for item in found] == list(range(1, 152))
    assert sum(isinstance(item, Record) for item in found) == 150


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("phone,name\n+13055550101,Ann\n", ","),
        ("phone;name\n+13055550101;Lee, Ann\n", ";"),
        ("phone\tname\n+13055550101\tAnn; Lee\n", "\t"),
        ("phone|name\n+13055550101|Ann\n", "|"),
        ("+13055550101\n+13055550102\n", ","),
        ("sep=;\nphone,x;name\n", ";"),
        ("", ","),
    ],
)
def test_the_separator_is_the_one_that_leaves_phones_alone(text: str, delimiter: str) -> None:
    assert csvfile.delimiter_detect(text) == delimiter


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("Loyalty points", "loyalty_points"),
        ("  Größe (cm) ", "groe_cm"),
        ("2nd phone", "field_2nd_phone"),
        ("日本", ""),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_heading_becomes_a_field_name(label: str, key: str) -> None:
    assert custom_key(label) == key


def test_a_new_field_is_called_as_its_column() -> None:
    mapping = ["phone", "custom.vip", "custom.shirt_size", "custom.zip_code", "custom.mine", ""]
    headings = ["Mobile", "VIP?", " shirt  size:", "ZIP code", "Something else", "Note"]
    own = {"vip": "VIP", "shirt_size": "Shirt size", "zip_code": "ZIP code", "mine": "Mine"}

    assert labels(mapping, headings) == own
    assert labels(mapping, [])["vip"] == "Vip"
    assert label_of("x" * 200) == "X" + "x" * 79


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann Lee", ("Ann", "Lee")),
        ("Lee, Ann", ("Ann", "Lee")),
        ("Ann van der Berg", ("Ann", "van der Berg")),
        ("Ann", ("Ann", "")),
        ("", ("", "")),
    ],
)
def test_a_whole_name_is_split(text: str, names: tuple[str, str]) -> None:
    assert split_name(text) == names
