"""Erasing a person: nothing of them is left anywhere, no total moves, and nobody can text them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from accounts.models import Account, AuditEvent, Membership, User
from carriersim.client import Client
from common.clock import now
from common.crypto import keyed_hashes
from common.errors import NotFound
from contacts.choices import Consent, ConsentKind, ConsentSource, ImportStatus
from contacts.errors import ContactInvalid, ErasureWaits, OptedOut
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ErasedNumber,
    ImportRefusal,
    OptInPending,
    OptOut,
)
from contacts.selectors import erased_among, opted_out
from contacts.services import (
    consent_grant,
    contact_delete,
    contact_update,
    contact_upsert,
    contacts_upsert_many,
    import_create,
    import_run,
    import_start,
    optin_accept,
    optin_form_save,
    person_erase,
)
from inbox.models import Conversation, Note
from inbox.services import note_add
from messaging.choices import BatchKind, ChunkState
from messaging.errors import Erased
from messaging.gateways.events import InboundText
from messaging.lookups import lookup_run
from messaging.models import Batch, Chunk, DriftRow, Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.recounting import differences
from messaging.services import message_send
from messaging.services.joining import form_submit
from messaging.services.lookups import lookup_start
from tests.contracts.world import everything
from tests.messaging.conftest import Launch, People, send_all, states, tallies
from tests.races import in_thread, wait_for_lock_waits

pytestmark = pytest.mark.django_db

ANN, BEN, CLEO = "+14155550101", "+14155550102", "+14155550103"
BODY = "Hi {{first_name}}, fresh tulips today"

Says = Callable[..., Message]


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ann(account: Account, people: People) -> Contact:
    """Ann, with Ben and Cleo beside her."""
    ann, *_ = people(phones=[ANN, BEN, CLEO])
    Contact.objects.filter(pk=ann.pk).update(
        first_name="Annabel", last_name="Quist", email="bell@quist.example", custom={"pet": "Rex"}
    )
    return Contact.objects.get(pk=ann.pk)


@pytest.fixture
def says(sender: SenderNumber) -> Says:
    """`says("Hello")`: a text from Ann to Alice's number."""

    def arrive(body: str, *, phone: str = ANN) -> Message:
        message = inbound_file(
            carrier_account=sender.carrier_account,
            text=InboundText(
                carrier_id=f"SM{Message.objects.count():032x}",
                account_ref=sender.carrier_account.external_id,
                phone=phone,
                our_number=sender.phone,
                body=body,
            ),
            at=now(),
        )
        assert message is not None
        return message

    return arrive


def erase(account: Account, actor: User, contact: Contact) -> None:
    person_erase(account=account, actor=actor, contact_id=contact.pk)


def imported(account: Account, content: bytes, *, wording: str = "Till") -> ContactImport:
    upload = SimpleUploadedFile("list.csv", content)
    found = import_create(account=account, actor=None, upload=upload)
    import_start(
        account=account,
        actor=None,
        import_id=found.pk,
        mapping=found.mapping,
        consent_wording=wording,
    )
    import_run(found.pk)
    found.refresh_from_db()
    return found


def traces() -> set[str]:
    """What of Ann stands anywhere in the database."""
    rows = repr(everything())
    told = ("4155550101", "Annabel", "Quist", "quist.example", "Rex", "allergic", "likes lilies")
    return {word for word in told if word in rows}


def test_nothing_of_the_person_is_left_and_no_total_moves(
    account: Account, alice: User, sim: Client, launch: Launch, ann: Contact, says: Says
):
    imported(account, b"phone,first name,email\n4155550101,,bell@quist.example\nNone,Quist,\n")
    bad = b"phone,first name,email\n(415) 555-0101,Annabel Quist,no address\n"
    refused = imported(account, bad)
    batch = launch(body=BODY)
    send_all()
    says("I am allergic to roses. Rex is too.")
    asked = lookup_start(
        account=account,
        actor=alice,
        audience=Contact.objects.filter(pk=ann.pk),
        title="One contact",
        request_key="a look",
        most_credits=1_000,
    )
    with pytest.raises(ErasureWaits, match="looked up"):
        erase(account, alice, ann)
    lookup_run(asked.pk)
    DriftRow.objects.create(
        account=account, phone=ANN, side="here", wording="Annabel called", since_at=now()
    )
    message_send(
        account=account,
        actor=alice,
        phone=ANN,
        body="Then we bring tulips, Annabel",
        kind=BatchKind.REPLY,
        request_key=f"reply:{ANN}:1",
        contact=ann,
    )
    send_all()
    thread = Conversation.objects.get(phone=ANN)
    note_add(account=account, actor=alice, conversation=thread, text="She likes lilies")
    says("STOP")
    send_all()
    Batch.objects.update(settled_at=now())
    before = states(batch), tallies(batch), Message.objects.count(), ConsentEvent.objects.count()
    assert traces() != set()

    erase(account, alice, ann)

    # The name stands once more, in a row that holds neither number nor e-mail.
    assert ImportRefusal.objects.get(raw__contains="Quist").raw == "None,Quist,"
    ImportRefusal.objects.filter(raw__contains="Quist").delete()
    assert traces() == set()
    after = states(batch), tallies(batch), Message.objects.count(), ConsentEvent.objects.count() - 1
    assert after == before
    assert differences() == []
    assert ImportRefusal.objects.get(contact_import=refused).raw == ""
    assert Note.objects.count() == 0
    gone = Contact.objects.get(pk=ann.pk)
    assert (gone.phone, gone.deleted_at is not None) == (f"~{ann.pk}", True)
    assert Message.objects.filter(phone=gone.phone, contact=ann).count() == 5
    assert Conversation.objects.get(pk=thread.pk).phone == gone.phone
    event = AuditEvent.objects.get(account=account, action="contact.erased")
    assert (event.actor, event.subject) == (alice, gone.phone)
    assert OptOut.objects.values_list("phone", "source").get() == (gone.phone, "erasure")
    assert (
        bytes(ErasedNumber.objects.get().digest)
        == keyed_hashes(f"{account.pk}:{ANN}", purpose="erased numbers")[0]
    )


