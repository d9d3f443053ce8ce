"""Deleted contacts: listed, brought back as they were, by import as new ones."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource
from contacts.models import Contact, GroupMember
from contacts.selectors import contacts_deleted, contacts_list
from contacts.services import (
    consent_revoke,
    contact_delete,
    contact_restore,
    contact_upsert,
    group_create,
    import_create,
    import_run,
    import_start,
    person_erase,
)

ANN, BEN, CLEO = (f"+1305555010{n}" for n in range(1, 4))


@pytest.fixture
def ann(shop: Account) -> Contact:
    """Ann Lee, in a group, deleted."""
    group = group_create(account=shop, actor=None, name="VIP")
    contact = contact_upsert(
        account=shop,
        actor=None,
        phone=ANN,
        first_name="Ann",
        last_name="Lee",
        custom={"pet": "Rex"},
        group_ids=[group.pk],
        consent_wording="Till",
    )
    contact_delete(account=shop, actor=None, contact_id=contact.pk)
    return contact


def deleted(account: Account) -> list[str]:
    return sorted(contacts_deleted(account=account).values_list("phone", flat=True))


def test_only_who_was_a_contact_is_listed(
    shop: Account, other_shop: Account, alice: User, ann: Contact
) -> None:
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD)  # never a contact
    cleo = contact_upsert(account=shop, actor=None, phone=CLEO)
    assert deleted(shop) == [ANN]

    contact_delete(account=shop, actor=None, contact_id=cleo.pk)
    assert deleted(shop) == [ANN, CLEO]
    person_erase(account=shop, actor=alice, contact_id=cleo.pk)
    assert deleted(shop) == [ANN]
    assert deleted(other_shop) == []


def test_a_restored_contact_is_as_it_was_but_in_no_group(
    shop: Account, alice: User, ann: Contact
) -> None:
    back = contact_restore(account=shop, actor=alice, contact_id=ann.pk)

    assert contacts_list(account=shop).get() == back
    back.refresh_from_db()
    assert (back.full_name, back.custom, back.consent) == (
        "Ann Lee",
        {"pet": "Rex"},
        Consent.OPTED_IN,
    )
    assert back.created_at == ann.created_at
    assert not GroupMember.objects.exists()
    assert AuditEvent.objects.get(action="contact.restored").subject == ANN
    assert deleted(shop) == []


def test_who_left_meanwhile_stays_out(shop: Account, ann: Contact) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    back = contact_restore(account=shop, actor=None, contact_id=ann.pk)

    assert back.consent == Consent.OPTED_OUT


def test_nobody_restores_a_live_contact_or_a_strangers(
    shop: Account, other_shop: Account, ann: Contact
) -> None:
    live = contact_upsert(account=shop, actor=None, phone=BEN)

    for account, contact in ((shop, live), (other_shop, ann)):
        with pytest.raises(NotFound):
            contact_restore(account=account, actor=None, contact_id=contact.pk)

    assert deleted(shop) == [ANN]
    assert not AuditEvent.objects.filter(action="contact.restored").exists()


def test_an_import_brings_a_deleted_number_back_as_a_new_contact(
    shop: Account, ann: Contact, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    upload = SimpleUploadedFile("list.csv", b"phone,first name\n3055550101,Anna\n")
    found = import_create(account=shop, actor=None, upload=upload)
    import_start(account=shop, actor=None, import_id=found.pk, mapping=found.mapping)
    import_run(found.pk)

    back = contacts_list(account=shop).get()
    found.refresh_from_db()
    assert (found.rows_new, back.pk, back.full_name, back.custom) == (1, ann.pk, "Anna", {})
    assert back.consent == Consent.OPTED_OUT
    assert deleted(shop) == []


def test_the_page_lists_and_restores(
    client: Client, shop: Account, alice: User, ann: Contact
) -> None:
    viewer = User.objects.create_user("bob@shop.example", "pw-of-bob", name="Bob")
    Membership.objects.create(account=shop, user=viewer, role=Role.VIEWER)
    address = reverse("contact_restore", args=[ann.pk])
    client.force_login(viewer)
    seen = client.get(reverse("deleted_list")).content.decode()
    refused = client.post(address)

    client.force_login(alice)
    shown = client.get(reverse("deleted_list")).content.decode()
    answer = client.post(address)

    assert ("Ann Lee" in seen, address in seen, refused.status_code) == (True, False, 403)
    assert address in shown
    assert reverse("contact_erase", args=[ann.pk]) in shown
    assert answer["Location"] == reverse("contact_detail", args=[ann.pk])
    assert "Nobody was deleted" in client.get(reverse("deleted_list")).content.decode()
