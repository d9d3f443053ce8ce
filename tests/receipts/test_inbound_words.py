"""STOP, HELP and START by text: obeyed, and answered once at the most."""

from datetime import timedelta

import pytest

from accounts.models import Account
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.services import consent_revoke
from messaging.choices import (
    BatchKind,
    SenderKind,
)
from messaging.confirmations import confirmed_by_carrier
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    Message,
    SenderNumber,
)
from messaging.receipts.statuses import statuses_apply
from messaging.recounting import differences
from messaging.state import rank
from tests.receipts.conftest import MakeBatch, Queue, Receive, answers, inbound, sid, totals

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("body", ["STOP", "stop.", "“Stop”", "OPT OUT", "stop 🛑", "STOP\n"])
def test_stop_revokes_consent_counts_and_is_confirmed_once(
    make_batch: MakeBatch, receive: Receive, account: Account, body: str
) -> None:
    (message,) = make_batch(1)
    contact = Contact.objects.create(account=account, phone=message.phone, consent=Consent.OPTED_IN)

    receive(message.phone, body)

    opt_out = OptOut.objects.get(account=account)
    assert (opt_out.phone, opt_out.source) == (message.phone, ConsentSource.KEYWORD)
    event = ConsentEvent.objects.get(kind=ConsentKind.OUT)
    assert (event.message_id, event.wording) == (inbound().pk, body.strip())
    contact.refresh_from_db()
    assert contact.consent == Consent.OPTED_OUT
    message.refresh_from_db()
    assert message.opted_out_at == inbound().created_at
    assert message.replied_at is None
    assert totals(message.batch_id) == (0, 1)
    assert answers() == [
        "Alice's Flowers: You are opted out and will get no more texts from us. "
        "Reply START to come back."
    ]

    receive(message.phone, "stop")

    assert len(answers()) == 1
    assert totals(message.batch_id) == (0, 1)
    assert differences() == []


def test_asking_in_own_words_is_an_opt_out_too(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "please stop texting me")

    assert OptOut.objects.get(account=account).source == ConsentSource.FREE_TEXT
    assert totals(message.batch_id) == (0, 1)


def test_an_accounts_own_words_opt_out_and_in(receive: Receive, account: Account) -> None:
    account.stop_words, account.start_words = ["basta"], ["rejoin"]
    account.save()

    receive("+14155559999", "“Basta!”")

    assert OptOut.objects.get(account=account).source == ConsentSource.KEYWORD

    receive("+14155559999", "Rejoin.")

    assert not OptOut.objects.filter(account=account).exists()


@pytest.mark.parametrize(
    ("body", "confirmations"), [("STOP", 0), ("Stop!", 0), ("QUIT", 1), ("please stop texting", 1)]
)
def test_the_network_answers_stop_to_a_toll_free_number_and_nothing_else(
    body: str, confirmations: int, receive: Receive, sender: SenderNumber, account: Account
) -> None:
    sender.phone, sender.kind = "+18442560199", SenderKind.TOLL_FREE
    sender.save()

    receive("+14155559999", body)

    assert OptOut.objects.filter(account=account, phone="+14155559999").exists()
    assert len(answers()) == confirmations


@pytest.mark.parametrize("body", ["STOP", "HELP"])
def test_on_a_short_code_every_answer_is_ours(
    body: str, receive: Receive, sender: SenderNumber
) -> None:
    sender.phone, sender.kind = "55512", SenderKind.SHORT_CODE
    sender.save()

    receive("+14155559999", body)

    assert len(answers()) == 1


def test_a_stop_holds_for_this_account_only(
    make_batch: MakeBatch, receive: Receive, account: Account, other_account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "STOP")

    assert list(OptOut.objects.values_list("account_id", flat=True)) == [account.pk]


