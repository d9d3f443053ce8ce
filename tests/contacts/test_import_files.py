"""Files as people send them, each with exact counts."""

import codecs
from collections import Counter
from pathlib import Path

import pytest

from accounts.models import Account
from contacts.choices import ImportStatus
from contacts.errors import FileUnusable
from contacts.models import Contact, ContactImport, ImportRefusal, ImportRow
from contacts.services import import_run, import_start
from tests.contacts.importing import ran, uploaded

pytestmark = pytest.mark.usefixtures("media")


def imported(account: Account, content: bytes) -> ContactImport:
    found = ran(account, content)
    assert found.status == ImportStatus.DONE
    assert found.rows_read == (
        found.rows_new
        + found.rows_updated
        + found.rows_unchanged
        + found.rows_duplicate
        + found.rows_refused
    )
    assert ImportRow.objects.count() == 0
    return found


def counts(found: ContactImport) -> tuple[int, int, int]:
    """Rows read, new contacts, refused rows."""
    return found.rows_read, found.rows_new, found.rows_refused


def reasons(found: ContactImport) -> dict[str, int]:
    return dict(Counter(found.refusals.values_list("reason", flat=True)))


def names() -> list[str]:
    return list(Contact.objects.order_by("phone").values_list("first_name", flat=True))


PLAIN = "Phone,First name,Last name\n+13055550101,Ann,Lee\n(305) 555-0102,Zoë,Müller\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (PLAIN.encode(), "utf-8"),
        (codecs.BOM_UTF8 + PLAIN.encode(), "utf-8"),
        (PLAIN.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"), "utf-16"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (PLAIN.encode("utf-16-be"), "utf-16-be"),
        (PLAIN.encode("cp1252"), "cp1252"),
        (PLAIN.encode("latin-1"), "cp1252"),
    ],
)
def test_encodings(shop: Account, content: bytes, encoding: str) -> None:
    found = imported(shop, content)

    assert found.encoding == encoding
    assert counts(found) == (2, 2, 0)
    assert names() == ["Ann", "Zoë"]
    assert Contact.objects.get(first_name="Zoë").last_name == "Müller"


def test_accents_far_into_the_file_decide_its_encoding(shop: Account) -> None:
    plain = b"".join(b"+1305555%04d,Ann\n" % n for n in range(100, 200)) * 700
    content = b"phone,first name\n" + plain + "+12125550100,José\n".encode("cp1252")

    found = imported(shop, content)

    assert len(content) > 1_048_576
    assert found.encoding == "cp1252"
    assert Contact.objects.get(phone="+12125550100").first_name == "José"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(shop: Account, delimiter: str, newline: str) -> None:
    text = PLAIN.replace(",", delimiter).replace("\n", newline)

    found = imported(shop, text.encode())

    assert found.delimiter == delimiter
    assert counts(found) == (2, 2, 0)
    assert names() == ["Ann", "Zoë"]


def test_commas_within_names_do_not_hide_the_semicolon(shop: Account) -> None:
    content = "Name;Mobile\nLee, Ann;3055550101\nMüller, Zoë;3055550102\n".encode()

    found = imported(shop, content)

    assert (found.delimiter, found.mapping) == (";", ["full_name", "phone"])
    assert names() == ["Ann", "Zoë"]


def test_excels_line_that_names_the_separator(shop: Account) -> None:
    found = imported(shop, b"sep=;\r\nphone;first name\r\n3055550101;Ann\r\n")

    assert (found.delimiter, found.has_header, counts(found)) == (";", True, (1, 1, 0))


def test_no_heading(shop: Account) -> None:
    found = uploaded(shop, b"Ann,3055550101,ann@x.example\nBen,3055550102,ben@x.example\n")

    assert not found.has_header
    assert found.mapping == ["", "phone", "email"]
    import_start(
        account=shop, actor=None, import_id=found.pk, mapping=["first_name", "phone", "email"]
    )
    import_run(found.pk)
    assert names() == ["Ann", "Ben"]
    assert Contact.objects.filter(email="ben@x.example").count() == 1


