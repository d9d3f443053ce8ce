"""Erasing a person while somebody writes down their number."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import Account, User
from carriersim.client import Client
from contacts.models import Contact, ErasedNumber
from contacts.selectors import opted_out
from contacts.services import contact_update, contacts_upsert_many
from tests.messaging.erasing.conftest import ANN, erase
from tests.races import in_thread, wait_for_lock_waits


@pytest.mark.django_db(transaction=True)
def test_an_edit_lets_an_erasure_go_first_or_makes_it_wait(
    account: Account, alice: User, sim: Client, ann: Contact
):
    """An edit that held the contact and then waited for the erasure would stop both for good."""
    with transaction.atomic():
        contact_update(account=account, actor=alice, contact_id=ann.pk, first_name="Anna")
        thread = in_thread(lambda: erase(account, alice, ann))
        wait_for_lock_waits(1, or_ended=thread)
        contact_update(account=account, actor=alice, contact_id=ann.pk, phone="+14155550109")
    thread.join()

    before = Contact.objects.get(pk=ann.pk)
    now_hers = Contact.objects.get(merged=before)
    assert (before.phone, now_hers.phone) == (f"~{before.pk}", f"~{now_hers.pk}")
    assert ErasedNumber.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_erasure_waits_for_whoever_writes_the_number(
    account: Account, alice: User, sim: Client, ann: Contact
):
    with transaction.atomic():
        contacts_upsert_many(account=account, actor=None, rows=[{"phone": "+14155550109"}])
        thread = in_thread(lambda: erase(account, alice, ann))
        wait_for_lock_waits(1, or_ended=thread)
        is_waiting = thread.is_alive()
        assert not ErasedNumber.objects.exists()
    thread.join()

    assert is_waiting
    assert opted_out(account=account, phone=ANN)


@pytest.mark.django_db(transaction=True)
def test_whoever_writes_the_number_waits_for_an_erasure(
    account: Account, alice: User, sim: Client, ann: Contact
):
    results: list[Any] = []
    with transaction.atomic():
        erase(account, alice, ann)
        thread = in_thread(
            lambda: results.extend(
                contacts_upsert_many(account=account, actor=None, rows=[{"phone": ANN}])
            )
        )
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert [result.status for result in results] == ["refused"]
    assert not Contact.objects.filter(phone=ANN).exists()