def test_the_carriers_own_answer_is_not_repeated(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    (message,) = make_batch(1)

    receive(message.phone, "parar", OptOutType="STOP")

    assert OptOut.objects.filter(account=account, phone=message.phone).exists()
    assert answers() == []

    receive(message.phone, "HELP", OptOutType="HELP")

    assert answers() == []


def test_help_is_answered_even_to_strangers_once_an_hour(
    receive: Receive, account: Account
) -> None:
    account.help_text = "Alice's Flowers, 555-0100. Reply STOP to opt out."
    account.save()
    at = now().replace(minute=10)

    receive("+14155559999", "HELP", at=at)
    receive("+14155559999", "help!", at=at + timedelta(minutes=20))

    assert answers() == ["Alice's Flowers, 555-0100. Reply STOP to opt out."]
    sent = Message.objects.get(batch__kind=BatchKind.AUTO)
    assert (sent.state, sent.phone) == ("pending", "+14155559999")


def test_help_is_answered_to_whoever_left(receive: Receive, account: Account) -> None:
    consent_revoke(account=account, phone="+14155559999", source=ConsentSource.KEYWORD)

    receive("+14155559999", "HELP")

    assert Message.objects.get(batch__kind=BatchKind.AUTO).state == "pending"


def test_start_brings_back_and_yes_only_whoever_had_left(
    make_batch: MakeBatch, receive: Receive, account: Account
) -> None:
    left, stayed = make_batch(2)
    consent_revoke(account=account, phone=left.phone, source=ConsentSource.KEYWORD)

    receive(left.phone, "START")
    receive(stayed.phone, "YES")

    assert not OptOut.objects.exists()
    assert Contact.objects.get(phone=left.phone).consent == Consent.OPTED_IN
    assert not ConsentEvent.objects.filter(phone=stayed.phone).exists()
    assert totals(stayed.batch_id) == (2, 0)

    consent_revoke(account=account, phone=stayed.phone, source=ConsentSource.KEYWORD)
    receive(stayed.phone, "yes")
    assert not OptOut.objects.exists()


def test_a_late_stop_is_obeyed_but_not_answered(receive: Receive, account: Account) -> None:
    receive("+14155559999", "STOP", at=now() - timedelta(hours=5))

    assert OptOut.objects.filter(account=account).count() == 1
    assert answers() == []


def test_an_opt_out_is_confirmed_within_five_minutes_or_not_at_all(
    receive: Receive, account: Account
) -> None:
    receive("+14155559999", "STOP")

    asked = Batch.objects.get(kind=BatchKind.AUTO)
    assert asked.expires_at == inbound().created_at + timedelta(minutes=5)

    receive("+14155559998", "STOP", at=now() - timedelta(minutes=5))
    receive("+14155559998", "HELP", at=now() - timedelta(minutes=5))

    assert OptOut.objects.filter(account=account).count() == 2
    assert [one.split(": ")[1][:11] for one in answers()] == ["You are opt", "Reply to th"]


def test_without_credits_or_while_suspended_the_opt_out_stands(
    receive: Receive, account: Account
) -> None:
    account.status = "suspended"
    account.save()

    receive("+14155559999", "STOP")

    assert OptOut.objects.filter(account=account).count() == 1
    assert answers() == []


def test_a_carrier_that_confirms_by_itself_adds_nothing_to_the_consent_on_record(
    receive: Receive, carrier: CarrierAccount, queue: Queue
) -> None:
    receive("+14155559999", "STOP")
    ours = Message.objects.get(batch__kind=BatchKind.AUTO)
    Message.objects.filter(pk=ours.pk).update(state="accepted", rank=rank("accepted"), attempts=1)
    Attempt.objects.create(
        message=ours, n=1, carrier_account=carrier, carrier_id=sid(ours.pk), outcome="accepted"
    )

    queue(ours, "failed", code="21610")
    statuses_apply()

    ours.refresh_from_db()
    assert (ours.state, ours.reason) == ("failed", "opted_out")
    assert confirmed_by_carrier(ours, ours.batch)
    assert [(event.kind, event.source) for event in ConsentEvent.objects.all()] == [
        (ConsentKind.OUT, ConsentSource.KEYWORD)
    ]
