"""Erasing goes by the person: whichever of their contacts is named, all their numbers go."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from contacts.models import Contact, ErasedNumber
from contacts.selectors import erased_among
from contacts.services import contact_update, contact_upsert, contacts_unite

ANN, OLD = "+13055550101", "+13055550102"


def _merged_away(account: Account) -> Contact:
    gone = contact_upsert(account=account, actor=None, phone=OLD, first_name="Ann")
    kept = contact_upsert(account=account, actor=None, phone=ANN, first_name="Ann", email="a@b.co")
    contacts_unite(account=account, actor=None, contact_id=kept.pk, other_id=gone.pk)
    return gone


def _given_another_number(account: Account) -> Contact:
    before = contact_upsert(account=account, actor=None, phone=OLD, first_name="Ann")
    contact_update(account=account, actor=None, contact_id=before.pk, phone=ANN)
    return before


@pytest.mark.parametrize("way", [_merged_away, _given_another_number])
def test_the_survivor_goes_with_the_contact_that_went_into_it(
    client: Client, shop: Account, alice: User, way: Callable[[Account], Contact]
) -> None:
    ben = contact_upsert(account=shop, actor=None, phone="+13055550103", first_name="Ben")
    gone = way(shop)
    client.force_login(alice)

    client.post(reverse("contact_erase", args=[gone.pk]))

    theirs = Contact.objects.exclude(pk=ben.pk)
    assert sorted(theirs.values_list("phone", "first_name", "email")) == sorted(
        (f"~{pk}", "", "") for pk in theirs.values_list("pk", flat=True)
    )
    assert ErasedNumber.objects.count() == 2
    both = {(shop.pk, ANN), (shop.pk, OLD)}
    assert erased_among([*both, (shop.pk, ben.phone)]) == both
    ben.refresh_from_db()
    assert (ben.first_name, ben.deleted_at) == ("Ben", None)
