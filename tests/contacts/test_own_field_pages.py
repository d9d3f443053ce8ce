"""Pages of own fields, and how lists, forms and people show their values."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from contacts.models import Contact, CustomField
from contacts.services import contact_upsert
from tests.contacts.own_fields import ANN, BEN, OWN, held, made


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
