from typing import Any

import pytest

from accounts.models import Account, User
from common.clock import now
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource
from contacts.errors import ContactInvalid, OptedOut, PhoneTaken, TooManyRows
from contacts.models import ConsentEvent, Contact, CustomField, GroupMember, OptOut
from contacts.selectors import audience, contact_get, contacts_list, merge_fields
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_update,
    contact_upsert,
    contacts_unite,
    contacts_upsert_many,
    group_create,
)

ANN = "+13055550101"
BEN = "+13055550102"
CLEO = "+13055550103"


def test_a_phone_is_stored_as_e164_with_what_its_number_tells(shop: Account, alice: User) -> None:
    contact = contact_upsert(
        account=shop, actor=alice, phone="(305) 555-0101", first_name=" Ann ", email="ann@x.example"
    )

    assert (contact.phone, contact.first_name, contact.email) == (ANN, "Ann", "ann@x.example")
    assert (contact.region, contact.line_type, contact.consent) == ("US", "unknown", "unknown")


def test_blanks_complete_but_never_erase(shop: Account) -> None:
    contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="Ann", custom={"points": "5", "size": "M"}
    )

    contact = contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="", last_name="Lee", custom={"points": "7"}
    )

    assert (contact.first_name, contact.last_name) == ("Ann", "Lee")
    assert contact.custom == {"points": "7", "size": "M"}
    assert Contact.objects.count() == 1


def test_impossible_values_are_refused_by_field_and_nothing_is_stored(shop: Account) -> None:
    with pytest.raises(ContactInvalid) as refused:
        contact_upsert(account=shop, actor=None, phone="555-0199", first_name="Ann")

    assert list(refused.value.fields) == ["phone"]
    assert Contact.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_name", "x" * 81),
        ("email", "ann at home"),
        ("timezone", "Mars/Olympus"),
        ("custom", {"Bad Key": "1"}),
        ("custom", {"note": "x" * 501}),
    ],
)
def test_every_field_has_its_own_refusal(shop: Account, field: str, value: Any) -> None:
    with pytest.raises(ContactInvalid) as refused:
        contact_upsert(account=shop, actor=None, phone=ANN, **{field: value})

    assert list(refused.value.fields) == [field]
    assert Contact.objects.count() == 0


def test_many_rows_get_a_result_each_in_their_order(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben")

    results = contacts_upsert_many(
        account=shop,
        actor=None,
        rows=[
            {"phone": "305 555 0103", "first_name": "Cleo", "custom": {"loyalty_points": 12}},
            {"phone": "nobody"},
            {"phone": ANN, "first_name": "Anna"},
            {"phone": BEN},
            {},
        ],
    )

    assert [r.status for r in results] == ["new", "refused", "updated", "unchanged", "refused"]
    assert [r.code for r in results] == ["", "phone", "", "", "phone"]
    assert results[2].contact_id == Contact.objects.get(phone=ANN).pk
    assert Contact.objects.get(phone=ANN).first_name == "Anna"
    assert Contact.objects.get(phone="+13055550103").custom == {"loyalty_points": "12"}
    assert CustomField.objects.get().label == "Loyalty points"
    assert [f.name for f in merge_fields(account=shop)] == [
        "first_name", "last_name", "email", "phone", "custom.loyalty_points",
    ]  # fmt: skip


def test_of_rows_with_the_same_phone_the_last_counts(shop: Account) -> None:
    rows = [{"phone": ANN, "first_name": "Old"}, {"phone": "305-555-0101", "first_name": "New"}]

    results = contacts_upsert_many(account=shop, actor=None, rows=rows)

    assert [r.status for r in results] == ["duplicate", "new"]
    assert results[0].contact_id == results[1].contact_id == Contact.objects.get().pk
    assert Contact.objects.get().first_name == "New"


def test_a_row_with_an_unknown_field_is_refused_by_its_name(shop: Account) -> None:
    rows = [{"phone": ANN, "firstname": "Ann"}, {"phone": BEN}]

    results = contacts_upsert_many(account=shop, actor=None, rows=rows)

    assert [(r.status, r.code) for r in results] == [("refused", "firstname"), ("new", "")]
    assert Contact.objects.get().phone == BEN


def test_more_than_a_thousand_rows_are_refused_whole(shop: Account) -> None:
    with pytest.raises(TooManyRows):
        contacts_upsert_many(account=shop, actor=None, rows=[{"phone": ANN}] * 1001)

    assert Contact.objects.count() == 0


def test_another_accounts_group_is_not_found_and_nothing_is_stored(
    shop: Account, other_shop: Account
) -> None:
    theirs = group_create(account=other_shop, actor=None, name="VIP")

    with pytest.raises(NotFound):
        contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[theirs.pk])

    assert Contact.objects.count() == 0
    assert GroupMember.objects.count() == 0


