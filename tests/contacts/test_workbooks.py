"""Excel workbooks: read as Excel shows them, and hostile ones turned away within bounds."""

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import Workbook

from accounts.models import Account, User
from contacts import workbook
from contacts.choices import ImportStatus
from contacts.errors import FileUnusable
from contacts.models import Contact, ContactImport
from contacts.services import import_preview, import_reread, import_run, import_start
from tests.contacts import importing

pytestmark = pytest.mark.usefixtures("media")

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = "</sheetData></worksheet>"
CALLED = datetime.fromisoformat("2026-05-03 09:30")
PHONE = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2"><v>3055550101</v></c></row>'
)


def book(*rows: list[object], **more_sheets: list[list[object]]) -> bytes:
    """A workbook whose first sheet has these rows."""
    made = Workbook()
    assert made.active is not None
    for row in rows:
        made.active.append(row)
    for title, others in more_sheets.items():
        sheet = made.create_sheet(title)
        for row in others:
            sheet.append(row)
    return as_excel(saved(made))


def as_excel(content: bytes) -> bytes:
    """With a part of shared strings, as Excel writes and openpyxl does not."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/{STRINGS}" ContentType="{kind}"/></Types>'.encode()
    listed = rewritten(
        content, "[Content_Types].xml", lambda old: old.replace(b"</Types>", override)
    )
    out = io.BytesIO(listed)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr(STRINGS, f'<sst xmlns="{space}"><si><t>phone</t></si></sst>')
    return out.getvalue()


def saved(made: Workbook) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def rewritten(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(
                info.filename,
                change(data) if info.filename == name else data,
                zipfile.ZIP_DEFLATED,
            )
    return out.getvalue()


def with_sheet(xml: str) -> bytes:
    """A workbook with this as the XML of its sheet."""
    return rewritten(book(["x"]), SHEET, lambda _: xml.encode())


def uploaded(account: Account, content: bytes) -> ContactImport:
    return importing.uploaded(account, content, name="list.xlsx")


def ran(account: Account, content: bytes) -> ContactImport:
    return importing.ran(account, content, name="list.xlsx")


def nothing_kept(media: Path) -> bool:
    return not ContactImport.objects.exists() and not [p for p in media.rglob("*") if p.is_file()]


def test_cells_are_taken_as_excel_shows_them(shop: Account) -> None:
    done = ran(
        shop,
        book(
            ["Phone", "First name", "Points", "Member since", "Ratio", "Called", "VIP"],
            [
                3055550101,
                "Ann",
                12,
                date(2026, 5, 3),
                0.5,
                datetime.fromisoformat("2026-05-03 09:30"),
                True,
            ],
            [3055550102.0, 'Ben, "the\nboss"', None, None, None, None, False],
            [None] * 7,
            ["+1 (305) 555-0103", " Cleo ", "7"],
        ),
    )

    assert (done.status, done.rows_read, done.rows_new) == (ImportStatus.DONE, 3, 3)
    ann, ben, cleo = Contact.objects.order_by("phone")
    assert ann.custom == {
        "points": "12", "member_since": "2026-05-03", "ratio": "0.5",
        "called": "2026-05-03 09:30:00", "vip": "TRUE",
    }  # fmt: skip
    assert (ben.first_name, ben.custom) == ('Ben, "the boss"', {"vip": "FALSE"})
    assert (cleo.first_name, cleo.custom) == ("Cleo", {"points": "7"})


def test_a_formula_is_the_value_that_was_last_calculated(shop: Account) -> None:
    rows = (
        '<row r="1"><c r="A1" t="str"><v>phone</v></c><c r="B1" t="str"><v>first name</v></c>'
        '<c r="C1" t="str"><v>note</v></c></row>'
        '<row r="2"><c r="A2" t="str"><f>"305555"&amp;"0101"</f><v>3055550101</v></c>'
        '<c r="B2" t="str"><f>HYPERLINK("http://x","Ann")</f><v>Ann</v></c>'
        '<c r="C2" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
        '<row r="3"><c r="A3"><f>NOW()</f></c><c r="B3" t="str"><v>Nobody</v></c></row>'
    )

    done = ran(shop, with_sheet(HEAD + rows + TAIL))

    contact = Contact.objects.get()
    assert (contact.phone, contact.first_name, contact.custom) == ("+13055550101", "Ann", {})
    assert list(done.refusals.values_list("line", "reason", "raw")) == [(3, "no_phone", ",Nobody")]


def test_refused_rows_carry_the_row_number_of_excel(shop: Account) -> None:
    done = ran(
        shop,
        book(
            ["phone", "first name"], [], [3055550101, "Ann"], ["123", "Ben"], [],
            [3055550102, "x" * 81],
        ),
    )  # fmt: skip

    assert list(done.refusals.order_by("line").values_list("line", "reason", "raw")) == [
        (4, "bad_phone", "123,Ben"), (6, "too_long", "3055550102," + "x" * 81),
    ]  # fmt: skip


def test_the_first_visible_sheet_is_read_and_another_can_be_chosen(
    client: Client, shop: Account, alice: User
) -> None:
    made = Workbook()
    assert made.active is not None
    made.active.append(["Notes", "nobody reads"])
    made.active.sheet_state = "hidden"
    for title, name in (("Spring", "Ann"), ("Summer", "Ben")):
        sheet = made.create_sheet(title)
        sheet.append(["phone", "first name"])
        sheet.append([3055550101, name])
    found = uploaded(shop, saved(made))
    client.force_login(alice)
    first = import_preview(found).samples[1]

    page = client.get(reverse("import_detail", args=[found.pk])).content.decode()
    client.post(reverse("import_reread", args=[found.pk]), {"sheet_no": "2", "has_header": "on"})
    client.post(reverse("import_reread", args=[found.pk]), {"sheet_no": "9", "has_header": "on"})

    found.refresh_from_db()
    assert [word in page for word in ("Spring", "Summer", "Letters")] == [True, True, False]
    assert (first, found.sheet_no, import_preview(found).samples[1]) == (["Ann"], 2, ["Ben"])


def test_an_empty_sheet_says_so_and_leaves_the_other_chosen(shop: Account) -> None:
    found = uploaded(shop, book(["phone"], [3055550101], Empty=[]))

    with pytest.raises(FileUnusable, match="This sheet has no rows"):
        import_reread(account=shop, import_id=found.pk, has_header=True, sheet_no=1)

    found.refresh_from_db()
    assert found.sheet_no == 0


def test_three_hundred_columns(shop: Account) -> None:
    found = ran(
        shop,
        book(
            ["phone", *(f"Field {n}" for n in range(299))],
            [3055550101, *(f"v{n}" for n in range(299))],
        ),
    )

    assert (found.rows_read, found.rows_new, found.rows_refused) == (1, 1, 0)
    assert Contact.objects.get().custom == {f"field_{n}": f"v{n}" for n in range(20)}


def test_a_cell_of_ten_megabytes_costs_its_row(shop: Account) -> None:
    big = "x" * 10_000_000
    row = f'<row r="3"><c r="A3" t="inlineStr"><is><t>{big}</t></is></c></row>'

    done = ran(shop, with_sheet(HEAD + PHONE + row + TAIL))

    assert (done.rows_read, done.rows_new, done.rows_refused) == (2, 1, 1)
    refusal = done.refusals.get()
    assert (refusal.line, refusal.reason, len(refusal.raw)) == (3, "bad_phone", 2000)


def zeros(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * (1 << 20)


def bomb(name: str, megabytes: int) -> bytes:
    """A small workbook with one part that unpacks to very much."""
    out = io.BytesIO(book(["phone"], [3055550101]))
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as part,
    ):
        for block in zeros(megabytes):
            part.write(block)
    return out.getvalue()


@pytest.mark.parametrize(("name", "megabytes"), [("xl/styles.xml", 9), (STRINGS, 65), (SHEET, 17)])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_bomb_is_turned_away(shop: Account, media: Path, name: str, megabytes: int) -> None:
    content = bomb(name, megabytes)
    assert len(content) < 200_000

    with pytest.raises(FileUnusable, match="larger than any list"):
        uploaded(shop, content)

    assert nothing_kept(media)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_declares_less_than_it_holds_is_turned_away(shop: Account, media: Path) -> None:
    """A zip may say 1 kB and unpack to gigabytes: what it says is never exceeded."""
    content = bytearray(bomb("xl/worksheets/sheet1.xml", 17))
    lie = (1000).to_bytes(4, "little")
    at = content.rindex(b"PK\x01\x02")
    assert content[at + 46 : at + 46 + len(SHEET)] == SHEET.encode()
    content[at + 24 : at + 28] = lie

    with pytest.raises(FileUnusable):
        uploaded(shop, bytes(content))

    assert nothing_kept(media)


def test_a_sheet_with_no_end_of_rows_stops_at_excels_last(shop: Account) -> None:
    far = '<row r="99999999999999999999"><c t="str"><v>x</v></c></row>'

    with pytest.raises(FileUnusable):
        uploaded(shop, with_sheet(HEAD + PHONE + far + TAIL))


def test_a_row_that_goes_on_and_on_is_turned_away(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROW_BYTES_MAX", 100_000)
    row = '<row r="3">' + '<c t="str"><v>x</v></c>' * 10_000 + "</row>"

    with pytest.raises(FileUnusable, match="larger than any list"):
        uploaded(shop, with_sheet(HEAD + PHONE + row + TAIL))


def test_a_wider_sheet_than_a_list_is_turned_away(shop: Account) -> None:
    cells = "".join(f'<row r="{n}"><c r="XFD{n}"><v>3055550101</v></c></row>' for n in range(1, 4))

    with pytest.raises(FileUnusable, match="more than 500 columns"):
        uploaded(shop, with_sheet(HEAD + cells + TAIL))


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("entities", [LAUGHS, OUTSIDE])
@pytest.mark.parametrize("name", [SHEET, "xl/workbook.xml", STRINGS])
def test_entities_are_not_expanded(shop: Account, media: Path, entities: str, name: str) -> None:
    xml = rewritten(
        book(["phone", "first name"], [3055550101, "Ann"]),
        name,
        lambda old: entities.encode() + old,
    )

    with pytest.raises(FileUnusable, match="cannot be read"):
        uploaded(shop, xml)

    assert nothing_kept(media)


def broken() -> dict[str, bytes]:
    whole = book(["phone"], [3055550101])
    plain_zip = io.BytesIO()
    with zipfile.ZipFile(plain_zip, "w") as archive:
        archive.writestr("people.csv", "phone\n3055550101\n")
    return {
        "cut": whole[: len(whole) // 2],
        "another zip": plain_zip.getvalue(),
        "no XML": rewritten(whole, SHEET, lambda _: b"<worksheet><"),
        "a number that is none": with_sheet(HEAD + '<row r="x"/>' + TAIL),
        "a string that is none": with_sheet(HEAD + '<row><c t="s"><v>9</v></c></row>' + TAIL),
        "a relation to nowhere": rewritten(whole, "xl/_rels/workbook.xml.rels", lambda _: b"<a/>"),
        "bytes changed": whole.replace(b"xl/workbook.xml", b"xl/workbxxk.xml"),
    }


@pytest.mark.parametrize("which", broken())
def test_a_damaged_workbook_says_what_to_do(shop: Account, media: Path, which: str) -> None:
    with pytest.raises(FileUnusable, match="Nothing was imported"):
        uploaded(shop, broken()[which])

    assert nothing_kept(media)


def test_damage_far_into_a_workbook_fails_the_import_with_nothing_written(
    shop: Account, media: Path
) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>305555{n:04d}</v></c></row>' for n in range(100, 400)
    )
    found = uploaded(shop, with_sheet(HEAD + PHONE + rows + "<row"))
    import_start(account=shop, actor=None, import_id=found.pk, mapping=found.mapping)

    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_read) == (ImportStatus.FAILED, 0)
    assert "cannot be read as an Excel workbook" in found.error
    assert Contact.objects.count() == 0


def test_counts_of_a_sheet_and_of_the_same_list_as_text_are_alike(shop: Account) -> None:
    rows: list[list[object]] = [["phone", "first name"]]
    rows += [[f"305555{n:04d}", f"Name {n}"] for n in range(100, 150)]
    rows += [["12", "x"], ["", "y"]]
    text = "\n".join(",".join(map(str, row)) for row in rows).encode()

    sheet = ran(shop, book(*rows))
    again = importing.ran(shop, text)

    assert (sheet.rows_read, sheet.rows_new, sheet.rows_refused) == (52, 50, 2)
    assert (again.rows_read, again.rows_unchanged, again.rows_refused) == (52, 50, 2)
    assert Counter(sheet.refusals.values_list("line", "reason")) == Counter(
        again.refusals.values_list("line", "reason")
    )
