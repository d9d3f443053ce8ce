"""Deleting and restoring people while somebody writes them, erases them, or ends their group."""

from collections.abc import Callable

import pytest
from django.db import transaction

from accounts.models import Account, User
from common.errors import NotFound
from contacts.models import Contact, ContactTag, Group, GroupMember, Tag
from contacts.selectors import contacts_list
from contacts.services import (
    contact_delete,
    contact_restore,
    contact_upsert,
    contacts_delete,
    contacts_restore,
    contacts_upsert_many,
    group_create,
    group_delete,
    group_rename,
    person_erase,
    tag_delete,
    tag_rename,
)
from tests.races import in_thread, wait_for_lock_waits

pytestmark = pytest.mark.django_db(transaction=True)

ANN = "+13055550101"


@pytest.fixture
def vip(shop: Account) -> Group:
    """A group with nobody in it."""
    return group_create(account=shop, actor=None, name="VIP")


@pytest.fixture
def deleted(shop: Account, vip: Group) -> Contact:
    """Ann, deleted; she was in the group and had a tag."""
    ann = contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="Ann", group_ids=[vip.pk], tags=["gold"]
    )
    contact_delete(account=shop, actor=None, contact_id=ann.pk)
    return ann


def _delete_one(account: Account, contact: Contact) -> None:
    contact_delete(account=account, actor=None, contact_id=contact.pk)


def _delete_many(account: Account, contact: Contact) -> None:
    contacts_delete(account=account, actor=None, contacts=Contact.objects.filter(pk=contact.pk))


@pytest.mark.parametrize("delete", [_delete_one, _delete_many])
def test_whoever_is_put_into_a_group_meanwhile_leaves_it_and_remembers_it(
    shop: Account, vip: Group, delete: Callable[[Account, Contact], None]
) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann")

    with transaction.atomic():
        contacts_upsert_many(
            account=shop,
            actor=None,
            rows=[{"phone": ANN, "first_name": "Anna"}],
            group_ids=[vip.pk],
            tags=["gold"],
        )
        thread = in_thread(lambda: delete(shop, ann))
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    ann.refresh_from_db()
    assert ann.deleted_at is not None
    assert ann.was_in == {"groups": [vip.pk], "tags": [Tag.objects.get().pk]}
    assert (GroupMember.objects.count(), ContactTag.objects.count()) == (0, 0)


def test_whoever_is_being_erased_is_not_restored(
    shop: Account, alice: User, deleted: Contact
) -> None:
    answers: list[object] = []

    def restore() -> None:
        try:
            contact_restore(account=shop, actor=None, contact_id=deleted.pk)
        except NotFound as error:
            answers.append(error.code)
        chosen = Contact.objects.filter(pk=deleted.pk)
        answers.append(contacts_restore(account=shop, actor=None, contacts=chosen))

    with transaction.atomic():
        person_erase(account=shop, actor=alice, contact_id=deleted.pk)
        thread = in_thread(restore)
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert answers == ["not_found", 0]
    assert not contacts_list(account=shop).exists()


def test_restoring_waits_for_whoever_deletes_the_group(shop: Account, deleted: Contact) -> None:
    vip = Group.objects.get()

    with transaction.atomic():
        group_rename(account=shop, actor=None, group_id=vip.pk, name="Gone")
        thread = in_thread(lambda: contact_restore(account=shop, actor=None, contact_id=deleted.pk))
        wait_for_lock_waits(1, or_ended=thread)
        is_waiting = thread.is_alive()
        group_delete(account=shop, actor=None, group_id=vip.pk)
    thread.join()

    assert is_waiting
    assert contacts_list(account=shop).get() == deleted
    assert (GroupMember.objects.count(), ContactTag.objects.count()) == (0, 1)


def test_restoring_waits_for_whoever_deletes_the_tag(shop: Account, deleted: Contact) -> None:
    gold = Tag.objects.get()

    with transaction.atomic():
        tag_rename(account=shop, actor=None, tag_id=gold.pk, name="gone")
        thread = in_thread(lambda: contact_restore(account=shop, actor=None, contact_id=deleted.pk))
        wait_for_lock_waits(1, or_ended=thread)
        is_waiting = thread.is_alive()
        tag_delete(account=shop, actor=None, tag_id=gold.pk)
    thread.join()

    assert is_waiting
    assert contacts_list(account=shop).get() == deleted
    assert (GroupMember.objects.count(), ContactTag.objects.count()) == (1, 0)
