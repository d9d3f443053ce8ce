from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.choices import AccountStatus
from accounts.errors import EmailUnverified, InsufficientCredits
from accounts.models import Account, CreditEntry, User, VerifiedNumber
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact, OptOut
from contacts.services import person_erase
from messaging.choices import BatchKind, BatchState
from messaging.errors import AccountSuspended, NoSender
from messaging.models import Attempt, Batch, CarrierAccount, Chunk, Lane, Message, SenderNumber
from messaging.rendering import TemplateError
from messaging.sending.drain import drain
from messaging.services import message_send, sender_default
from messaging.services.finish import batches_finish
from messaging.signals import message_queued
from tests.messaging.conftest import make_sender, send_all, tallies

pytestmark = pytest.mark.django_db

PHONE = "+14155550101"


def send(account: Account, **fields: Any) -> Message:
    return message_send(
        **{
            "account": account,
            "actor": None,
            "phone": PHONE,
            "body": "See you at nine",
            "kind": BatchKind.REPLY,
            "request_key": "m1",
            **fields,
        }
    )


def test_a_text_goes_out_as_it_stands(account: Account, sender: SenderNumber, sim: Client):
    body = "Use {{first_name}} and https://shop.example/ as you like"

    message = send(account, body=body)
    send_all()

    assert [row["body"] for row in sim.messages()] == [body]
    message.refresh_from_db()
    assert (message.body, message.state, message.credits) == (body, "accepted", 1)
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (99_999, 0)


def test_its_text_can_be_read_before_it_is_sent(account: Account, sender: SenderNumber):
    message = send(account)

    assert (message.state, message.body) == ("pending", "See you at nine")


def test_asking_twice_asks_once(account: Account, sender: SenderNumber):
    heard: list[Message] = []
    message_queued.connect(lambda message, **_: heard.append(message), weak=False, dispatch_uid="t")

    first, second = send(account), send(account, body="Something else")

    message_queued.disconnect(dispatch_uid="t")
    assert first.pk == second.pk
    assert Batch.objects.count() == 1
    assert [message.pk for message in heard] == [first.pk]
    assert CreditEntry.objects.filter(kind="reserve").count() == 1


@pytest.mark.django_db(transaction=True)
def test_asking_at_once_asks_once(account: Account, sender: SenderNumber):
    def run(_: int) -> int:
        try:
            return send(account).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(run, range(8)))

    assert len(found) == 1
    assert Message.objects.count() == 1


def test_whoever_left_is_skipped_and_costs_nothing(account: Account, sender: SenderNumber):
    OptOut.objects.create(account=account, phone=PHONE, source="keyword")

    message = send(account)

    account.refresh_from_db()
    assert (message.state, message.reason) == ("skipped", "opted_out")
    assert (account.credit_balance, account.credit_held) == (100_000, 0)
    assert message.batch is not None
    assert tallies(message.batch) == {("skipped", "opted_out"): 1}


def test_a_landline_is_skipped(account: Account, sender: SenderNumber):
    contact = Contact.objects.create(account=account, phone=PHONE, line_type="landline")

    assert send(account, contact=contact).reason == "landline"


def test_a_trial_texts_only_verified_numbers_but_its_codes_get_there(
    account: Account, sender: SenderNumber
):
    CarrierAccount.objects.update(is_simulated=False)
    account.status = AccountStatus.TRIAL
    account.save()

    unverified = send(account, request_key="a")
    code = send(account, request_key="b", kind=BatchKind.TEST)
    VerifiedNumber.objects.create(account=account, phone=PHONE, verified_at=now())
    verified = send(account, request_key="c")

    assert (unverified.state, unverified.reason) == ("skipped", "unverified_trial")
    assert (code.state, verified.state) == ("pending", "pending")


def test_without_credits_a_reply_is_refused_and_an_answer_is_free(
    account: Account, sender: SenderNumber, sim: Client
):
    Account.objects.filter(pk=account.pk).update(credit_balance=0)

    with pytest.raises(InsufficientCredits):
        send(account)
    assert not Batch.objects.exists()
    answer = send(account, kind=BatchKind.AUTO)
    send_all()

    answer.refresh_from_db()
    account.refresh_from_db()
    assert (answer.state, answer.credits) == ("accepted", 0)
    assert (account.credit_balance, account.credit_held) == (0, 0)
    assert Batch.objects.get().settled_at is not None


@pytest.mark.parametrize(("body", "sentence"), [("  ", "empty"), ("x" * 1601, "1,601 characters")])
def test_a_text_that_cannot_be_sent_is_refused(
    account: Account, sender: SenderNumber, body: str, sentence: str
):
    with pytest.raises(TemplateError, match=sentence):
        send(account, body=body)

    assert not Batch.objects.exists()


def test_who_may_not_send_sends_nothing(account: Account, sender: SenderNumber):
    stranger = User.objects.create_user("new@example.com")
    with pytest.raises(EmailUnverified):
        send(account, actor=stranger)
    Account.objects.filter(pk=account.pk).update(status=AccountStatus.SUSPENDED)
    with pytest.raises(AccountSuspended):
        send(account)

    assert not Batch.objects.exists()


def test_the_default_number_is_used(account: Account, sender: SenderNumber, sim: Client):
    chosen = make_sender(account, sim, phone="+12025550155", is_default=True)

    assert sender_default(account) == chosen
    assert send(account).our_number == chosen.phone
    SenderNumber.objects.update(released_at=now())
    with pytest.raises(NoSender):
        sender_default(account)


@pytest.mark.parametrize("kind", [BatchKind.AUTO, BatchKind.REPLY, BatchKind.API])
def test_a_log_in_that_is_turned_away_ends_it_and_whoever_got_none_can_be_erased(
    account: Account, alice: User, sender: SenderNumber, sim: Client, settings: Any, kind: str
):
    ann = Contact.objects.create(account=account, phone=PHONE)
    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, active=False)
    message = send(account, contact=ann, kind=kind)

    drain()

    batch = Batch.objects.get()
    assert (batch.state, batch.state_reason) == (BatchState.RUNNING, "")
    assert Message.objects.get().state == "pending"
    wait_s = (Lane.objects.get(sender=sender).not_before - now()).total_seconds()
    assert 50 < wait_s < 61
    for _ in range(8):
        past = now() - timedelta(seconds=1)
        Lane.objects.update(not_before=past)
        Chunk.objects.update(not_before=past)
        drain()
    batches_finish()

    message.refresh_from_db()
    assert (message.state, message.reason) == ("refused", "carrier_account")
    assert Attempt.objects.count() == message.attempts == 8
    batch.refresh_from_db()
    assert batch.state == BatchState.DONE
    assert tallies(batch) == {("refused", "carrier_account"): 1}
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (100_000, 0)
    person_erase(account=account, actor=alice, contact_id=ann.pk)
    assert Message.objects.get().is_of_erased

    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN)


def test_a_log_in_that_is_mended_in_time_sends_it(
    account: Account, sender: SenderNumber, sim: Client, settings: Any
):
    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, active=False)
    message = send(account)
    drain()
    sim.add_account(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN)

    Lane.objects.update(not_before=now() - timedelta(seconds=1))
    Chunk.objects.update(not_before=now() - timedelta(seconds=1))
    send_all()

    message.refresh_from_db()
    assert (message.state, message.attempts) == ("accepted", 2)
    assert sim.recipients() == {PHONE: 1}
