"""Files by API: text and workbook, columns guessed or named, dry run, refusals, and who may."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.choices import Scope
from accounts.models import Account, User
from accounts.services import apikey_create
from contacts.models import ConsentEvent, Contact, ContactImport, ContactTag, Group, OptOut
from contacts.services import import_run, import_undo_run

pytestmark = pytest.mark.usefixtures("media")

URL = "/api/v1/imports/"
CSV = b"phone,first name\n3055550101,Ann\n3055550102,Ben\n12,No\n"


@pytest.fixture
def api(shop: Account, alice: User) -> Client:
    return _client(shop, alice)


def _client(account: Account, user: User) -> Client:
    _, secret = apikey_create(account=account, actor=user, name="Sync", scopes=Scope.values)
    return Client(headers={"authorization": f"Bearer {secret}"})


def _file(content: bytes = CSV, name: str = "people.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def _workbook() -> SimpleUploadedFile:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in (("Mobile", "First name"), (3055550101, "Ann"), ("(305) 555-0102", "Ben")):
        sheet.append(row)
    book.save(file)
    return _file(file.getvalue(), "people.xlsx")


def _ran(api: Client, **form: Any) -> dict[str, Any]:
    answer = api.post(URL, form)
    assert answer.status_code == 202, answer.content
    assert answer.json()["status"] == "queued"
    import_run(answer.json()["id"])
    return dict(api.get(f"{URL}{answer.json()['id']}/").json())


def _counts(found: dict[str, Any]) -> tuple[Any, ...]:
    return (found["status"], found["rows_read"], found["rows_new"], found["rows_refused"])


def _people(account: Account) -> list[tuple[str, str]]:
    found = Contact.objects.filter(account=account, deleted_at=None).order_by("phone")
    return list(found.values_list("phone", "first_name"))


def test_a_text_is_imported_with_its_columns_guessed(api: Client, shop: Account):
    done = _ran(api, file=_file(), consent_wording="Ticked a box", group_name="Spring")

    assert _counts(done) == ("done", 3, 2, 1)
    assert done["columns"] == ["phone", "first_name"]
    assert _people(shop) == [("+13055550101", "Ann"), ("+13055550102", "Ben")]
    assert ConsentEvent.objects.filter(account=shop, wording="Ticked a box").count() == 2
    assert Group.objects.get(account=shop).members.count() == 2
    (refused,) = api.get(f"{URL}{done['id']}/refusals/").json()["results"]
    assert (refused["line"], refused["reason"], refused["raw"]) == (4, "bad_phone", "12,No")


def test_a_workbook_is_imported_like_a_text(api: Client, shop: Account):
    done = _ran(api, file=_workbook())

    assert _counts(done) == ("done", 2, 2, 0)
    assert _people(shop) == [("+13055550101", "Ann"), ("+13055550102", "Ben")]


def test_columns_that_are_named_are_taken_as_named(api: Client, shop: Account):
    _ran(api, file=_file(), columns=["phone", "last_name"])

    assert list(Contact.objects.filter(account=shop).values_list("last_name", flat=True)) == [
        "Ann",
        "Ben",
    ]


def test_a_workbook_of_opt_outs_opts_out(api: Client, shop: Account):
    done = _ran(api, file=_workbook(), purpose="opt_outs", consent_wording="Our old provider")

    assert _counts(done) == ("done", 2, 2, 0)
    assert OptOut.objects.filter(account=shop).count() == 2
    assert _people(shop) == []


def test_a_dry_run_waits_for_a_word(api: Client, shop: Account):
    counted = _ran(api, file=_file(), dry_run="true")

    assert _counts(counted) == ("checked", 3, 2, 1)
    assert _people(shop) == []

    assert api.post(f"{URL}{counted['id']}/confirm/").json()["status"] == "queued"
    import_run(counted["id"])
    assert len(_people(shop)) == 2
    assert api.post(f"{URL}{counted['id']}/cancel/").status_code == 409


def test_everybody_in_the_file_gets_its_tags(api: Client, shop: Account):
    done = _ran(api, file=_file(), tags=["Spring", "till"], group_name="News")

    assert (done["tags"], done["group"]) == (["Spring", "till"], Group.objects.get().pk)
    tagged = ContactTag.objects.order_by("tag__name", "contact__phone")
    assert list(tagged.values_list("tag__name", "contact__phone")) == [
        ("Spring", "+13055550101"),
        ("Spring", "+13055550102"),
        ("till", "+13055550101"),
        ("till", "+13055550102"),
    ]


def test_a_finished_import_is_undone(api: Client, shop: Account, other_shop: Account):
    stranger = _client(other_shop, other_shop.memberships.get().user)
    first, second = _ran(api, file=_file()), _ran(api, file=_file(b"phone\n3055550103\n"))
    url = f"{URL}{second['id']}/"

    unknown = stranger.post(f"{url}undo/")
    too_soon = api.post(f"{URL}{first['id']}/undo/")
    waiting = api.post(f"{url}undo/").json()
    import_undo_run(second["id"])
    undone = api.get(url).json()

    assert (unknown.status_code, too_soon.status_code) == (404, 409)
    assert waiting["status"] == "undoing"
    assert (undone["status"], undone["people_removed"]) == ("undone", 1)
    assert (undone["people_restored"], undone["people_left"]) == (0, 0)
    assert undone["undone_at"] is not None
    assert [phone for phone, _ in _people(shop)] == ["+13055550101", "+13055550102"]


def test_what_is_canceled_leaves_nothing(
    api: Client,
    shop: Account,
    media: Path,
    django_capture_on_commit_callbacks: Callable[..., Any],
):
    made = api.post(URL, {"file": _file()}).json()

    with django_capture_on_commit_callbacks(execute=True):
        answer = api.post(f"{URL}{made['id']}/cancel/")
    assert answer.json()["status"] == "canceled"
    import_run(made["id"])

    assert _people(shop) == []
    assert not [path for path in media.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({}, (422, "invalid")),
        ({"file": b""}, (422, "file_unusable")),
        ({"file": b"%PDF-1.4 nothing"}, (422, "file_unusable")),
        ({"file": b"name\nAnn\n"}, (422, "mapping_invalid")),
        ({"file": CSV, "columns": ["phone"]}, (422, "mapping_invalid")),
        ({"file": CSV, "columns": ["phone", "nonsense"]}, (422, "mapping_invalid")),
        ({"file": CSV, "tags": ["a, b"]}, (422, "invalid")),
        ({"file": CSV, "group": 999_999}, (404, "not_found")),
        ({"file": CSV, "purpose": "opt_outs", "group_name": "X"}, (422, "mapping_invalid")),
        ({"file": CSV, "purpos": "opt_outs"}, (422, "invalid")),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once_and_leaves_nothing(
    api: Client, media: Path, form: dict[str, Any], problem: tuple[int, str]
):
    sent = {**form, "file": _file(form["file"])} if "file" in form else form

    answer = api.post(URL, sent)

    assert (answer.status_code, answer.json()["code"]) == problem
    assert ContactImport.objects.count() == 0
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_a_file_goes_into_no_strangers_group(
    api: Client, other_shop: Account, shop: Account, charlie: User
):
    theirs = Group.objects.create(account=other_shop, name="Theirs")

    answer = api.post(URL, {"file": _file(), "group": theirs.pk})
    made = api.post(URL, {"file": _file()}).json()

    assert answer.status_code == 404
    assert _client(other_shop, charlie).get(f"{URL}{made['id']}/").status_code == 404
    assert api.get(URL).json()["results"][0]["id"] == made["id"]
