"""A STOP is the person's: by whichever door it comes, no number of theirs is texted any more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Account, User
from accounts.services import apikey_create
from carriersim.client import Client as Carrier
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.models import ConsentEvent, Contact
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_restore,
    contact_update,
    contact_upsert,
    contacts_unite,
)
from messaging.choices import BatchKind
from messaging.models import DriftRow, SenderNumber
from messaging.services import message_send
from messaging.services.drift import drift_check, drift_take
from tests.messaging.conftest import Launch, send_all, states
from tests.messaging.leaving.conftest import ANN, BEN, HOME, WORK, opt_out_list, out, says

pytestmark = pytest.mark.django_db

REFUSED = "+14155550157"  # carriersim refuses it as opted out


# --- Doors ---


def test_by_a_text_from_any_of_their_numbers(account: Account, sender: SenderNumber, ann: Contact):
    says(sender, HOME, "STOP")

    assert out(account) == {ANN: "person", WORK: "person", HOME: "keyword"}
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_OUT


def test_by_the_page(account: Account, alice: User, ann: Contact, client: Client):
    client.force_login(alice)

    client.post(reverse("contact_opt_out", args=[ann.pk]), {"wording": "Called us"})

    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "manual")


def test_by_the_api(account: Account, alice: User, ann: Contact):
    _, key = apikey_create(account=account, actor=alice, name="shop", scopes=["read", "write"])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    answer = api.post(f"/api/v1/contacts/{ann.pk}/consent/", {"kind": "out", "wording": "Mail"})

    assert answer.status_code == 200
    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "api")


@pytest.mark.parametrize("listed", [ANN, HOME])
def test_by_an_opt_out_list_whichever_number_is_on_it(
    account: Account, ann: Contact, media: None, listed: str
):
    found = opt_out_list(account, listed)

    assert (found.rows_read, found.rows_new) == (1, 1)
    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "import")
    wordings = ConsentEvent.objects.filter(kind=ConsentKind.OUT).values_list("phone", "wording")
    why = f"Left under another number on {now():%d %b %Y} (imported list); they are one person"
    assert dict(wordings) == {
        phone: "Our old provider" if phone == listed else why for phone in (ANN, WORK, HOME)
    }
    assert Contact.objects.get(phone=ANN).consent == Consent.OPTED_OUT


def test_by_the_carriers_refusal(account: Account, ann: Contact, sim: Carrier, launch: Launch):
    new = contact_upsert(account=account, actor=None, phone=REFUSED)
    contacts_unite(account=account, actor=None, contact_id=new.pk, other_id=ann.pk)

    batch = launch()
    send_all()

    assert states(batch) == {("refused", "opted_out"): 1, ("accepted", ""): 1}
    assert out(account) == {REFUSED: "carrier"} | dict.fromkeys((ANN, WORK, HOME), "person")


def test_by_the_comparison_with_the_carrier(account: Account, alice: User, ann: Contact):
    consent_revoke(account=account, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP")
    for phone in (ANN, WORK, HOME):
        consent_grant(
            account=account, phone=phone, source=ConsentSource.KEYWORD, wording="Texted “GARDEN”"
        )
    client = Client()
    client.force_login(alice)
    client.post("/settings/opt-outs/check/")
    drift_check(account.pk)
    assert out(account) == {}

    drift_take(account=account, actor=alice, row_id=DriftRow.objects.get(phone=ANN).pk)

    assert out(account) == {ANN: "carrier", WORK: "person", HOME: "person"}


def test_by_what_becomes_one_person_later(account: Account, alice: User, sender: SenderNumber):
    ben = contact_upsert(account=account, actor=None, phone=BEN)
    work = contact_upsert(account=account, actor=None, phone=WORK)
    consent_revoke(account=account, phone=BEN, source=ConsentSource.MANUAL, wording="Called us")
    says(sender, WORK, "STOP")

    contacts_unite(account=account, actor=alice, contact_id=ben.pk, other_id=work.pk)

    assert out(account) == {BEN: "person", WORK: "keyword"}


# --- What lifts it ---


# --- Ways around it ---


Around = Callable[[Account, Contact], Any]


def _restored(account: Account, contact: Contact) -> None:
    contact_delete(account=account, actor=None, contact_id=contact.pk)
    contact_restore(account=account, actor=None, contact_id=contact.pk)


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(_restored, id="restored"),
        pytest.param(
            lambda account, contact: contact_upsert(
                account=account, actor=None, phone="(415) 555-0004", consent_wording="Till"
            ),
            id="added anew in another format",
        ),
        pytest.param(
            lambda account, contact: contact_update(
                account=account, actor=None, contact_id=contact.pk, phone="1-415-555-0009"
            ),
            id="given another number",
        ),
        pytest.param(
            lambda account, contact: contacts_unite(
                account=account,
                actor=None,
                contact_id=contact_upsert(account=account, actor=None, phone="+14155550008").pk,
                other_id=contact.pk,
            ),
            id="merged into somebody",
        ),
    ],
)
def test_whoever_left_is_texted_by_no_way_around(
    account: Account, sender: SenderNumber, launch: Launch, sim: Carrier, around: Around
):
    ben = contact_upsert(account=account, actor=None, phone=BEN)
    says(sender, BEN, "STOP")
    send_all()
    before = sim.summary()["accepted"]

    around(account, ben)
    (contact,) = Contact.objects.filter(deleted_at=None)
    batch = launch()
    single = message_send(
        account=account,
        actor=None,
        phone=contact.phone,
        body="Hi",
        kind=BatchKind.API,
        request_key="single",
        contact=contact,
    )
    send_all()

    assert states(batch) == {("skipped", "opted_out"): 1}
    assert single.reason == "opted_out"
    assert sim.summary()["accepted"] == before


def test_a_contact_that_gets_a_number_which_left_is_out(
    account: Account, alice: User, sender: SenderNumber, launch: Launch
):
    says(sender, WORK, "STOP")
    ben = contact_upsert(account=account, actor=None, phone=BEN, consent_wording="Signed")

    moved = contact_update(account=account, actor=alice, contact_id=ben.pk, phone=WORK)

    assert moved.consent == Consent.OPTED_OUT
    assert out(account) == {WORK: "keyword", BEN: "person"}
