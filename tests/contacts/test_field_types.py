"""What fields of each type take, keep and say; made, retyped and deleted, by service and page."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.models import Account, AuditEvent, User
from accounts.services import apikey_create
from common.errors import Invalid, NotFound
from contacts.choices import FieldKind, ImportStatus
from contacts.errors import (
    ContactInvalid,
    FieldInImport,
    FieldInRules,
    FieldMisfits,
    FieldNameTaken,
    RulesInvalid,
)
from contacts.field_types import FieldType, reader, words, words_sql
from contacts.fields import FieldError
from contacts.models import Contact, ContactImport, CustomField, ImportRefusal
from contacts.services import (
    contact_delete,
    contact_update,
    contact_upsert,
    custom_field_change,
    custom_field_create,
    custom_field_delete,
    group_create,
    import_create,
    import_run,
    import_start,
    import_undo,
)
from contacts.services.undoing import import_undo_run

ANN = "+13055550101"
BEN = "+13055550102"
CLEO = "+13055550103"
OWN = {
    "points": FieldType(FieldKind.NUMBER, label="Points"),
    "born": FieldType(FieldKind.DATE, label="Born"),
    "vip": FieldType(FieldKind.YES_NO, label="VIP"),
    "size": FieldType(FieldKind.CHOICE, ("Small", "Large"), "Size"),
}


@pytest.mark.parametrize(
    ("key", "typed", "kept"),
    [
        ("points", "12", "12"),
        ("points", "-012,345.50", "-12345.5"),
        ("points", "+7.", "7"),
        ("points", ".5", "0.5"),
        ("points", "-0.00", "0"),
        ("points", "1 234 567", "1234567"),
        ("born", "2026-05-03", "2026-05-03"),
        ("born", "2026/5/3 00:00:00", "2026-05-03"),
        ("born", "5/3/2026", "2026-05-03"),
        ("born", "3.5.2026", "2026-05-03"),
        ("born", "3 May 2026", "2026-05-03"),
        ("born", "September 9, 1980", "1980-09-09"),
        ("vip", "YES", "true"),
        ("vip", "True", "true"),
        ("vip", "0", "false"),
        ("size", "large", "Large"),
        ("other", "as it is", "as it is"),
        ("points", "  ", ""),
    ],
)
def test_a_value_is_kept_in_one_form(key: str, typed: str, kept: str) -> None:
    assert reader(OWN, "US")(key, typed) == kept


def test_a_day_with_slashes_is_read_as_in_the_accounts_country() -> None:
    assert reader(OWN, "GB")("born", "5/3/2026") == "2026-03-05"
    assert reader(OWN, "GB")("born", "31/12/2026") == "2026-12-31"


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        *(
            ("points", text)
            for text in ("many", "12,5", "1,23", "1e5", ".", "-", "$5", "٣", "9" * 31)
        ),
        *(("born", text) for text in ("soon", "2026-02-30", "13/13/2026", "3/5/26", "0000-01-01")),
        *(("born", text) for text in ("5 Mai 2026", "20260503", "1/2.2026")),
        *(("vip", text) for text in ("maybe", "2", "yes!")),
        *(("size", text) for text in ("Medium", "Smal", "Small, Large")),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(key: str, typed: str) -> None:
    with pytest.raises(FieldError) as refused:
        reader(OWN, "US")(key, typed)

    assert (refused.value.field, refused.value.reason) == (f"custom.{key}", "bad_value")
    assert OWN[key].label in refused.value.sentence


@given(st.text(max_size=30), st.sampled_from(sorted(OWN)))
def test_what_was_kept_is_kept_again(typed: str, key: str) -> None:
    read = reader(OWN, "US")
    try:
        kept = read(key, typed)
    except FieldError:
        return
    assert read(key, kept) == kept


def _said(kind: str, values: list[str | None]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {words_sql(kind, 'v')} FROM unnest(%s::text[]) WITH ORDINALITY u(v, n)"
            " ORDER BY n",
            [values],
        )
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_the_statement_says_what_python_says() -> None:
    odd = ["", "x", "2026-02-30", "2026-13-01", "today", "May 3, 2026", "0000-00-00", "9999-12-31"]
    days = [date.fromordinal(n).isoformat() for n in range(1, 3_000_000, 1_013)]
    for kind in FieldKind.values:
        values = [*odd, *days, "0001-01-01", "true", "false", "True", "12.5"]
        assert _said(kind, [*values, None]) == [*(words(kind, value) for value in values), ""]
    assert words("date", "2026-05-03") == "3 May 2026"
    assert words("yes_no", "true") == "Yes"


def made(account: Account, label: str, kind: str, options: str = "") -> CustomField:
    return custom_field_create(account=account, actor=None, label=label, kind=kind, options=options)


def changed(field: CustomField, kind: str, options: str = "", label: str = "") -> CustomField:
    return custom_field_change(
        account=field.account,
        actor=None,
        field_id=field.pk,
        label=label or field.label,
        kind=kind,
        options=options,
    )


def held(phone: str = ANN) -> dict[str, str]:
    return Contact.objects.get(phone=phone).custom


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


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def imported(account: Account, content: str, **settings: Any) -> ContactImport:
    upload = SimpleUploadedFile("spring.csv", content.encode())
    found = import_create(account=account, actor=None, upload=upload)
    import_start(account=account, actor=None, import_id=found.pk, mapping=found.mapping, **settings)
    return found


def test_an_import_refuses_the_row_whose_value_does_not_fit(shop: Account, media: None) -> None:
    made(shop, "Born", "date")

    run = imported(
        shop,
        f"Phone,First name,Born\n{ANN},Ann,5/3/1980\n{BEN},Ben,unknown\n{CLEO},Cleo,\n",
    )
    import_run(run.pk)

    run.refresh_from_db()
    refusal = ImportRefusal.objects.get(contact_import=run)
    assert (run.rows_new, run.rows_refused) == (2, 1)
    assert (refusal.line, refusal.reason) == (3, "bad_value")
    assert refusal.sentence.startswith("Born: “unknown” is no date.")
    assert (held(), held(CLEO)) == ({"born": "1980-05-03"}, {})


def test_a_type_is_taken_only_where_all_values_fit(shop: Account) -> None:
    for phone, born in ((ANN, "5/3/1980"), (BEN, "no idea"), (CLEO, "3 May 1980")):
        contact_upsert(account=shop, actor=None, phone=phone, custom={"born": born, "n": "1"})
    for n in range(2):
        contact_upsert(account=shop, actor=None, phone=f"+1305555011{n}", custom={"born": "?"})
    field = CustomField.objects.get(key="born")

    with pytest.raises(FieldMisfits) as refused:
        changed(field, "date")
    untouched = (held(), CustomField.objects.get(key="born").kind)
    for contact in Contact.objects.filter(custom__born="?"):
        contact_delete(account=shop, actor=None, contact_id=contact.pk)
    ben = Contact.objects.get(phone=BEN)
    contact_update(account=shop, actor=None, contact_id=ben.pk, custom={"n": "1"})
    before = Contact.objects.get(phone=ANN).updated_at
    changed(field, "date", label="Birthday")

    assert (refused.value.people, refused.value.values) == (3, [("?", 2), ("no idea", 1)])
    assert untouched == ({"born": "5/3/1980", "n": "1"}, "text")
    assert held() == held(CLEO) == {"born": "1980-05-03", "n": "1"}
    assert Contact.objects.get(phone=ANN).updated_at == before
    assert [c.custom for c in Contact.objects.exclude(deleted_at=None)] == [{}, {}]
    field.refresh_from_db()
    assert (field.key, field.label, field.kind) == ("born", "Birthday", "date")
    assert AuditEvent.objects.filter(action="field.changed", subject="Birthday").count() == 1


def test_back_to_text_values_are_the_words_that_people_read(shop: Account) -> None:
    vip, born = made(shop, "VIP", "yes_no"), made(shop, "Born", "date")
    contact_upsert(account=shop, actor=None, phone=ANN, custom={"vip": "1", "born": "2026-05-03"})

    changed(vip, "text")
    changed(born, "text")
    said = held()
    changed(born, "date")
    changed(vip, "choice", "Yes\nNo\nyes\n")

    assert said == {"vip": "Yes", "born": "3 May 2026"}
    assert held() == {"vip": "Yes", "born": "2026-05-03"}
    assert CustomField.objects.get(key="vip").options == ["Yes", "No"]


def test_an_option_that_somebody_has_stays(shop: Account) -> None:
    size = made(shop, "Size", "choice", "Small\nLarge")
    contact_upsert(account=shop, actor=None, phone=ANN, custom={"size": "LARGE"})

    with pytest.raises(FieldMisfits) as refused:
        changed(size, "choice", "Small\nMedium")
    changed(size, "choice", "large\nMedium")

    assert refused.value.values == [("Large", 1)]
    assert held() == {"size": "large"}


@pytest.mark.parametrize(
    ("label", "kind", "options"),
    [
        (" ", "text", ""),
        ("x" * 81, "text", ""),
        ("生日", "text", ""),
        ("Size", "colour", ""),
        ("Size", "choice", " \n "),
        ("Size", "choice", "Small, medium"),
        ("Size", "choice", "\n".join(f"o{n}" for n in range(51))),
    ],
)
def test_a_field_that_cannot_be_is_not_made(
    shop: Account, label: str, kind: str, options: str
) -> None:
    with pytest.raises(Invalid):
        made(shop, label, kind, options)

    assert not CustomField.objects.exists()


def test_two_fields_never_share_a_key(shop: Account, other_shop: Account) -> None:
    made(shop, "Shoe size", "number")
    made(other_shop, "Shoe size", "text")

    with pytest.raises(FieldNameTaken):
        made(shop, "shoe  SIZE", "text")

    assert CustomField.objects.count() == 2


def test_deleting_a_field_deletes_its_values_of_this_account_alone(
    shop: Account, other_shop: Account
) -> None:
    for account in (shop, other_shop):
        contact_upsert(account=account, actor=None, phone=ANN, custom={"note": "x", "n": "1"})
    field = CustomField.objects.get(account=shop, key="note")

    with pytest.raises(NotFound):
        custom_field_delete(account=other_shop, actor=None, field_id=field.pk)
    custom_field_delete(account=shop, actor=None, field_id=field.pk)

    assert Contact.objects.get(account=shop).custom == {"n": "1"}
    assert Contact.objects.get(account=other_shop).custom == {"note": "x", "n": "1"}
    assert sorted(CustomField.objects.values_list("account__name", "key")) == [
        ("Another shop", "n"), ("Another shop", "note"), ("Flower shop", "n"),
    ]  # fmt: skip


def test_rules_that_ask_for_a_field_hold_it(shop: Account) -> None:
    points = made(shop, "Points", "text")
    rich = {"field": "custom.points", "op": "is", "value": "1,000"}
    group = group_create(account=shop, actor=None, name="Rich", rules={"not": rich})
    odd = {"field": "custom.points", "op": "contains", "value": "1"}
    other = group_create(account=shop, actor=None, name="Odd", rules=odd)

    with pytest.raises(FieldInRules, match="Odd"):
        changed(points, "number")
    other.delete()
    changed(points, "number")
    with pytest.raises(FieldInRules, match="Rich"):
        custom_field_delete(account=shop, actor=None, field_id=points.pk)

    group.refresh_from_db()
    assert group.rules == {"not": {**rich, "value": "1000"}}


@pytest.mark.parametrize(
    ("label", "op", "value", "kept"),
    [
        ("points", "is", "1,000.0", "1000"),
        ("points", "contains", "1", None),
        ("points", "one_of", ["1"], None),
        ("points", "before", "2026-01-01", None),
        ("born", "is", "2026-05-03", "2026-05-03"),
        ("born", "is", "5/3/2026", None),
        ("born", "less_than", "1", None),
        ("vip", "is", "yes", "true"),
        ("vip", "is", "maybe", None),
        ("size", "one_of", ["small", "SMALL", "large"], ["Small", "Large"]),
        ("size", "is", "Medium", None),
        ("size", "contains", "S", None),
        ("note", "less_than", "1", None),
    ],
)
def test_a_rule_asks_what_the_field_answers(
    shop: Account, label: str, op: str, value: Any, kept: Any
) -> None:
    for key, own in {**OWN, "note": FieldType(FieldKind.TEXT)}.items():
        made(shop, key, own.kind, "\n".join(own.options))
    rules = {"any": [{"field": f"custom.{label}", "op": op, "value": value}, {"did": "sent"}]}

    if kept is None:
        with pytest.raises(RulesInvalid):
            group_create(account=shop, actor=None, name="G", rules=rules)
    else:
        group = group_create(account=shop, actor=None, name="G", rules=rules)
        assert group.rules == {"any": [{**rules["any"][0], "value": kept}, {"did": "sent"}]}


def test_no_type_changes_under_a_list_on_its_way_in(shop: Account, media: None) -> None:
    field = made(shop, "Born", "text")
    run = imported(shop, f"Phone,Born,Size\n{ANN},soon,M\n", dry_run=True)

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


def test_undoing_an_import_brings_no_value_back_that_does_not_fit(
    shop: Account, media: None
) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, custom={"points": "few", "n": "1"})
    contact_upsert(account=shop, actor=None, phone=BEN, custom={"points": "1,000"})
    run = imported(shop, f"Phone,Points\n{ANN},5\n{BEN},7\n{CLEO},9\n")
    import_run(run.pk)
    changed(CustomField.objects.get(key="points"), "number")

    import_undo(account=shop, actor=None, import_id=run.pk)
    import_undo_run(run.pk)

    assert held(ANN) == {"n": "1"}
    assert held(BEN) == {"points": "1000"}
    assert Contact.objects.get(phone=CLEO).deleted_at is not None


@pytest.fixture
def page(shop: Account, alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def test_the_pages_make_change_and_delete_a_field(page: Client, shop: Account) -> None:
    made_at = page.post(
        reverse("field_create"), {"label": "Shirt size", "kind": "choice", "options": "S\nM"}
    )
    field = CustomField.objects.get(account=shop)
    listed = page.get(reverse("field_list")).content.decode()
    contact_upsert(account=shop, actor=None, phone=ANN, custom={"shirt_size": "m"})
    edit = reverse("field_edit", args=[field.pk])
    refused = page.post(edit, {"label": "Shirt", "kind": "number"})
    shown = refused.content.decode()
    saved = page.post(edit, {"label": "Shirt", "kind": "text"})
    deleted = page.post(reverse("field_delete", args=[field.pk]))

    assert made_at["Location"] == saved["Location"] == deleted["Location"] == reverse("field_list")
    assert "Shirt size" in listed
    assert "{{custom.shirt_size}}" in listed
    assert refused.status_code == 422
    assert "1 person has a value that does not fit this type." in shown
    assert f"{reverse('contact_list')}?own=custom.shirt_size&amp;value=M" in shown
    assert held() == {}
    assert not CustomField.objects.exists()


def test_the_list_of_people_opens_by_a_value(page: Client, shop: Account) -> None:
    made(shop, "VIP", "yes_no")
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", custom={"vip": "y"})
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben", custom={"vip": "n"})

    query = {"own": "custom.vip", "value": "true"}
    shown = page.get(reverse("contact_list"), query).content.decode()
    odd = page.get(reverse("contact_list"), {"own": "first_name", "value": "Ann"}).content.decode()

    assert "Only people whose “VIP” is “Yes”." in shown
    assert (">Ann<" in shown, ">Ben<" in shown) == (True, False)
    assert ">Ann<" not in odd


def test_a_contacts_form_and_page_know_the_types(page: Client, shop: Account) -> None:
    for key, own in OWN.items():
        made(shop, key, own.kind, "\n".join(own.options))
    typed = {
        "phone": ANN,
        "unknown": "on",
        "custom.points": "1,000",
        "custom.born": "2026-05-03",
        "custom.vip": "true",
        "custom.size": "Large",
    }

    page.post(reverse("contact_create"), typed)
    contact = Contact.objects.get()
    bad = page.post(reverse("contact_edit", args=[contact.pk]), {**typed, "custom.points": "lots"})
    shown = page.get(reverse("contact_detail", args=[contact.pk])).content.decode()
    form = page.get(reverse("contact_edit", args=[contact.pk])).content.decode()

    assert contact.custom == {
        "points": "1000", "born": "2026-05-03", "vip": "true", "size": "Large",
    }  # fmt: skip
    assert bad.status_code == 422
    assert bad.context["form"].errors["custom.points"] == [
        "points: “lots” is no number. Write it like 12.5, or leave it empty."
    ]
    assert "3 May 2026" in shown
    assert '<dd class="break-anywhere">Yes</dd>' in shown
    assert 'type="date"' in form
    assert '<option value="Large" selected>' in form
