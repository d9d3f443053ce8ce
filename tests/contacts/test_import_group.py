"""The group that an import makes: with its people, never before them, and gone again with them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from campaigns.models import Blast, Campaign
from common.errors import NotFound
from contacts.choices import ImportStatus
from contacts.errors import GroupInImport
from contacts.models import Contact, ContactImport, Group, GroupMember, OptInForm
from contacts.services import (
    contact_upsert,
    group_add,
    group_create,
    group_delete,
    group_rename,
    import_cancel,
    import_confirm,
    import_run,
    import_take,
    import_undo,
    import_undo_run,
)
from contacts.services.merging import group_fill
from tests.contacts import importing
from tests.races import in_thread, wait_for_lock_waits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]

FILE = b"phone,first name\n3055550101,Ann\n3055550102,Ben\n"


def upload() -> SimpleUploadedFile:
    return SimpleUploadedFile("list.csv", FILE)


def started(account: Account, content: bytes = FILE, **how: Any) -> ContactImport:
    """An import into the group Spring, which waits for its worker."""
    return importing.started(account, content, **{"group_name": "Spring", **how})


def ran(account: Account, content: bytes = FILE, **how: Any) -> ContactImport:
    return importing.run(started(account, content, **how))


def undone(found: ContactImport) -> ContactImport:
    import_undo(account=found.account, actor=None, import_id=found.pk)
    import_undo_run(found.pk)
    found.refresh_from_db()
    assert found.status == ImportStatus.UNDONE
    return found


def groups() -> list[tuple[str, int]]:
    """(name, people) of every group."""
    return sorted((group.name, group.members.count()) for group in Group.objects.all())


def test_it_is_made_with_its_people_and_not_before(shop: Account) -> None:
    found = started(shop)
    assert groups() == []

    import_run(found.pk)

    found.refresh_from_db()
    assert groups() == [("Spring", 2)]
    assert (found.group, found.has_made_group) == (Group.objects.get(), True)


def test_an_import_that_is_canceled_or_brings_nobody_makes_none(shop: Account) -> None:
    confirmed = ran(shop, dry_run=True)
    import_confirm(account=shop, actor=None, import_id=confirmed.pk)
    import_cancel(account=shop, actor=None, import_id=confirmed.pk)
    nobody = ran(shop, b"phone\n12\n13\n")

    assert (nobody.status, nobody.rows_refused) == (ImportStatus.DONE, 2)
    assert groups() == []


def test_a_name_that_went_to_rules_meanwhile_fails_the_import_with_a_sentence(
    shop: Account,
) -> None:
    found = started(shop)
    rules = {"field": "first_name", "op": "filled"}
    group_create(account=shop, actor=None, name="Spring", rules=rules)

    import_run(found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.FAILED
    assert found.error.startswith("Rules decide who is in “Spring”.")
    assert not Contact.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_that_make_the_same_group_share_it(shop: Account) -> None:
    lists = [started(shop), started(shop, b"phone\n3055550103\n")]

    threads = [in_thread(partial(import_run, found.pk)) for found in lists]
    for thread in threads:
        thread.join()

    for found in lists:
        found.refresh_from_db()
    assert [found.status for found in lists] == [ImportStatus.DONE] * 2
    assert sorted(found.has_made_group for found in lists) == [False, True]
    assert groups() == [("Spring", 3)]


@pytest.mark.django_db(transaction=True)
def test_a_group_that_another_list_is_being_put_into_is_not_ended_by_an_undo(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, first = started(shop, b"phone\n3055550103\n"), ran(shop)
    import_undo(account=shop, actor=None, import_id=first.pk)
    undoing: list[Thread] = []

    def fill(**asked: Any) -> int:
        undoing.append(in_thread(partial(import_undo_run, first.pk)))
        wait_for_lock_waits(1, or_ended=undoing[0])
        return group_fill(**asked)

    monkeypatch.setattr("contacts.services.running.group_fill", fill)
    import_run(second.pk)
    undoing[0].join()

    for found in (first, second):
        found.refresh_from_db()
    assert (first.status, second.status) == (ImportStatus.UNDONE, ImportStatus.DONE)
    assert (second.group, second.has_made_group) == (Group.objects.get(), False)
    assert groups() == [("Spring", 1)]


@pytest.mark.django_db(transaction=True)
def test_a_group_of_that_name_that_is_being_deleted_is_made_anew(shop: Account) -> None:
    found = started(shop)
    old = group_create(account=shop, actor=None, name="Spring")

    with transaction.atomic():
        group_rename(account=shop, actor=None, group_id=old.pk, name="Spring")
        thread = in_thread(partial(import_run, found.pk))
        wait_for_lock_waits(1, or_ended=thread)
        group_delete(account=shop, actor=None, group_id=old.pk)
    thread.join()

    found.refresh_from_db()
    assert (found.status, found.has_made_group) == (ImportStatus.DONE, True)
    assert (found.group, groups()) == (Group.objects.get(), [("Spring", 2)])


@pytest.mark.django_db(transaction=True)
def test_an_import_into_a_group_that_is_being_deleted_is_refused_and_keeps_nothing(
    shop: Account, media: Path
) -> None:
    group = group_create(account=shop, actor=None, name="Spring")
    told: list[str] = []

    def take() -> None:
        with pytest.raises(NotFound) as refused:
            import_take(account=shop, actor=None, upload=upload(), group_id=group.pk)
        told.append(refused.value.code)

    with transaction.atomic():
        group_rename(account=shop, actor=None, group_id=group.pk, name="Spring")
        thread = in_thread(take)
        wait_for_lock_waits(1, or_ended=thread)
        group_delete(account=shop, actor=None, group_id=group.pk)
    thread.join()

    assert told == ["not_found"]
    assert not ContactImport.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []


@pytest.mark.django_db(transaction=True)
def test_a_group_is_not_deleted_while_an_import_into_it_is_begun(shop: Account) -> None:
    group = group_create(account=shop, actor=None, name="Spring")
    told: list[str] = []

    def delete() -> None:
        with pytest.raises(GroupInImport) as refused:
            group_delete(account=shop, actor=None, group_id=group.pk)
        told.append(refused.value.code)

    with transaction.atomic():
        found = import_take(account=shop, actor=None, upload=upload(), group_id=group.pk)
        thread = in_thread(delete)
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()
    import_run(found.pk)

    found.refresh_from_db()
    assert (told, found.status) == (["group_in_import"], ImportStatus.DONE)
    assert groups() == [("Spring", 2)]


def test_a_group_goes_once_no_import_is_on_its_way_into_it(
    client: Client, shop: Account, alice: User
) -> None:
    group = group_create(account=shop, actor=None, name="Spring")
    checked = ran(shop, group=group, group_name="", dry_run=True)
    assert checked.status == ImportStatus.CHECKED
    client.force_login(alice)
    address = reverse("group_delete", args=[group.pk])

    refused = client.post(address, follow=True).content.decode()
    assert "An import is putting people into “Spring”, so it was not deleted." in refused
    assert groups() == [("Spring", 0)]

    import_cancel(account=shop, actor=None, import_id=checked.pk)
    client.post(address)
    assert groups() == []


@pytest.mark.django_db(transaction=True)
def test_a_contact_saved_into_a_group_that_is_being_deleted_is_saved(shop: Account) -> None:
    group = group_create(account=shop, actor=None, name="Spring")
    save = partial(
        contact_upsert, account=shop, actor=None, phone="+13055550101", group_ids=[group.pk]
    )

    with transaction.atomic():
        Group.objects.select_for_update().get(pk=group.pk)
        thread = in_thread(save)
        wait_for_lock_waits(1, or_ended=thread)
        group_delete(account=shop, actor=None, group_id=group.pk)
    thread.join()

    assert (Contact.objects.get().phone, groups()) == ("+13055550101", [])


def test_undoing_the_import_ends_the_group_it_made(
    client: Client, shop: Account, alice: User
) -> None:
    found = ran(shop)
    group_rename(account=shop, actor=None, group_id=Group.objects.get().pk, name="Spring 2026")
    client.force_login(alice)
    address = reverse("import_detail", args=[found.pk])
    offered = client.get(address).content.decode()

    undone(found)

    assert groups() == []
    assert AuditEvent.objects.get(action="group.deleted").subject == "Spring 2026"
    assert "The group it made goes too" in offered
    assert (
        "The group “Spring” that it had made is gone too." in client.get(address).content.decode()
    )


def test_a_group_that_was_there_before_stays(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")

    undone(ran(shop, group=vip, group_name=""))

    assert groups() == [("VIP", 0)]


def _with_somebody(shop: Account, group: Group) -> None:
    cleo = contact_upsert(account=shop, actor=None, phone="+13055550103")
    group_add(account=shop, actor=None, group_id=group.pk, contact_ids=[cleo.pk])


def _in_rules(shop: Account, group: Group) -> None:
    group_create(account=shop, actor=None, name="Others", rules={"not": {"group": group.pk}})


def _in_a_blast(shop: Account, group: Group) -> None:
    campaign = Campaign.objects.create(account=shop, name="May")
    Blast.objects.create(account=shop, campaign=campaign, name="One").groups.add(group)


def _in_a_form(shop: Account, group: Group) -> None:
    OptInForm.objects.create(account=shop, token="t").groups.add(group)


def _in_a_list(shop: Account, group: Group) -> None:
    started(shop, group=group, group_name="", dry_run=True)


USES: dict[str, tuple[Callable[[Account, Group], None], int]] = {
    "somebody else is in it": (_with_somebody, 1),
    "rules ask for it": (_in_rules, 0),
    "a blast goes to it": (_in_a_blast, 0),
    "a form leads into it": (_in_a_form, 0),
    "a list is on its way into it": (_in_a_list, 0),
}


@pytest.mark.parametrize("use", USES)
def test_a_group_in_use_stays(shop: Account, use: str) -> None:
    found = ran(shop)
    group = Group.objects.get()
    put, left = USES[use]
    put(shop, group)

    undone(found)

    assert ("Spring", left) in groups()
    assert GroupMember.objects.count() == left


def test_a_second_list_into_it_that_was_undone_before_holds_it_no_longer(shop: Account) -> None:
    first = ran(shop)
    second = ran(shop, b"phone\n3055550103\n", group=Group.objects.get(), group_name="")

    undone(second)
    assert groups() == [("Spring", 2)]
    undone(first)

    assert groups() == []
