"""One change to many people: whoever is ticked, or everybody the list fits; one audit row each."""

from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from common.errors import NotFound
from contacts.choices import ConsentSource
from contacts.errors import ContactInvalid, GroupIsSmart
from contacts.models import Contact, ContactTag, CustomField, Group, GroupMember, OptOut, Tag
from contacts.selectors import contacts_list
from contacts.services import (
    consent_revoke,
    contact_delete,
    contact_upsert,
    contacts_delete,
    contacts_field_set,
    contacts_group,
    contacts_tag,
    contacts_timezone_set,
    contacts_ungroup,
    contacts_untag,
    custom_field_create,
    group_create,
)

NAMES = ("Ann", "Anna", "Ben", "Gone")


@pytest.fixture
def people(shop: Account, other_shop: Account) -> dict[str, Contact]:
    """Four, one of whom is deleted; a stranger has the same numbers."""
    for account in (shop, other_shop):
        for n, name in enumerate(NAMES):
            contact_upsert(account=account, actor=None, phone=f"+1305555010{n}", first_name=name)
    made = {contact.first_name: contact for contact in Contact.objects.filter(account=shop)}
    contact_delete(account=shop, actor=None, contact_id=made["Gone"].pk)
    return made


def named(start: str, account: Account) -> QuerySet[Contact]:
    return contacts_list(account=account, search=start)


def told(action: str) -> list[tuple[str, Any]]:
    events = AuditEvent.objects.filter(action=action).order_by("pk")
    return list(events.values_list("subject", "data"))


def test_tags_go_on_and_off(shop: Account, people: dict[str, Contact]) -> None:
    everybody = Contact.objects.all()

    both = contacts_tag(account=shop, actor=None, contacts=everybody, names=["new", "Till"])
    again = contacts_tag(account=shop, actor=None, contacts=named("ann", shop), names=["NEW", "x"])
    new = Tag.objects.get(name="new")
    off = contacts_untag(account=shop, actor=None, contacts=named("ann", shop), tag_id=new.pk)
    nobody = contacts_tag(account=shop, actor=None, contacts=Contact.objects.none(), names=["x"])

    assert (both, again, off, nobody) == (3, 2, 2, 0)
    assert sorted(ContactTag.objects.values_list("tag__name", "contact__first_name")) == [
        ("Till", "Ann"), ("Till", "Anna"), ("Till", "Ben"), ("new", "Ben"),
        ("x", "Ann"), ("x", "Anna"),
    ]  # fmt: skip
    assert set(ContactTag.objects.values_list("account", flat=True)) == {shop.pk}
    assert told("contacts.tagged") == [
        ("new, Till", {"people": 3}),
        ("new, x", {"people": 2}),
        ("x", {"people": 0}),
    ]
    assert told("contacts.untagged") == [("new", {"people": 2})]


def test_people_go_into_a_group_and_out(shop: Account, people: dict[str, Contact]) -> None:
    group = group_create(account=shop, actor=None, name="VIP")
    smart = group_create(account=shop, actor=None, name="S", rules={"did": "sent"})

    into = contacts_group(
        account=shop, actor=None, contacts=Contact.objects.all(), group_id=group.pk
    )
    again = contacts_group(account=shop, actor=None, contacts=named("ann", shop), group_id=group.pk)
    out = contacts_ungroup(account=shop, actor=None, contacts=named("ann", shop), group_id=group.pk)
    for change in (contacts_group, contacts_ungroup):
        with pytest.raises(GroupIsSmart):
            change(account=shop, actor=None, contacts=Contact.objects.all(), group_id=smart.pk)

    assert (into, again, out) == (3, 0, 2)
    assert [member.contact.first_name for member in GroupMember.objects.all()] == ["Ben"]
    assert told("contacts.ungrouped") == [("VIP", {"people": 2})]


def test_a_field_is_set_and_cleared(
    shop: Account, other_shop: Account, people: dict[str, Contact]
) -> None:
    custom_field_create(account=shop, actor=None, label="Points", kind="number")
    custom_field_create(account=other_shop, actor=None, label="Size")
    contact_upsert(account=shop, actor=None, phone=people["Ben"].phone, custom={"points": "7"})

    def set_to(value: str, contacts: QuerySet[Contact], key: str = "points") -> int:
        return contacts_field_set(account=shop, actor=None, contacts=contacts, key=key, value=value)

    first = set_to("1,000", Contact.objects.all())
    again = set_to("1000", Contact.objects.all())
    with pytest.raises(ContactInvalid) as refused:
        set_to("lots", Contact.objects.all())
    with pytest.raises(NotFound):
        set_to("M", Contact.objects.all(), key="size")
    cleared = set_to(" ", named("ann", shop))

    assert (first, again, cleared) == (3, 0, 2)
    assert list(refused.value.fields) == ["value"]
    held = Contact.objects.exclude(custom={}).values_list("account", "first_name", "custom")
    assert list(held) == [(shop.pk, "Ben", {"points": "1000"})]
    assert told("contacts.field_set") == [
        ("Points", {"people": 3, "value": "1000"}),
        ("Points", {"people": 0, "value": "1000"}),
        ("Points", {"people": 2, "value": ""}),
    ]