@pytest.mark.parametrize(
    ("header", "mapping"),
    [
        ("Vorname;Nachname;Handy;E-Mail", "first_name last_name phone email"),
        ("First Name;LAST_NAME;Cell #;Email Address", "first_name last_name phone email"),
        ("Prénom;Nom;Téléphone portable;Courriel", "first_name last_name phone email"),
        ("Loyalty points;City;Phone;TZ", "custom.loyalty_points custom.city phone timezone"),
        ("First name;First name;Phone;Notes", "first_name - phone custom.notes"),
    ],
)
def test_headings_of_other_programs(shop: Account, header: str, mapping: str) -> None:
    found = uploaded(shop, f"{header}\nAnn;Lee;3055550101;x\n".encode())

    assert found.has_header
    assert found.mapping == [target.strip("-") for target in mapping.split()]


def test_of_two_phone_columns_the_one_with_numbers_wins(shop: Account) -> None:
    found = uploaded(shop, b"Name,Mobile,Phone\nAnn,,3055550101\nBen,,3055550102\n")

    assert found.mapping == ["full_name", "custom.mobile", "phone"]


def test_repeated_impossible_and_missing_numbers(shop: Account) -> None:
    content = (
        b"phone,first name\n"
        b"3055550101,Ann\n"
        b"305-555-0101,Anna\n"
        b"123,Ben\n"
        b",Cleo\n"
        b"not a number,Dan\n"
        b"3.05556E+09,Eve\n"
        b"\n"
        b",,,\n"
        b"+1 (305) 555-0102,Fay\n"
    )

    found = imported(shop, content)

    assert counts(found) == (7, 2, 4)
    assert found.rows_duplicate == 1
    assert reasons(found) == {"bad_phone": 3, "no_phone": 1}
    assert names() == ["Anna", "Fay"]
    lines = ImportRefusal.objects.order_by("line").values_list("line", "raw")
    assert list(lines) == [
        (4, "123,Ben"), (5, ",Cleo"), (6, "not a number,Dan"), (7, "3.05556E+09,Eve"),
    ]  # fmt: skip


def test_quotes_and_newlines_in_cells(shop: Account) -> None:
    content = (
        b'phone,first name,note\r\n'
        b'3055550101,"Ann ""Annie""","likes\r\nroses, red"\r\n'
        b'3055550102,Ben,"5"" pots"\r\n'
    )  # fmt: skip

    found = imported(shop, content)

    assert counts(found) == (2, 2, 0)
    assert names() == ['Ann "Annie"', "Ben"]
    assert [c.custom["note"] for c in Contact.objects.order_by("phone")] == [
        "likes roses, red", '5" pots',
    ]  # fmt: skip


def test_cells_that_look_like_marks_of_copy(shop: Account) -> None:
    content = (
        b"phone;first name;last name;note\n"
        b"3055550101;\\N;\\.;a\\tb \\\\\n"
        b'3055550102;"Ann\tLee";;"two\nlines"\n'
        b'3055550103;"Ben\\";Roe\\n;\\\n'
        b'12\\N\t3;"a\r\nb";\\.;\\t\n'
    )

    found = imported(shop, content)

    assert counts(found) == (4, 3, 1)
    people = Contact.objects.order_by("phone")
    assert [(c.first_name, c.last_name, c.custom.get("note")) for c in people] == [
        ("\\N", "\\.", "a\\tb \\\\"),
        ("Ann Lee", "", "two lines"),
        ("Ben\\", "Roe\\n", "\\"),
    ]
    assert found.refusals.get().raw == '12\\N\t3;"a\r\nb";\\.;\\t'


def test_a_quote_that_is_never_closed_costs_one_line(shop: Account) -> None:
    rows = [b"305555%04d,Name" % n for n in range(100, 1100)]
    rows[1] = b'3055550101,"Ann'
    rows[500] = b'3055550600,"Ann" Lee'

    found = imported(shop, b"phone,first name\n" + b"\n".join(rows))

    assert counts(found) == (1000, 998, 2)
    assert reasons(found) == {"broken_quotes": 2}
    assert list(found.refusals.order_by("line").values_list("line", flat=True)) == [3, 502]


def test_a_cell_of_ten_megabytes_costs_one_line(shop: Account) -> None:
    big = b"x" * 10_000_000

    found = imported(
        shop,
        b"phone,first name\n3055550101,Ann\n3055550102," + big + b"\n3055550103,Cleo\n"
        b'3055550104,"' + big + b'"\n3055550105,' + big[:200_000] + b"\n3055550106,Fay\n",
    )

    assert counts(found) == (6, 3, 3)
    assert reasons(found) == {"line_too_long": 2, "too_long": 1}
    assert names() == ["Ann", "Cleo", "Fay"]
    assert max(len(r.raw) for r in ImportRefusal.objects.all()) == 2000


