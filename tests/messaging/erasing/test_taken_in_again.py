"""Nobody takes the number of an erased person in again, or texts it; only they come back."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource, ImportStatus
from contacts.errors import ContactInvalid, OptedOut
from contacts.models import ConsentEvent, Contact, ErasedNumber, OptInPending, OptOut
from contacts.selectors import erased_among, opted_out
from contacts.services import (
    consent_grant,
    contact_update,
    contact_upsert,
    contacts_upsert_many,
    import_create,
    import_run,
    import_start,
    optin_accept,
    optin_form_save,
)
from messaging.choices import BatchKind
from messaging.errors import Erased
from messaging.gateways.events import InboundText
from messaging.models import Batch, Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.services import message_send
from messaging.services.joining import form_submit
from tests.messaging.conftest import Launch, send_all, states
from tests.messaging.erasing.conftest import ANN, BEN, CLEO, Says, erase, imported, traces

pytestmark = pytest.mark.django_db


def test_no_import_takes_the_number_in_again(
    account: Account, alice: User, sim: Client, ann: Contact
):
    erase(account, alice, ann)

    found = imported(
        account, b"phone,first name\n4155550101,Annabel\n4155550104,Dan\n4155550101,A\n"
    )

    assert found.status == ImportStatus.DONE
    assert (found.rows_read, found.rows_new, found.rows_refused) == (3, 1, 2)
    assert [(row.line, row.reason, row.raw) for row in found.refusals.order_by("line")] == [
        (2, "erased", ""),
        (4, "erased", ""),
    ]
    assert not Contact.objects.filter(phone=ANN).exists()
    assert Contact.objects.get(phone="+14155550104").consent == Consent.OPTED_IN
    assert traces() == set()


def test_a_list_that_was_counted_before_refuses_the_row_when_it_is_written(
    account: Account, alice: User, sim: Client, ann: Contact
):
    upload = SimpleUploadedFile("list.csv", b"phone,first name\n4155550101,Annabel\n4155550104,D\n")
    found = import_create(account=account, actor=None, upload=upload)
    start = {"account": account, "actor": None, "import_id": found.pk, "mapping": found.mapping}
    import_start(**start, dry_run=True)
    import_run(found.pk)

    erase(account, alice, ann)
    found.refresh_from_db()
    assert (found.status, found.rows_refused) == (ImportStatus.CHECKED, 0)
    browser = Browser()
    browser.force_login(alice)
    browser.post(reverse("import_confirm", args=[found.pk]))
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new, found.rows_refused) == (ImportStatus.DONE, 1, 1)
    assert not Contact.objects.filter(phone=ANN).exists()


def test_pages_and_programs_cannot_add_the_number(
    account: Account, other_account: Account, alice: User, sim: Client, ann: Contact
):
    erase(account, alice, ann)
    ben = Contact.objects.get(account=account, phone=BEN)

    with pytest.raises(ContactInvalid, match="asked to be erased"):
        contact_upsert(account=account, actor=alice, phone=ANN)
    with pytest.raises(ContactInvalid, match="asked to be erased"):
        contact_update(account=account, actor=alice, contact_id=ben.pk, phone=ANN)
    with pytest.raises(OptedOut):
        consent_grant(
            account=account, phone=ANN, source=ConsentSource.MANUAL, wording="At the till"
        )
    results = contacts_upsert_many(
        account=account, actor=None, rows=[{"phone": ANN}, {"phone": "+14155550109"}]
    )

    assert [result.status for result in results] == ["refused", "new"]
    assert Contact.objects.get(pk=ben.pk).phone == BEN
    assert not Contact.objects.filter(account=account, phone=ANN).exists()
    assert contact_upsert(account=other_account, actor=None, phone=ANN).phone == ANN


def test_a_form_neither_asks_nor_takes_them(
    account: Account,
    alice: User,
    sim: Client,
    sender: SenderNumber,
    ann: Contact,
    caplog: pytest.LogCaptureFixture,
):
    account.brand = "Flowers"
    account.save()
    values = {
        "is_open": True,
        "title": "Garden news",
        "wording": "By signing up you agree to recurring automated marketing texts from Flowers. "
        "Consent is no condition of purchase. Msg & data rates may apply. Up to 4 msgs/month. "
        "Reply HELP for help, STOP to opt out.",
        "frequency": "Up to 4 msgs/month",
        "privacy_url": "https://a.example/privacy",
        "terms_url": "https://a.example/terms",
        "welcome": "",
    }
    form = optin_form_save(account=account, actor=alice, group_ids=[], asks_yes=True, **values)
    erase(account, alice, ann)

    form_submit(form=form, phone=ANN, first_name="A")
    form.asks_yes = False
    form_submit(form=form, phone=ANN, first_name="A")

    assert not OptInPending.objects.exists()
    assert not Contact.objects.filter(account=account, phone=ANN, deleted_at=None).exists()
    assert (Message.objects.count(), Batch.objects.count()) == (0, 0)
    assert traces() == set()
    assert "4155550101" not in caplog.text
    with pytest.raises(OptedOut):
        optin_accept(way=form, phone=ANN, wording="x")


def test_a_single_text_and_the_gate_know_the_number(
    account: Account, alice: User, sim: Client, launch: Launch, ann: Contact
):
    erase(account, alice, ann)

    for phone in (ANN, f"~{ann.pk}"):
        with pytest.raises(Erased):
            message_send(
                account=account,
                actor=alice,
                phone=phone,
                body="Hi Annabel",
                kind=BatchKind.API,
                request_key=f"k:{phone}",
            )
    assert (Message.objects.count(), Batch.objects.count()) == (0, 0)
    assert traces() == set()
    batch = launch(request_key="k2")
    Message.objects.filter(batch=batch, phone=BEN).update(phone=ANN)  # however it came there
    send_all()

    assert states(batch) == {("skipped", "opted_out"): 1, ("accepted", ""): 1}
    assert [one["to"] for one in sim.messages()] == [CLEO]


def test_start_from_the_phone_brings_them_back_and_any_other_text_does_not(
    account: Account, alice: User, sim: Client, ann: Contact, says: Says
):
    erase(account, alice, ann)

    says("Who are you?")

    opt_out = OptOut.objects.get(account=account, phone=ANN)
    assert (opt_out.source, ErasedNumber.objects.count()) == (ConsentSource.ERASURE, 0)
    assert not Contact.objects.filter(phone=ANN, deleted_at=None).exists()
    imported(account, b"phone,first name\n4155550101,Annabel\n")
    assert Contact.objects.get(phone=ANN).consent == Consent.OPTED_OUT

    start = says("START")

    assert not opted_out(account=account, phone=ANN)
    events = ConsentEvent.objects.filter(account=account, phone=ANN).order_by("id")
    assert list(events.values_list("kind", "source", "message_id")) == [
        (ConsentKind.OUT, ConsentSource.ERASURE, None),
        (ConsentKind.IN, ConsentSource.KEYWORD, start.pk),
    ]
    erase(account, alice, Contact.objects.get(phone=ANN))
    assert opted_out(account=account, phone=ANN)


def test_a_text_from_before_the_erasure_that_is_told_again_brings_nobody_back(
    account: Account, alice: User, sim: Client, sender: SenderNumber, ann: Contact
):
    text = InboundText(
        carrier_id="SM1",
        account_ref=sender.carrier_account.external_id,
        phone=ANN,
        our_number=sender.phone,
        body="Hello",
    )
    file: dict[str, Any] = {"carrier_account": sender.carrier_account, "text": text, "at": now()}
    assert inbound_file(**file) is not None
    erase(account, alice, ann)

    again = inbound_file(**file)

    assert again is None
    assert erased_among([(account.pk, ANN)]) == {(account.pk, ANN)}
    assert traces() == set()
