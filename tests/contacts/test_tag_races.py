"""A tag or group is deleted while somebody puts it on people: both end well, in either order."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import transaction

from accounts.models import Account
from contacts.models import Contact, ContactTag, Group, GroupMember, Tag
from contacts.services import (
    contact_groups_set,
    contact_tags_add,
    contact_tags_set,
    contact_upsert,
    contacts_tag,
    contacts_unite,
    contacts_upsert_many,
    group_create,
    group_delete,
    tag_delete,
)
from tests.contacts.importing import ran
from tests.races import in_thread, wait_for_lock_waits

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media")]

Put = Callable[[Account], object]

ANN = "+13055550101"
BEN = "+13055550102"


@pytest.fixture
def ann(shop: Account) -> Contact:
    return contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")


@pytest.fixture
def gold(shop: Account) -> Tag:
    """A tag that Ben has."""
    contact_upsert(account=shop, actor=None, phone=BEN, tags=["gold"])
    return Tag.objects.get()


@pytest.fixture
def spring(shop: Account) -> Group:
    return group_create(account=shop, actor=None, name="Spring")


def _add(account: Account) -> None:
    found = Contact.objects.get(phone=ANN)
    contact_tags_add(account=account, actor=None, contact_id=found.pk, names=["Gold"])


def _set(account: Account) -> None:
    found = Contact.objects.get(phone=ANN)
    contact_tags_set(account=account, actor=None, contact_id=found.pk, names=["gold"])


def _many(account: Account) -> None:
    people = Contact.objects.filter(phone=ANN)
    contacts_tag(account=account, actor=None, contacts=people, names=["gold"])


def _rows(account: Account) -> None:
    contacts_upsert_many(account=account, actor=None, rows=[{"phone": ANN}], tags=["gold"])


def _file(account: Account) -> None:
    assert ran(account, b"phone\n3055550101\n", tags=["gold"]).error == ""


@pytest.mark.parametrize("put", [_add, _set, _many, _rows, _file])
def test_a_tag_that_is_being_deleted_is_made_anew(
    shop: Account, ann: Contact, gold: Tag, put: Put
) -> None:
    with transaction.atomic():
        assert tag_delete(account=shop, actor=None, tag_id=gold.pk) == 1
        thread = in_thread(lambda: put(shop))
        wait_for_lock_waits(1, or_ended=thread)
        is_waiting = thread.is_alive()
    thread.join()

    assert is_waiting
    tag = Tag.objects.get()
    assert (tag.pk == gold.pk, tag.name.lower()) == (False, "gold")
    assert [one.contact for one in ContactTag.objects.all()] == [ann]


@pytest.mark.parametrize("put", [_add, _set, _many, _rows])
def test_deleting_a_tag_waits_for_whoever_puts_it_on_somebody(
    shop: Account, ann: Contact, gold: Tag, put: Put
) -> None:
    people: list[int] = []
    delete = partial(tag_delete, account=shop, actor=None, tag_id=gold.pk)

    with transaction.atomic():
        put(shop)
        thread = in_thread(lambda: people.append(delete()))
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert people == [2]
    assert (Tag.objects.count(), ContactTag.objects.count()) == (0, 0)


def test_two_who_make_the_same_tags_do_not_stop_each_other(shop: Account, ann: Contact) -> None:
    """Each names them in an order of its own, and both meet one that a third is making."""
    add = partial(contact_tags_add, account=shop, actor=None, contact_id=ann.pk)
    added: list[str] = []

    def made(names: str) -> None:
        add(names=list(names))
        added.append(names)

    with transaction.atomic():
        add(names=["a"])
        threads = [in_thread(partial(made, names)) for names in ("bac", "cab")]
        wait_for_lock_waits(2)
    for thread in threads:
        thread.join()

    assert sorted(added) == ["bac", "cab"]
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["a", "b", "c"]
    assert ContactTag.objects.filter(contact=ann).count() == 3


def test_merging_leaves_out_what_is_being_deleted(shop: Account, ann: Contact, gold: Tag) -> None:
    ben = Contact.objects.get(phone=BEN)
    unite = partial(contacts_unite, account=shop, actor=None, contact_id=ann.pk, other_id=ben.pk)

    with transaction.atomic():
        tag_delete(account=shop, actor=None, tag_id=gold.pk)
        thread = in_thread(unite)
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    ben.refresh_from_db()
    assert ben.merged_into == ann
    assert (Tag.objects.count(), ContactTag.objects.count()) == (0, 0)


def test_deleting_waits_for_whoever_merges(shop: Account, ann: Contact, spring: Group) -> None:
    ben = contact_upsert(account=shop, actor=None, phone=BEN, group_ids=[spring.pk])
    people: list[int] = []
    delete = partial(group_delete, account=shop, actor=None, group_id=spring.pk)

    with transaction.atomic():
        contacts_unite(account=shop, actor=None, contact_id=ann.pk, other_id=ben.pk)
        thread = in_thread(lambda: people.append(delete()))
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert people == [1]
    assert (Group.objects.count(), GroupMember.objects.count()) == (0, 0)


def test_a_group_that_is_being_deleted_is_no_longer_chosen(
    shop: Account, ann: Contact, spring: Group
) -> None:
    choose = partial(
        contact_groups_set, account=shop, actor=None, contact_id=ann.pk, group_ids=[spring.pk]
    )
    told: list[str] = []

    def chosen() -> None:
        choose()
        told.append("chosen")

    with transaction.atomic():
        group_delete(account=shop, actor=None, group_id=spring.pk)
        thread = in_thread(chosen)
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert told == ["chosen"]
    assert (Group.objects.count(), GroupMember.objects.count()) == (0, 0)
