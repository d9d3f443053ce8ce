"""One person by API: two contacts merged into one, and a person erased."""

import pytest
from rest_framework.test import APIClient

from accounts.models import Account, AuditEvent, User
from contacts.choices import ConsentSource
from contacts.models import Contact, ErasedNumber, OptOut
from contacts.selectors import contacts_list, groups_of, tags_of
from contacts.services import (
    consent_revoke,
    contact_delete,
    contact_upsert,
    group_create,
)
from tests.contacts.test_api import client_of

pytestmark = pytest.mark.django_db

ANN, WORK = "+13055550101", "+13055550102"


@pytest.fixture
def api(shop: Account, alice: User) -> APIClient:
    return client_of(shop, alice, "read", "write")


@pytest.fixture
def eraser(shop: Account, alice: User) -> APIClient:
    return client_of(shop, alice, "erase")


@pytest.fixture
def ann(shop: Account) -> Contact:
    return contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="Ann", custom={"pet": "Rex", "size": "M"}
    )


@pytest.fixture
def work(shop: Account) -> Contact:
    """Ann again, with her number at work."""
    vip = group_create(account=shop, actor=None, name="VIP")
    return contact_upsert(
        account=shop,
        actor=None,
        phone=WORK,
        first_name="Anna",
        email="ann@x.example",
        custom={"pet": "Tom"},
        group_ids=[vip.pk],
        tags=["till"],
    )


def test_two_contacts_become_one(
    api: APIClient, shop: Account, alice: User, ann: Contact, work: Contact
) -> None:
    consent_revoke(account=shop, phone=WORK, source=ConsentSource.KEYWORD)
    body = {"other": work.pk, "take": ["email", "custom.pet"]}

    answer = api.post(f"/api/v1/contacts/{ann.pk}/merge/", body, format="json")

    assert answer.status_code == 200
    assert (answer.data["phone"], answer.data["first_name"]) == (ANN, "Ann")
    assert (answer.data["email"], answer.data["tags"]) == ("ann@x.example", ["till"])
    assert answer.data["custom"] == {"pet": "Tom", "size": "M"}
    assert answer.data["consent"] == "opted_out"
    kept = contacts_list(account=shop).get()
    assert [group.name for group in groups_of(account=shop, contact=kept)] == ["VIP"]
    assert [tag.name for tag in tags_of(account=shop, contact=kept)] == ["till"]
    assert Contact.objects.get(phone=WORK).merged_into == kept
    assert OptOut.objects.count() == 2
    assert AuditEvent.objects.get(action="contact.merged").actor == alice


def test_what_cannot_be_merged_stays_as_it_is(
    api: APIClient, shop: Account, other_shop: Account, charlie: User, ann: Contact, work: Contact
) -> None:
    theirs = contact_upsert(account=other_shop, actor=None, phone=ANN)
    url = f"/api/v1/contacts/{ann.pk}/merge/"
    stranger = client_of(other_shop, charlie, "read", "write")

    tries = [
        stranger.post(url, {"other": theirs.pk}, format="json"),
        api.post(url, {"other": theirs.pk}, format="json"),
        api.post(url, {"other": ann.pk}, format="json"),
        api.post(url, {"other": work.pk, "take": ["phone"]}, format="json"),
        api.post(url, {"take": []}, format="json"),
    ]

    assert [answer.status_code for answer in tries] == [404, 404, 422, 422, 422]
    assert list(contacts_list(account=shop).order_by("pk")) == [ann, work]
    assert not AuditEvent.objects.filter(action="contact.merged").exists()


def test_a_person_is_erased_live_or_deleted(
    eraser: APIClient, api: APIClient, shop: Account, alice: User, ann: Contact, work: Contact
) -> None:
    contact_delete(account=shop, actor=None, contact_id=work.pk)

    first, second = (
        eraser.post(f"/api/v1/contacts/{one.pk}/erase/").status_code for one in (ann, work)
    )
    again = eraser.post(f"/api/v1/contacts/{ann.pk}/erase/").status_code
    back = api.post("/api/v1/contacts/", {"phone": ANN}, format="json")

    assert (first, second, again) == (204, 204, 404)
    assert ErasedNumber.objects.filter(account=shop).count() == 2
    assert not Contact.objects.filter(phone__in=(ANN, WORK)).exists()
    assert (back.status_code, list(back.json()["fields"])) == (422, ["phone"])
    actors = AuditEvent.objects.filter(action="contact.erased").values_list("actor", flat=True)
    assert list(actors) == [alice.pk, alice.pk]


def test_no_other_key_erases_anybody(
    api: APIClient, other_shop: Account, charlie: User, ann: Contact
) -> None:
    url = f"/api/v1/contacts/{ann.pk}/erase/"
    stranger = client_of(other_shop, charlie, "erase")

    refused, unknown = api.post(url), stranger.post(url)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert not ErasedNumber.objects.exists()
    assert Contact.objects.get(pk=ann.pk).phone == ANN
