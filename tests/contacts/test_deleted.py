"""Deleted contacts: listed, brought back as they were with groups and tags, or anew by a list."""

from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource
from contacts.models import Contact, ContactImport, ContactTag, GroupMember, Tag
from contacts.selectors import contacts_deleted, contacts_list
from contacts.services import (
    consent_revoke,
    contact_delete,
    contact_restore,
    contact_upsert,
    contacts_delete,
    contacts_restore,
    group_create,
    group_delete,
    import_undo,
    import_undo_run,
    person_erase,
)
from tests.contacts.importing import ran

ANN, BEN, CLEO = (f"+1305555010{n}" for n in range(1, 4))


@pytest.fixture
def ann(shop: Account) -> Contact:
    """Ann Lee, in two groups and with two tags, deleted."""
    groups = [group_create(account=shop, actor=None, name=name) for name in ("News", "VIP")]
    contact = contact_upsert(
        account=shop,
        actor=None,
        phone=ANN,
        first_name="Ann",
        last_name="Lee",
        custom={"pet": "Rex"},
        group_ids=[group.pk for group in groups],
        tags=["gold", "till"],
        consent_wording="Till",
    )
    contact_delete(account=shop, actor=None, contact_id=contact.pk)
    return contact


@pytest.fixture
def imported(shop: Account, media: Path) -> ContactImport:
    """A list that names Ann by another name, imported."""
    return ran(shop, b"phone,first name\n3055550101,Anna\n")


def deleted(account: Account) -> list[str]:
    return sorted(contacts_deleted(account=account).values_list("phone", flat=True))


