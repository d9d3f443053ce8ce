"""Fields of the account's own: made, retyped where all values fit, deleted, held by rules."""

from typing import Any

import pytest

from accounts.models import Account, AuditEvent
from common.errors import Invalid, NotFound
from contacts.choices import FieldKind
from contacts.errors import FieldInRules, FieldMisfits, FieldNameTaken, RulesInvalid
from contacts.field_types import FieldType
from contacts.models import Contact, CustomField
from contacts.services import (
    contact_delete,
    contact_update,
    contact_upsert,
    custom_field_delete,
    group_create,
)
from tests.contacts.own_fields import ANN, BEN, CLEO, OWN, changed, held, made


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