def test_an_open_quote_before_an_endless_line_costs_both_and_no_more(shop: Account) -> None:
    content = (
        b'phone,first name\n3055550101,"Ann\n3055550102,Ben\n3055550103,' + b"x" * 2_500_000
        + b"\n3055550104,Dan\n"
    )  # fmt: skip

    found = imported(shop, content)

    assert counts(found) == (4, 2, 2)
    assert reasons(found) == {"broken_quotes": 1, "line_too_long": 1}
    assert names() == ["Ben", "Dan"]


def test_nul_bytes_cost_their_lines(shop: Account) -> None:
    found = imported(shop, b"phone,first name\n3055550101,A\0nn\n3055550102,Ben\n")

    assert counts(found) == (2, 1, 1)
    assert reasons(found) == {"unreadable": 1}
    assert ImportRefusal.objects.get().raw == "3055550101,A\ufffdnn"


def test_mixed_encodings_cost_the_lines_that_do_not_fit(shop: Account) -> None:
    content = "phone,first name\n3055550101,Zoë\n3055550102,José\n".encode()
    content += "3055550103,Renée\n".encode("cp1252") + "3055550104,Łucja\n".encode()

    found = imported(shop, content)

    assert found.encoding == "utf-8"
    assert counts(found) == (4, 3, 1)
    assert names() == ["Zoë", "José", "Łucja"]


def test_lines_of_mixed_lengths(shop: Account) -> None:
    content = (
        b"first name,phone,email\n"
        b"Ann,3055550101\n"
        b"Ben\n"
        b"Cleo,3055550103,cleo@x.example,,,\n"
        b"Dan,Jr.,3055550104,dan@x.example\n"
    )

    found = imported(shop, content)

    assert counts(found) == (4, 2, 2)
    assert reasons(found) == {"no_phone": 1, "extra_cells": 1}
    assert names() == ["Ann", "Cleo"]


def test_three_hundred_columns(shop: Account) -> None:
    header = b"phone," + b",".join(b"Field %d" % n for n in range(299))
    row = b"3055550101," + b",".join(b"v%d" % n for n in range(299))

    found = imported(shop, header + b"\n" + row + b"\n")

    assert counts(found) == (1, 1, 0)
    assert Contact.objects.get().custom == {f"field_{n}": f"v{n}" for n in range(20)}


def test_cells_that_do_not_fit_are_refused_with_their_reason(shop: Account) -> None:
    content = (
        b"phone,first name,email,time zone\n"
        b"3055550101," + b"x" * 81 + b",,\n"
        b"3055550102,Ben,ben at home,\n"
        b"3055550103,Cleo,,Mars/Olympus\n"
        b"3055550104,Dan,dan@x.example,america/chicago\n"
    )

    found = imported(shop, content)

    assert counts(found) == (4, 1, 3)
    assert reasons(found) == {"too_long": 1, "bad_email": 1, "bad_timezone": 1}
    assert Contact.objects.get().timezone == "America/Chicago"


def test_formula_cells_are_text(shop: Account) -> None:
    imported(shop, b'phone,first name\n\'+13055550101,"=HYPERLINK(""http://x"")"\n')

    assert names() == ['=HYPERLINK("http://x")']


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \r\n\r\n ", "empty"),
        (b"PK\x03\x04" + b"\0" * 100, "Excel"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "Excel"),
        (b"%PDF-1.7 ...", "PDF"),
        (bytes(range(256)) * 20 + b"\0" * 2000, "not a text file"),
    ],
)
def test_files_that_hold_no_rows_say_so_and_are_not_kept(
    shop: Account, media: Path, content: bytes, words: str
) -> None:
    with pytest.raises(FileUnusable, match=words):
        uploaded(shop, content)

    assert ContactImport.objects.count() == 0
    assert [p for p in media.rglob("*") if p.is_file()] == []


def test_numbers_without_plus_are_read_in_the_accounts_country(shop: Account) -> None:
    shop.default_country = "GB"
    shop.save()

    imported(shop, b"phone\n07400 123456\n")

    assert Contact.objects.get().phone == "+447400123456"
