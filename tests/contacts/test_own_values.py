"""Values of own fields on their way in: by form, program and list, and back out by an undo."""

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from accounts.models import Account, User
from accounts.services import apikey_create
from contacts.choices import ImportStatus
from contacts.errors import ContactInvalid, FieldInImport
from contacts.models import Contact, ContactImport, CustomField, ImportRefusal
from contacts.services import contact_update, contact_upsert, custom_field_delete, import_undo
from contacts.services.undoing import import_undo_run
from tests.contacts.importing import ran, started
from tests.contacts.own_fields import ANN, BEN, CLEO, changed, held, made


def test_forms_and_programs_keep_what_fits_and_refuse_the_rest(shop: Account) -> None:
    made(shop, "Points", "number")
    made(shop, "VIP", "yes_no")
    contact = contact_upsert(
        account=shop, actor=None, phone=ANN, custom={"points": "1,000", "vip": True, "note": "x"}
    )

    with pytest.raises(ContactInvalid) as refused:
        contact_update(account=shop, actor=None, contact_id=contact.pk, custom={"points": "many"})
    contact_update(account=shop, actor=None, contact_id=contact.pk, custom={"points": 12.50})

    assert list(refused.value.fields) == ["custom.points"]
    assert contact.custom == {"points": "1000", "vip": "true", "note": "x"}
    assert held() == {"points": "12.5"}


def test_the_api_takes_numbers_and_truths_and_says_which_field_is_wrong(
    shop: Account, alice: User
) -> None:
    made(shop, "Points", "number")
    made(shop, "VIP", "yes_no")
    _, token = apikey_create(account=shop, actor=alice, name="t", scopes=["read", "write"])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    body = {"phone": ANN, "custom": {"points": 12.5, "vip": False, "note": None}}
    answer = api.post("/api/v1/contacts/", body, format="json")
    bad = api.post(
        "/api/v1/contacts/bulk/",
        {"rows": [{"phone": BEN, "custom": {"points": "x"}}, {"phone": CLEO}]},
        format="json",
    )

    assert (answer.status_code, answer.data["custom"]) == (201, {"points": "12.5", "vip": "false"})
    assert [(r["status"], r["code"]) for r in bad.data["results"]] == [
        ("refused", "custom.points"),
        ("new", ""),
    ]


def test_an_import_refuses_the_row_whose_value_does_not_fit(shop: Account, media: Path) -> None:
    made(shop, "Born", "date")

    content = f"Phone,First name,Born\n{ANN},Ann,5/3/1980\n{BEN},Ben,unknown\n{CLEO},Cleo,\n"
    run = ran(shop, content.encode())

    run.refresh_from_db()
    refusal = ImportRefusal.objects.get(contact_import=run)
    assert (run.rows_new, run.rows_refused) == (2, 1)
    assert (refusal.line, refusal.reason) == (3, "bad_value")
    assert refusal.sentence.startswith("Born: “unknown” is no date.")
    assert (held(), held(CLEO)) == ({"born": "1980-05-03"}, {})


def test_undoing_an_import_brings_no_value_back_that_does_not_fit(
    shop: Account, media: Path
) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, custom={"points": "few", "n": "1"})
    contact_upsert(account=shop, actor=None, phone=BEN, custom={"points": "1,000"})
    run = ran(shop, f"Phone,Points\n{ANN},5\n{BEN},7\n{CLEO},9\n".encode())
    changed(CustomField.objects.get(key="points"), "number")

    import_undo(account=shop, actor=None, import_id=run.pk)
    import_undo_run(run.pk)

    assert held(ANN) == {"n": "1"}
    assert held(BEN) == {"points": "1000"}
    assert Contact.objects.get(phone=CLEO).deleted_at is not None


def test_no_type_changes_under_a_list_on_its_way_in(shop: Account, media: Path) -> None:
    field = made(shop, "Born", "text")
    run = started(shop, f"Phone,Born,Size\n{ANN},soon,M\n".encode(), dry_run=True)

    for kind in ("date", "yes_no"):
        with pytest.raises(FieldInImport):
            changed(field, kind)
    with pytest.raises(FieldInImport):
        made(shop, "Size", "number")
    with pytest.raises(FieldInImport):
        custom_field_delete(account=shop, actor=None, field_id=field.pk)
    changed(field, "text", label="Birthday")
    ContactImport.objects.filter(pk=run.pk).update(status=ImportStatus.CANCELED)
    changed(field, "date")

    assert CustomField.objects.get(key="born").kind == "date"
