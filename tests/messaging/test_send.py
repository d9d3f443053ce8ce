"""Launch to carriersim and back: what the carrier's own record says is what counts."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings

from accounts.models import Account, CreditEntry, User
from carriersim.client import Client
from contacts.models import Contact, OptOut
from contacts.services import contact_delete, contacts_unite
from messaging.choices import BatchKind, BatchState, ChunkState
from messaging.models import Attempt, Batch, CarrierAccount, Chunk, Message, SenderNumber
from messaging.sending.drain import drain, serve_window
from messaging.sending.leases import Window
from messaging.sending.window import Prepared, prepare
from messaging.services import batch_cancel, batch_pause, message_send
from messaging.services.finish import batches_finish
from tests.messaging.conftest import (
    Launch,
    People,
    make_sender,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tracking.codes import candidates
from tracking.models import Link

pytestmark = pytest.mark.django_db


def assert_credits_balance(account: Account, batch: Batch) -> None:
    """Reserved is what was settled and released, and nothing of the batch is held any more."""
    moved = {
        kind: sum(
            entry.available + entry.held if kind == "settle" else entry.available
            for entry in CreditEntry.objects.filter(account=account, batch_id=batch.pk, kind=kind)
        )
        for kind in ("reserve", "settle", "release")
    }
    batch.refresh_from_db()
    account.refresh_from_db()
    assert -moved["reserve"] == batch.credits_reserved
    assert -moved["settle"] == batch.credits_settled
    assert batch.credits_reserved == batch.credits_settled + moved["release"]
    assert batch.credits_settled == sum(
        Message.objects.filter(batch=batch).values_list("credits", flat=True)
    )
    assert account.credit_held == 0


def test_everybody_is_texted_once_with_their_own_words(
    launch: Launch, people: People, sim: Client, account: Account
):
    contacts = people(1200)
    batch = launch(body="Hi {{first_name}}, https://shop.example/sale")

    send_all()

    link = Link.objects.get(batch_id=batch.pk)
    record = {row["to"]: row for row in sim.messages()}
    assert sim.summary()["accepted"] == 1200
    assert sim.summary()["most_to_one"] == 1
    assert set(record) == {contact.phone for contact in contacts}
    for message in Message.objects.filter(batch=batch).order_by("recipient_no"):
        sent = record[message.phone]["body"]
        greeting, url = sent.split(", ")
        assert message.recipient_no is not None
        assert greeting == f"Hi Ann{message.recipient_no - 1}"
        assert url.startswith(settings.LINK_URL + "/")
        assert candidates(urlsplit(url).path[1:]) == [(link.pk, message.recipient_no)]
        assert (message.body, message.state, message.segments) == (sent, "accepted", 1)
    assert states(batch) == tallies(batch) == {("accepted", ""): 1200}
    batch.refresh_from_db()
    assert (batch.state, batch.credits_settled) == (BatchState.DONE, 1200)
    assert_credits_balance(account, batch)


def test_each_request_is_recorded_under_the_carriers_id(
    launch: Launch, people: People, sim: Client
):
    people(2)
    launch()

    send_all()

    attempts = Attempt.objects.order_by("message_id")
    assert [(row.n, row.outcome, row.http_status) for row in attempts] == [
        (1, "accepted", 201),
        (1, "accepted", 201),
    ]
    assert {row.carrier_id for row in attempts} == {row["sid"] for row in sim.messages()}
    for row in attempts:
        assert row.requested_at is not None
        assert row.answered_at is not None
        assert row.requested_at <= row.answered_at


def test_the_status_callback_names_message_and_attempt(
    launch: Launch, people: People, sim: Client, sender: SenderNumber
):
    people(1)
    launch()

    send_all()

    message = Message.objects.get()
    assert sim.messages()[0]["status_callback"] == (
        f"{settings.EDGE_URL}/webhooks/twilio/{sender.carrier_account_id}"
        f"/status/{message.pk}-1#rc=5&rp=5xx,ct,rt"
    )


def test_the_carriers_refusals_say_why_and_cost_nothing(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=["+14155550158", "+14155550159", "+14155550101"])
    batch = launch()

    send_all()

    assert states(batch) == {
        ("refused", "invalid_number"): 1,
        ("refused", "landline"): 1,
        ("accepted", ""): 1,
    }
    assert tallies(batch) == states(batch)
    assert Message.objects.get(phone="+14155550158").carrier_code == "21211"
    assert_credits_balance(account, batch)
    assert batch.credits_settled == 1


def test_whom_the_carrier_knows_to_have_left_has_left_for_us(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=["+14155550157"])
    batch = launch()

    send_all()

    assert states(batch) == {("refused", "opted_out"): 1}
    assert OptOut.objects.get(account=account).phone == "+14155550157"
    second = launch(request_key="k2")
    assert states(second) == {("skipped", "opted_out"): 1}


def test_who_leaves_after_the_launch_is_not_texted(
    launch: Launch, people: People, sim: Client, account: Account
):
    ann, ben = people(2)
    batch = launch()
    OptOut.objects.create(account=account, phone=ann.phone, source="keyword")

    send_all()

    assert sim.recipients() == {ben.phone: 1}
    assert states(batch) == {("skipped", "opted_out"): 1, ("accepted", ""): 1}
    assert_credits_balance(account, batch)


@pytest.mark.parametrize(
    ("is_merged", "ends"), [(False, ("skipped", "deleted")), (True, ("accepted", ""))]
)
def test_whoever_is_deleted_after_the_launch_is_not_texted(
    launch: Launch,
    people: People,
    account: Account,
    alice: User,
    is_merged: bool,
    ends: tuple[str, str],
):
    ann, ben = people(2)
    batch = launch(audience=Contact.objects.filter(pk=ann.pk))
    if is_merged:
        contacts_unite(account=account, actor=alice, contact_id=ben.pk, other_id=ann.pk)
    else:
        contact_delete(account=account, actor=alice, contact_id=ann.pk)

    send_all()

    assert states(batch) == tallies(batch) == {ends: 1}
    assert_credits_balance(account, batch)


def test_a_deleted_contact_may_be_answered(
    people: People, account: Account, alice: User, sender: SenderNumber
):
    (ann,) = people(1)
    contact_delete(account=account, actor=alice, contact_id=ann.pk)
    reply = message_send(
        account=account,
        actor=alice,
        phone=ann.phone,
        body="See you at nine",
        kind=BatchKind.REPLY,
        request_key="r",
        contact=ann,
    )

    send_all()

    reply.refresh_from_db()
    assert (reply.state, reply.reason) == ("accepted", "")


def test_consent_that_is_required_is_asked_again_at_the_moment_of_sending(
    launch: Launch, people: People, sim: Client, account: Account
):
    account.requires_consent = True
    account.save()
    ann, ben = people(2, consent="opted_in")
    batch = launch(account=account)
    type(ann).objects.filter(pk=ann.pk).update(consent="unknown")

    send_all()

    assert sim.recipients() == {ben.phone: 1}
    assert states(batch) == {("skipped", "no_consent"): 1, ("accepted", ""): 1}


def test_who_leaves_while_a_window_is_on_its_way_is_not_asked_for(
    launch: Launch,
    people: People,
    sim: Client,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
):
    ann, ben = people(2)
    batch = launch()
    monkeypatch.setattr("messaging.sending.exchange.GATE_FRESH_S", -1.0)

    def leaves_meanwhile(window: Window) -> Prepared:
        result = prepare(window)
        OptOut.objects.create(account=account, phone=ann.phone, source="keyword")
        return result

    monkeypatch.setattr("messaging.sending.drain.prepare", leaves_meanwhile)

    serve_soon()

    assert sim.recipients() == {ben.phone: 1}
    assert states(batch) == {("skipped", "opted_out"): 1, ("accepted", ""): 1}


def test_a_carrier_account_that_is_shut_pauses_the_batch_and_loses_nobody(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(300)
    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, active=False)
    batch = launch()

    drain()

    batch.refresh_from_db()
    assert sim.summary()["accepted"] == 0
    assert batch.state == BatchState.PAUSED
    assert "carrier account is not active" in batch.state_reason
    assert states(batch) == {("pending", ""): 300}
    assert tallies(batch) == states(batch)
    assert drain() == 0

    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN)


def test_a_carrier_that_cannot_be_reached_costs_no_attempt(
    launch: Launch, people: People, sim: Client, sender: SenderNumber
):
    people(5)
    CarrierAccount.objects.update(api_base_url="http://127.0.0.1:9")
    batch = launch()

    assert drain(shift_s=1) == 0

    assert states(batch) == {("pending", ""): 5}
    assert not Attempt.objects.exists()
    assert not Chunk.objects.exclude(state=ChunkState.READY).exists()


def test_a_daily_cap_holds_what_is_beyond_it(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(10)
    capped = make_sender(account, sim, phone="+12025550111", daily_cap=7)
    batch = launch(sender=capped, body="x" * 200)

    send_all()

    assert sim.summary()["accepted"] == 3
    assert states(batch) == {("accepted", ""): 3, ("pending", ""): 7}
    assert capped.days.get().segments == 6


def test_small_batches_go_out_together(account: Account, sender: SenderNumber, sim: Client):
    for at in range(30):
        message_send(
            account=account,
            actor=None,
            phone=f"+1415200{at:04}",
            body=f"Number {at}",
            kind=BatchKind.API,
            request_key=f"m{at}",
        )

    assert serve_soon() == 30

    assert sim.summary()["accepted"] == 30
    assert Message.objects.filter(state="accepted").count() == 30
    assert batches_finish() == 30
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (99_970, 0)


@pytest.mark.parametrize("end", ["pause", "cancel", "suspend"])
def test_nothing_is_claimed_of_a_batch_that_was_stopped(
    launch: Launch, people: People, sim: Client, account: Account, end: str
):
    people(5)
    batch = launch()
    if end == "pause":
        batch_pause(account=account, actor=None, batch=batch)
    elif end == "cancel":
        batch_cancel(account=account, actor=None, batch=batch)
    else:
        Account.objects.filter(pk=account.pk).update(status="suspended")

    assert serve_window() is None

    assert sim.summary()["accepted"] == 0
    assert not Attempt.objects.exists()