def places() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(phone, group) and (phone, tag) of everybody in a group or with a tag."""
    groups = GroupMember.objects.values_list("contact__phone", "group__name")
    return sorted(groups), sorted(ContactTag.objects.values_list("contact__phone", "tag__name"))


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


def test_a_restored_contact_is_as_it_was(shop: Account, alice: User, ann: Contact) -> None:
    assert places() == ([], [])

    back = contact_restore(account=shop, actor=alice, contact_id=ann.pk)

    assert contacts_list(account=shop).get() == back
    back.refresh_from_db()
    assert (back.full_name, back.custom, back.consent) == (
        "Ann Lee",
        {"pet": "Rex"},
        Consent.OPTED_IN,
    )
    assert back.created_at == ann.created_at
    assert places() == ([(ANN, "News"), (ANN, "VIP")], [(ANN, "gold"), (ANN, "till")])
    assert back.was_in is None
    assert AuditEvent.objects.get(action="contact.restored").subject == ANN
    assert deleted(shop) == []


def test_groups_and_tags_that_are_gone_meanwhile_are_left_out(shop: Account, ann: Contact) -> None:
    group_delete(account=shop, actor=None, group_id=shop.groups.get(name="News").pk)
    Tag.objects.get(name="till").delete()

    contact_restore(account=shop, actor=None, contact_id=ann.pk)

    assert places() == ([(ANN, "VIP")], [(ANN, "gold")])


def test_many_are_deleted_and_restored_as_one(
    shop: Account, other_shop: Account, alice: User
) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    for phone, tags in ((ANN, ["gold"]), (BEN, []), (CLEO, ["gold"])):
        contact_upsert(account=shop, actor=None, phone=phone, group_ids=[vip.pk], tags=tags)
    contact_upsert(account=other_shop, actor=None, phone=ANN)
    before = places()
    everybody = Contact.objects.all()
    assert contacts_delete(account=shop, actor=None, contacts=everybody) == 3
    assert places() == ([], [])

    none = contacts_restore(account=other_shop, actor=None, contacts=everybody)
    some = contacts_restore(account=shop, actor=alice, contacts=everybody.exclude(phone=BEN))
    rest = contacts_restore(account=shop, actor=alice, contacts=everybody)

    assert (none, some, rest) == (0, 2, 1)
    assert places() == before
    events = AuditEvent.objects.filter(action="contacts.restored", account=shop).order_by("pk")
    assert list(events.values_list("actor", "data")) == [
        (alice.pk, {"people": 2}),
        (alice.pk, {"people": 1}),
    ]


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


@pytest.fixture
def left(shop: Account, ann: Contact) -> None:
    """Ann texted STOP once she was deleted."""
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)


def test_an_import_brings_a_deleted_number_back_as_a_new_contact(
    shop: Account, ann: Contact, left: None, imported: ContactImport
) -> None:
    back = contacts_list(account=shop).get()
    assert (imported.rows_new, back.pk, back.full_name, back.custom) == (1, ann.pk, "Anna", {})
    assert back.consent == Consent.OPTED_OUT
    assert deleted(shop) == []
    assert places() == ([], [])

    contact_delete(account=shop, actor=None, contact_id=ann.pk)
    contact_restore(account=shop, actor=None, contact_id=ann.pk)
    assert places() == ([], [])


def test_whom_an_undone_import_had_brought_back_can_be_restored_as_before_it(
    shop: Account, ann: Contact, imported: ContactImport
) -> None:
    import_undo(account=shop, actor=None, import_id=imported.pk)
    import_undo_run(imported.pk)
    assert deleted(shop) == [ANN]

    back = contact_restore(account=shop, actor=None, contact_id=ann.pk)

    assert (back.full_name, back.custom) == ("Ann Lee", {"pet": "Rex"})
    assert places() == ([(ANN, "News"), (ANN, "VIP")], [(ANN, "gold"), (ANN, "till")])


def test_whom_an_undone_import_removed_comes_back_without_its_group_and_tags(
    client: Client, shop: Account, alice: User, media: Path
) -> None:
    content = b"phone,first name\n3055550102,Ben\n"
    found = ran(shop, content, group_name="Spring", tags=["gold"])
    import_undo(account=shop, actor=None, import_id=found.pk)
    import_undo_run(found.pk)
    client.force_login(alice)

    shown = client.get(reverse("deleted_list")).content.decode()
    client.post(reverse("contacts_restore"), {"who": "all"})

    assert "People removed by undoing an import come back without them" in shown
    assert contacts_list(account=shop).get().first_name == "Ben"
    assert places() == ([], [])


def test_a_page_of_too_many_to_be_counted_shows_them_without_a_number(
    client: Client, shop: Account, alice: User, ann: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(alice)
    counted = client.get(reverse("deleted_list")).content.decode()

    def uncounted(**asked: Any) -> QuerySet[Contact]:
        found = contacts_deleted(**asked)
        slow = found.extra(where=["pg_sleep(10) IS NOT NULL"])
        monkeypatch.setattr(found, "count", slow.count)
        return found

    monkeypatch.setattr("contacts.looking.LOOK_S", 1.0)  # enough for the rows
    monkeypatch.setattr("contacts.selectors.contacts_deleted", uncounted)
    shown = client.get(reverse("deleted_list")).content.decode()

    assert "1 person. They are in no list" in counted
    assert "Restore 1 person?" in counted
    assert ("Ann Lee" in shown, "Restore everybody?" in shown, "1 person" in shown) == (
        True,
        True,
        False,
    )


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


def test_the_page_restores_those_ticked_and_everybody(
    client: Client, shop: Account, alice: User, ann: Contact
) -> None:
    for phone in (BEN, CLEO):
        made = contact_upsert(account=shop, actor=None, phone=phone)
        contact_delete(account=shop, actor=None, contact_id=made.pk)
    client.force_login(alice)
    address = reverse("contacts_restore")

    nobody = client.post(address, {"who": "ticked"}, follow=True).content.decode()
    one = client.post(address, {"who": "ticked", "id": [ann.pk, "x", 10**20]}, follow=True)
    shown = one.content.decode()
    everybody = client.post(address, {"who": "all"}, follow=True).content.decode()

    assert "tick somebody first" in nobody
    assert "1 person is in your contacts again, with the groups and tags kept for them." in shown
    assert "Restore 2 people?" in shown
    assert "2 people are in your contacts again" in everybody
    assert deleted(shop) == []
    assert contacts_list(account=shop).count() == 3