def test_what_waits_is_skipped_and_the_others_get_it(
    account: Account, alice: User, sim: Client, launch: Launch, ann: Contact
):
    batch = launch(body=BODY)

    erase(account, alice, ann)
    send_all()

    assert states(batch) == {("skipped", "opted_out"): 1, ("accepted", ""): 2}
    assert tallies(batch) == states(batch)
    assert sorted(one["to"] for one in sim.messages()) == [BEN, CLEO]
    assert differences() == []


def test_a_text_that_is_going_out_is_waited_for(
    account: Account, alice: User, launch: Launch, ann: Contact
):
    launch(body=BODY)
    Chunk.objects.update(state=ChunkState.LEASED, window_last_no=1)

    with pytest.raises(ErasureWaits, match="going out"):
        erase(account, alice, ann)

    assert Contact.objects.get(pk=ann.pk).phone == ANN
    assert not ErasedNumber.objects.exists()
    Chunk.objects.update(next_no=2, window_last_no=3)
    erase(account, alice, ann)
    assert erased_among([(account.pk, ANN)]) == {(account.pk, ANN)}


def test_a_text_whose_fate_is_unknown_is_waited_for(
    account: Account, alice: User, launch: Launch, ann: Contact
):
    batch = launch(body=BODY)
    Message.objects.filter(phone=ANN).update(state="unknown", rank=1)

    with pytest.raises(ErasureWaits, match="three days"):
        erase(account, alice, ann)

    Batch.objects.filter(pk=batch.pk).update(settled_at=now())
    erase(account, alice, ann)
    assert not Message.objects.filter(phone=ANN).exists()


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

    merged = Contact.objects.get(pk=ann.pk)
    assert (merged.phone, ErasedNumber.objects.count()) == (f"~{ann.pk}", 1)


def test_a_deleted_contact_can_be_erased_and_nobody_twice(
    account: Account, other_account: Account, alice: User, sim: Client, ann: Contact
):
    contact_delete(account=account, actor=alice, contact_id=ann.pk)
    with pytest.raises(NotFound):
        erase(other_account, alice, ann)

    erase(account, alice, ann)

    assert not AuditEvent.objects.filter(subject=ANN).exists()
    with pytest.raises(NotFound):
        erase(account, alice, ann)


def test_hashes_under_an_older_key_are_still_known(
    account: Account, alice: User, sim: Client, ann: Contact, settings: Any
):
    from common.crypto import _hash_keys

    erase(account, alice, ann)
    newer = ["k" * 43 + "=", *settings.ENCRYPTION_KEYS]

    _hash_keys.cache_clear()
    with override_settings(ENCRYPTION_KEYS=newer):
        found = erased_among([(account.pk, ANN), (account.pk, BEN)])
    _hash_keys.cache_clear()

    assert found == {(account.pk, ANN)}


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


def test_an_admin_erases_by_the_page_and_a_marketer_does_not(
    account: Account, alice: User, bob: User, charlie: User, sim: Client, ann: Contact, says: Says
):
    says("Hello")
    admin, marketer, stranger = Browser(), Browser(), Browser()
    for browser, user in ((admin, alice), (marketer, bob), (stranger, charlie)):
        browser.force_login(user)
    page = reverse("contact_erase", args=[ann.pk])
    link = f'href="{page}"'

    assert link in admin.get(reverse("contact_detail", args=[ann.pk])).content.decode()
    assert link not in marketer.get(reverse("contact_detail", args=[ann.pk])).content.decode()
    assert (marketer.post(page).status_code, Membership.objects.filter(user=charlie).count()) == (
        403, 0,
    )  # fmt: skip
    assert "It cannot be undone" in admin.get(page).content.decode()
    assert not ErasedNumber.objects.exists()
    assert admin.post(page, follow=True).status_code == 200

    assert ErasedNumber.objects.filter(account=account).count() == 1
    message = Message.objects.get()
    thread = Conversation.objects.get()
    for path in (
        reverse("message_detail", args=[message.pk]),
        reverse("message_log"),
        reverse("conversation", args=[thread.pk]),
        reverse("inbox") + "?show=all",
    ):
        answer = admin.get(path)
        assert (path, answer.status_code) == (path, 200)
        shown = answer.content.decode().replace("\xa0", " ")
        assert "Erased person" in shown
        assert "4155550101" not in shown
    assert admin.get(page).status_code == 404
