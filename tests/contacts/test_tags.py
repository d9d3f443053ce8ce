"""Tags: on a contact, by file, by program, in rules and lists; one word a name; never another's."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Account, AuditEvent, User
from accounts.services import apikey_create
from common.errors import Invalid, NotFound
from contacts.choices import ImportPurpose
from contacts.errors import MappingInvalid, RuleTargetMissing, TagInRules, TagNameTaken
from contacts.membership import members
from contacts.models import Contact, ContactImport, ContactTag, Tag
from contacts.selectors import contacts_list, tags_list
from contacts.services import (
    contact_delete,
    contact_tag_remove,
    contact_tags_add,
    contact_tags_set,
    contact_update,
    contact_upsert,
    contacts_upsert_many,
    group_create,
    import_create,
    import_start,
    import_undo,
    tag_delete,
    tag_rename,
)
from contacts.services.undoing import import_undo_run
from tests.contacts.importing import ran

ANN = "+13055550101"
BEN = "+13055550102"
CLEO = "+13055550103"


def person(account: Account, phone: str = ANN, **values: Any) -> Contact:
    return contact_upsert(account=account, actor=None, phone=phone, **values)


def worn(phone: str = ANN) -> list[str]:
    tags = ContactTag.objects.filter(contact__phone=phone).order_by("tag__name")
    return list(tags.values_list("tag__name", flat=True))


def test_a_tag_is_one_word_however_it_is_written(shop: Account, other_shop: Account) -> None:
    ann, theirs = person(shop), person(other_shop)

    contact_tags_add(account=shop, actor=None, contact_id=ann.pk, names=["  VIP ", "new  here", ""])
    contact_tags_add(account=shop, actor=None, contact_id=ann.pk, names=["vip", "Vip"])
    contact_tags_add(account=other_shop, actor=None, contact_id=theirs.pk, names=["vip"])

    assert [(tag.name, vars(tag)["size"]) for tag in tags_list(account=shop)] == [
        ("new here", 1),
        ("VIP", 1),
    ]
    assert [(tag.name, vars(tag)["size"]) for tag in tags_list(account=other_shop)] == [("vip", 1)]


@pytest.mark.parametrize("name", ["x" * 41, "a, b"])
def test_a_name_that_cannot_be_changes_nothing(shop: Account, name: str) -> None:
    ann = person(shop)

    with pytest.raises(Invalid) as refused:
        contact_tags_add(account=shop, actor=None, contact_id=ann.pk, names=["fine", name])

    assert list(refused.value.fields) == ["tags"]
    assert not Tag.objects.exists()


def test_tags_are_set_taken_off_and_go_with_the_contact(shop: Account, other_shop: Account) -> None:
    ann, ben = person(shop), person(shop, BEN)
    for contact in (ann, ben):
        contact_tags_set(account=shop, actor=None, contact_id=contact.pk, names=["a", "b"])

    contact_tags_set(account=shop, actor=None, contact_id=ann.pk, names=["B", "c"])
    set_to = worn()
    b = Tag.objects.get(name="b")
    with pytest.raises(NotFound):
        contact_tag_remove(account=other_shop, actor=None, contact_id=ann.pk, tag_id=b.pk)
    contact_tag_remove(account=shop, actor=None, contact_id=ann.pk, tag_id=b.pk)
    left = worn()
    moved = contact_update(account=shop, actor=None, contact_id=ann.pk, phone=CLEO)
    taken_along = worn(CLEO)
    contact_delete(account=shop, actor=None, contact_id=moved.pk)

    assert (set_to, left, taken_along) == (["b", "c"], ["c"], ["c"])
    assert (worn(), worn(CLEO), worn(BEN)) == ([], [], ["a", "b"])


def test_renaming_and_deleting(shop: Account, other_shop: Account) -> None:
    ann = person(shop)
    contact_tags_add(account=shop, actor=None, contact_id=ann.pk, names=["a", "b"])
    a, b = Tag.objects.order_by("name")

    with pytest.raises(TagNameTaken):
        tag_rename(account=shop, actor=None, tag_id=a.pk, name="B")
    with pytest.raises(NotFound):
        tag_rename(account=other_shop, actor=None, tag_id=a.pk, name="x")
    tag_rename(account=shop, actor=None, tag_id=a.pk, name="A")
    with pytest.raises(NotFound):
        tag_delete(account=other_shop, actor=None, tag_id=b.pk)

    assert tag_delete(account=shop, actor=None, tag_id=b.pk) == 1
    assert worn() == ["A"]
    events = AuditEvent.objects.filter(action__startswith="tag.").order_by("action")
    assert list(events.values_list("action", flat=True)) == ["tag.deleted", "tag.renamed"]


def test_a_smart_group_asks_for_tags_and_holds_them(shop: Account, other_shop: Account) -> None:
    for phone, names in ((ANN, ["a"]), (BEN, ["a", "b"]), (CLEO, [])):
        one = person(shop, phone)
        contact_tags_add(account=shop, actor=None, contact_id=one.pk, names=names)
    a, b = Tag.objects.order_by("name")
    theirs = Tag.objects.create(account=other_shop, name="a")

    def fits(name: str, rules: dict[str, Any]) -> list[str]:
        group = group_create(account=shop, actor=None, name=name, rules=rules)
        found = members(account=shop, group_ids=[group.pk])
        return sorted(found.values_list("phone", flat=True))

    has = {"tag": a.pk}
    assert fits("a", has) == [ANN, BEN]
    assert fits("a alone", {"all": [has, {"not": {"tag": b.pk}}]}) == [ANN]
    assert fits("none", {"not": {"any": [has, {"tag": b.pk}]}}) == [CLEO]
    with pytest.raises(RuleTargetMissing):
        fits("theirs", {"tag": theirs.pk})
    with pytest.raises(TagInRules):
        tag_delete(account=shop, actor=None, tag_id=a.pk)
    assert worn(BEN) == ["a", "b"]


def test_many_by_a_program_are_tagged_and_a_dry_run_makes_no_tag(
    shop: Account, other_shop: Account
) -> None:
    person(other_shop)
    rows = [{"phone": ANN}, {"phone": "1"}, {"phone": BEN}]

    contacts_upsert_many(account=shop, actor=None, rows=rows, tags=["fair"], dry_run=True)
    tried = Tag.objects.count()
    contacts_upsert_many(account=shop, actor=None, rows=rows, tags=["fair", "FAIR", "till"])

    assert tried == 0
    assert (worn(), worn(BEN)) == (["fair", "till"], ["fair", "till"])
    assert ContactTag.objects.filter(account=other_shop).count() == 0


def test_the_api_adds_replaces_gives_and_filters(shop: Account, alice: User) -> None:
    _, token = apikey_create(account=shop, actor=alice, name="t", scopes=["read", "write"])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    made = api.post("/api/v1/contacts/", {"phone": ANN, "tags": ["VIP", "b"]}, format="json")
    url = f"/api/v1/contacts/{made.data['id']}/"
    kept = api.patch(url, {"last_name": "Lee"}, format="json")
    replaced = api.patch(url, {"tags": ["vip", "a"]}, format="json")
    bad = api.patch(url, {"last_name": "Other", "tags": ["a,b"]}, format="json")
    many = {"rows": [{"phone": BEN}], "tags": ["a"]}
    api.post("/api/v1/contacts/bulk/", many, format="json")
    found = api.get("/api/v1/contacts/?tag=A").data["results"]

    assert (made.status_code, made.data["tags"]) == (201, ["b", "VIP"])
    assert kept.data["tags"] == ["b", "VIP"]
    assert replaced.data["tags"] == ["a", "VIP"]
    assert (bad.status_code, list(bad.data["fields"])) == (422, ["tags"])
    assert [(one["phone"], one["tags"]) for one in found] == [(BEN, ["a"]), (ANN, ["a", "VIP"])]
    assert Contact.objects.get(phone=ANN).last_name == "Lee"


def test_a_file_tags_its_people_and_its_undo_takes_the_tags_back(
    shop: Account, media: Path
) -> None:
    ann, ben = person(shop, first_name="Ann"), person(shop, BEN)
    contact_tags_add(account=shop, actor=None, contact_id=ben.pk, names=["fair"])
    content = f"Phone,First name\n{ANN},Anna\n{BEN},Ben\n{CLEO},Cleo\n".encode()

    checked = ran(shop, content, tags=["new"], dry_run=True)
    tried = Tag.objects.filter(name="new").exists()
    run = ran(shop, content, tags=["Fair", "2026"])
    after = (worn(), worn(BEN), worn(CLEO))
    contact_tags_add(account=shop, actor=None, contact_id=ann.pk, names=["later"])
    import_undo(account=shop, actor=None, import_id=run.pk)
    import_undo_run(run.pk)

    run.refresh_from_db()
    assert (checked.tags, tried) == (["new"], False)
    assert after == (["2026", "fair"], ["2026", "fair"], ["2026", "fair"])
    assert (worn(), worn(BEN), worn(CLEO)) == (["2026", "fair", "later"], ["fair"], [])
    assert (run.people_left, run.people_restored, run.people_removed) == (1, 1, 1)


def test_nobody_of_an_opt_out_list_is_tagged(shop: Account, media: Path) -> None:
    upload = SimpleUploadedFile("out.csv", f"Phone\n{ANN}\n".encode())
    out = import_create(account=shop, actor=None, upload=upload, purpose=ImportPurpose.OPT_OUTS)

    with pytest.raises(MappingInvalid):
        import_start(account=shop, actor=None, import_id=out.pk, mapping=["phone"], tags=["x"])


@pytest.fixture
def page(shop: Account, alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def test_the_pages_show_put_on_take_off_rename_and_delete(page: Client, shop: Account) -> None:
    ann = person(shop, first_name="Ann")
    person(shop, BEN, first_name="Ben")

    page.post(reverse("contact_tag", args=[ann.pk]), {"names": "Regular, till"})
    regular, till = Tag.objects.order_by("name")
    detail = page.get(reverse("contact_detail", args=[ann.pk])).content.decode()
    listed = page.get(reverse("tag_list")).content.decode()
    people = page.get(reverse("contact_list"), {"tag": regular.pk}).content.decode()
    page.post(reverse("contact_untag", args=[ann.pk, till.pk]))
    off = worn()
    page.post(reverse("tag_edit", args=[regular.pk]), {"name": "Stammgast"})
    renamed = worn()
    too_long = page.post(reverse("contact_tag", args=[ann.pk]), {"names": "x" * 41}, follow=True)
    page.post(reverse("tag_delete", args=[regular.pk]))

    assert "Take the tag Regular off" in detail
    assert f"{reverse('contact_list')}?tag={till.pk}" in listed
    assert (">Ann<" in people, ">Ben<" in people) == (True, False)
    assert '<span class="tag">Regular</span>' in people
    assert (off, renamed, worn()) == (["Regular"], ["Stammgast"], [])
    assert "cannot be a tag" in too_long.content.decode()
    assert contacts_list(account=shop).count() == 2


def test_an_import_asks_for_tags_on_its_page(page: Client, shop: Account, media: Path) -> None:
    file = SimpleUploadedFile("fair.csv", f"Phone\n{ANN}\n".encode())
    page.post(reverse("import_create"), {"file": file})
    run = ContactImport.objects.get()
    columns = page.get(reverse("import_detail", args=[run.pk])).content.decode()
    page.post(
        reverse("import_start", args=[run.pk]),
        {"column_0": "phone", "unknown": "on", "tags": "fair, 2026"},
    )

    run.refresh_from_db()
    assert "Tag everybody" in columns
    assert run.tags == ["fair", "2026"]
