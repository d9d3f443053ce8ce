"""Erasing a person: nothing of them is left anywhere, no total moves, what goes out waits."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from accounts.models import Account, AuditEvent, Membership, User
from carriersim.client import Client
from common.clock import now
from common.crypto import keyed_hashes
from common.errors import NotFound
from contacts.errors import ErasureWaits
from contacts.models import ConsentEvent, Contact, ErasedNumber, ImportRefusal, OptOut
from contacts.selectors import erased_among
from contacts.services import contact_delete
from inbox.models import Conversation, Note
from inbox.services import note_add
from messaging.choices import BatchKind, ChunkState
from messaging.lookups import lookup_run
from messaging.models import Batch, Chunk, DriftRow, Message
from messaging.recounting import differences
from messaging.services import message_send
from messaging.services.lookups import lookup_start
from tests.messaging.conftest import Launch, send_all, states, tallies
from tests.messaging.erasing.conftest import ANN, BEN, CLEO, Says, erase, imported, traces

pytestmark = pytest.mark.django_db

BODY = "Hi {{first_name}}, fresh tulips today"


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

    # The name stands once more, in a row that holds neither number nor email.
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