def test_a_time_zone_is_set_and_left_to_the_number_again(
    page: Client, shop: Account, other_shop: Account, people: dict[str, Contact]
) -> None:
    def set_to(zone: str, who: QuerySet[Contact]) -> int:
        return contacts_timezone_set(account=shop, actor=None, contacts=who, timezone=zone)

    with pytest.raises(ContactInvalid, match="not a time zone"):
        set_to("Mars/Olympus", Contact.objects.all())
    counts = [
        set_to("america/new york", named("ann", shop)),
        set_to("America/New_York", Contact.objects.all()),
        set_to("", named("anna", shop)),
    ]
    page.post(
        reverse(MANY), {"who": "all", "q": "ben", "do-act": "zone", "do-zone": "Europe/Berlin"}
    )
    bad = page.post(reverse(MANY), {"who": "all", "do-act": "zone", "do-zone": "Mars/Olympus"})

    assert counts == [2, 1, 1]
    assert bad.status_code == 422
    zones = Contact.objects.exclude(timezone="").order_by("first_name")
    assert list(zones.values_list("account", "first_name", "timezone")) == [
        (shop.pk, "Ann", "America/New_York"),
        (shop.pk, "Ben", "Europe/Berlin"),
    ]
    assert told("contacts.timezone_set") == [
        ("America/New_York", {"people": 2}),
        ("America/New_York", {"people": 1}),
        ("", {"people": 1}),
        ("Europe/Berlin", {"people": 1}),
    ]


def test_deleting_many_is_deleting_each(
    shop: Account, other_shop: Account, people: dict[str, Contact]
) -> None:
    group = group_create(account=shop, actor=None, name="VIP")
    contacts_group(account=shop, actor=None, contacts=Contact.objects.all(), group_id=group.pk)
    contacts_tag(account=shop, actor=None, contacts=Contact.objects.all(), names=["x"])
    consent_revoke(account=shop, phone=people["Ann"].phone, source=ConsentSource.KEYWORD)

    gone = contacts_delete(account=shop, actor=None, contacts=named("ann", shop))
    strangers = contacts_delete(
        account=shop, actor=None, contacts=Contact.objects.filter(account=other_shop)
    )

    assert (gone, strangers) == (2, 0)
    assert [one.first_name for one in contacts_list(account=shop)] == ["Ben"]
    assert contacts_list(account=other_shop).count() == 4
    assert [member.contact.first_name for member in GroupMember.objects.all()] == ["Ben"]
    assert [tag.contact.first_name for tag in ContactTag.objects.all()] == ["Ben"]
    assert OptOut.objects.count() == 1
    assert told("contacts.deleted") == [("", {"people": 2}), ("", {"people": 0})]


@pytest.fixture
def page(shop: Account, alice: User, client: Client, people: dict[str, Contact]) -> Client:
    client.force_login(alice)
    return client


MANY = "contact_many"


def test_whoever_is_ticked_is_changed(
    page: Client, shop: Account, other_shop: Account, people: dict[str, Contact]
) -> None:
    stranger = Contact.objects.filter(account=other_shop).first()
    assert stranger is not None
    pks = (people["Ann"].pk, people["Ben"].pk, people["Gone"].pk, stranger.pk, "x", 10**20)
    ids = [str(pk) for pk in pks]

    listed = page.get(reverse("contact_list")).content.decode()
    asked = page.get(reverse(MANY), {"who": "ticked", "id": ids})
    done = page.post(
        reverse(MANY), {"who": "ticked", "id": ids, "do-act": "tag", "do-names": "till"}
    )
    nobody = page.get(reverse(MANY)).content.decode()

    assert f'form="many" name="id" value="{people["Ann"].pk}"' in listed
    assert asked.context["people"] == 2
    assert "Change 2 people" in asked.content.decode()
    assert done["Location"] == f"{reverse('contact_list')}?"
    assert sorted(ContactTag.objects.values_list("contact__first_name", flat=True)) == [
        "Ann",
        "Ben",
    ]
    assert "Nobody is chosen" in nobody


def test_everybody_whom_the_list_fits_is_changed(
    page: Client, shop: Account, people: dict[str, Contact]
) -> None:
    custom_field_create(account=shop, actor=None, label="VIP", kind="yes_no")
    group = group_create(account=shop, actor=None, name="G")
    who = {"who": "all", "q": "ann"}
    vip = CustomField.objects.get()

    asked = page.get(reverse(MANY), who).content.decode()
    page.post(reverse(MANY), {**who, "do-act": "group", "do-group": group.pk})
    page.post(reverse(MANY), {**who, "do-act": "field", "do-own": vip.pk, "do-value": "yes"})
    bad = page.post(
        reverse(MANY), {**who, "do-act": "field", "do-own": vip.pk, "do-value": "perhaps"}
    )
    unsaid = page.post(reverse(MANY), {**who, "do-act": "untag"})
    page.post(reverse(MANY), {"who": "all", "group": group.pk, "do-act": "delete"})

    assert "Change 2 people" in asked
    assert bad.status_code == 422
    assert "VIP: “perhaps” is neither yes nor no." in bad.content.decode()
    assert (unsaid.status_code, unsaid.context["form"].errors) == (422, {"tag": ["Say which."]})
    assert [one.first_name for one in contacts_list(account=shop)] == ["Ben"]
    gone = Contact.objects.filter(account=shop, custom={"vip": "true"}).values_list("first_name")
    assert sorted(gone) == [("Ann",), ("Anna",)]


def test_a_viewer_changes_nobody(page: Client, shop: Account, people: dict[str, Contact]) -> None:
    bob = User.objects.create_user("bob@shop.example", "pw-of-bob", name="Bob")
    Membership.objects.create(account=shop, user=bob, role=Role.VIEWER)
    viewer = Client()
    viewer.force_login(bob)

    answer = viewer.post(reverse(MANY), {"who": "all", "do-act": "delete"})
    listed = viewer.get(reverse("contact_list")).content.decode()

    assert answer.status_code == 403
    assert contacts_list(account=shop).count() == 3
    assert 'name="id"' not in listed
    assert not Group.objects.exists()