def test_two_accounts_may_have_the_same_person(shop: Account, other_shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")
    contact_upsert(account=other_shop, actor=None, phone=ANN, first_name="Anna")

    assert contacts_list(account=shop).get().first_name == "Ann"
    assert contacts_list(account=other_shop).get().first_name == "Anna"


def test_a_deleted_contact_leaves_lists_and_groups(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    contact = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[vip.pk])

    contact_delete(account=shop, actor=None, contact_id=contact.pk)

    assert contacts_list(account=shop).count() == 0
    assert audience(account=shop, group_ids=[vip.pk]).count() == 0
    assert GroupMember.objects.count() == 0
    with pytest.raises(NotFound):
        contact_get(account=shop, contact_id=contact.pk)


def test_a_deleted_contact_comes_back_as_a_new_one_with_its_opt_out(shop: Account) -> None:
    first = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee")
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    contact_delete(account=shop, actor=None, contact_id=first.pk)

    (result,) = contacts_upsert_many(
        account=shop, actor=None, rows=[{"phone": ANN}], consent_wording="Signed the paper list"
    )

    back = contact_get(account=shop, contact_id=first.pk)
    assert (result.status, result.contact_id) == ("new", first.pk)
    assert (back.first_name, back.last_name, back.consent) == ("", "", Consent.OPTED_OUT)
    assert back.created_at > first.created_at
    assert ConsentEvent.objects.filter(kind="in").count() == 0


def test_an_edit_erases_what_is_emptied_and_keeps_what_is_not_named(shop: Account) -> None:
    contact = contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee", custom={"a": "1"}
    )

    changed = contact_update(account=shop, actor=None, contact_id=contact.pk, first_name="")

    changed.refresh_from_db()
    assert (changed.first_name, changed.last_name, changed.custom) == ("", "Lee", {"a": "1"})


def test_an_edit_to_another_contacts_phone_is_refused(shop: Account) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN)
    ben = contact_upsert(account=shop, actor=None, phone=BEN)

    with pytest.raises(PhoneTaken) as refused:
        contact_update(account=shop, actor=None, contact_id=ann.pk, phone=BEN)

    assert refused.value.contact_id == ben.pk
    assert Contact.objects.get(pk=ann.pk).phone == ANN


def test_a_new_phone_keeps_groups_and_takes_the_consent_of_that_phone(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    ann = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", group_ids=[vip.pk])
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD)

    moved = contact_update(account=shop, actor=None, contact_id=ann.pk, phone=BEN)

    assert (moved.phone, moved.first_name, moved.consent) == (BEN, "Ann", Consent.OPTED_OUT)
    assert list(audience(account=shop, group_ids=[vip.pk])) == [moved]
    assert [c.phone for c in contacts_list(account=shop)] == [BEN]
    opt_outs = OptOut.objects.filter(account=shop).order_by("phone")
    assert list(opt_outs.values_list("phone", "source")) == [(ANN, "person"), (BEN, "keyword")]


def test_a_stop_goes_along_to_a_new_phone_and_to_all_who_are_merged_later(shop: Account) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN)
    cleo = contact_upsert(account=shop, actor=None, phone=CLEO)
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    moved = contact_update(account=shop, actor=None, contact_id=ann.pk, phone=BEN)
    assert moved.consent == Consent.OPTED_OUT
    with pytest.raises(OptedOut):
        consent_grant(
            account=shop, phone=BEN, source=ConsentSource.MANUAL, wording="Signed for the new one"
        )
    consent_grant(account=shop, phone=BEN, source=ConsentSource.KEYWORD, wording="START")
    assert list(OptOut.objects.filter(account=shop).values_list("phone", flat=True)) == [ANN]

    kept = contacts_unite(account=shop, actor=None, contact_id=cleo.pk, other_id=moved.pk)

    assert kept.consent == Consent.OPTED_OUT
    opt_outs = OptOut.objects.filter(account=shop).order_by("phone")
    # Ben's number came back by its own text, after the STOP that Cleo's learns of now.
    assert list(opt_outs.values_list("phone", "source")) == [(ANN, "keyword"), (CLEO, "person")]
    said = ConsentEvent.objects.filter(account=shop, phone=CLEO).get().wording
    today = f"{now():%d %b %Y}"
    assert said == f"Left under another number on {today} (texted a keyword); they are one person"


def test_an_audience_has_each_person_once(shop: Account, other_shop: Account) -> None:
    a = group_create(account=shop, actor=None, name="A")
    b = group_create(account=shop, actor=None, name="B")
    ann = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[a.pk, b.pk])
    ben = contact_upsert(account=shop, actor=None, phone=BEN, group_ids=[b.pk])

    people = audience(account=shop, group_ids=[a.pk, b.pk])

    assert sorted(c.pk for c in people) == [ann.pk, ben.pk]
    assert list(audience(account=shop, group_ids=[a.pk])) == [ann]
    assert list(audience(account=other_shop, group_ids=[a.pk, b.pk])) == []
    assert list(audience(account=shop, group_ids=[])) == []


@pytest.mark.parametrize(
    "search",
    ["ann", "LEE", "ann lee", "an le", "305-555-0101", "+1 305 555", "(305) 5550101", "ann@x"],
)
def test_search_finds_by_beginnings_in_any_form(shop: Account, search: str) -> None:
    contact_upsert(
        account=shop,
        actor=None,
        phone=ANN,
        first_name="Ann",
        last_name="Lee",
        email="ann@x.example",
    )
    contact_upsert(account=shop, actor=None, phone="+12125550102", first_name="Ben")

    found = contacts_list(account=shop, search=search)

    assert [c.first_name for c in found] == ["Ann"]


@pytest.mark.parametrize("search", ["zoe", "' OR 1=1 --", "&|!:*", "\0", "++", "ann & ben"])
def test_search_takes_any_text_and_finds_nothing_wrong(shop: Account, search: str) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")

    assert list(contacts_list(account=shop, search=search)) == []


def test_lists_filter_by_group_and_consent(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[vip.pk])
    contact_upsert(account=shop, actor=None, phone=BEN)
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.MANUAL)

    assert [c.phone for c in contacts_list(account=shop, group=vip.pk)] == [ANN]
    assert [c.phone for c in contacts_list(account=shop, consent="opted_out")] == [BEN]
    assert contacts_list(account=shop, group=vip.pk, consent="opted_out").count() == 0
