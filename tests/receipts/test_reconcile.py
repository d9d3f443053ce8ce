"""Our records against the carrier's, over real processes: the lost is found, differences shown."""

import io
import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.test import Client

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from contacts.models import Contact, OptOut
from messaging.carrier_list import CarrierAway
from messaging.choices import BatchKind, Direction, MessageState
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.reconcile import batch_reconcile, inbound_catch_up
from messaging.reconcile_due import reconcile_due
from messaging.recounting import differences
from messaging.senders import webhook_url
from messaging.services import batch_launch
from tests.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

STATES = {
    "delivered": MessageState.DELIVERED,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.FAILED,
    "sent": MessageState.SENT,
    "queued": MessageState.ACCEPTED,
}


@pytest.fixture
def launched(stack: Stack, account: Account, alice: User, sender: SenderNumber) -> Any:
    """`launched(phones, **profile)`: a blast that has gone out, all callbacks in and applied.

    Nobody but the test reconciles it: for beat its time is an hour later.
    """
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)

    def launch(phones: list[str], **profile: Any) -> Batch:
        stack.carriersim.set(speed=50, profile=profile)
        Contact.objects.bulk_create(Contact(account=account, phone=phone) for phone in phones)
        batch = batch_launch(
            account=account,
            actor=alice,
            kind=BatchKind.BLAST,
            name="Flowers",
            body="Fresh tulips today",
            sender=sender,
            audience=Contact.objects.filter(account=account),
            request_key="reconcile",
        )
        stack.wait_until(
            lambda: not batch.messages.filter(state=MessageState.PENDING).exists(), what="sending"
        )
        settle(stack)
        batch.refresh_from_db()
        return batch

    return launch


def settle(stack: Stack) -> None:
    """Wait until the carrier has said all it says and everything is applied."""
    stack.wait_until(
        lambda: stack.carriersim.stats()["idle"] and not CarrierEventQueue.objects.exists(),
        what="callbacks",
    )


def theirs(stack: Stack) -> dict[str, str]:
    """Phone to state, as the carrier knows."""
    return {m["to"]: STATES[m["status"]] for m in stack.carriersim.messages()}


def ours(batch: Batch) -> dict[str, str]:
    return dict(batch.messages.values_list("phone", "state"))


def test_callbacks_tripled_shuffled_and_lost_end_as_the_carrier_knows(
    stack: Stack, launched: Any
) -> None:
    phones = [f"+1415555{no:04d}" for no in range(2000, 3000)]

    batch = launched(
        phones,
        outcomes={"landline": 0.05, "unreachable": 0.05},
        callback_faults={"lost": 0.05, "final_lost": 0.05, "duplicated": 0.3, "reordered": 0.3},
    )

    assert ours(batch) != theirs(stack)
    assert batch_reconcile(batch=batch) == []
    settle(stack)
    assert ours(batch) == theirs(stack)
    assert stack.carriersim.summary()["most_to_one"] == 1
    batch.refresh_from_db()
    assert (batch.reconciled_differences, batch.reconciled_at is not None) == ([], True)
    assert differences() == []


def test_missing_doubled_and_different_are_told_apart(
    stack: Stack, launched: Any, carrier: CarrierAccount, account: Account, alice: User
) -> None:
    batch = launched(["+14155550150", "+14155550250", "+14155550350", "+14155550450"])
    one, two, three, four = Message.objects.filter(batch=batch).order_by("phone")
    CarrierAccount.objects.update(list_delay_s=0)
    Message.objects.filter(batch=batch).update(accepted_at="2026-01-01T00:00:00Z")
    Attempt.objects.filter(message=one).update(carrier_id="SM" + "0" * 32)
    Message.objects.filter(pk=two.pk).update(state="undelivered")

    found = batch_reconcile(batch=batch)

    # The first one's own text is listed under an id that no attempt has.
    assert sorted((d.kind, d.message_id, d.ours, d.theirs) for d in found) == [
        ("different", two.pk, "undelivered", "delivered"),
        ("doubled", one.pk, "delivered", "delivered"),
        ("missing", one.pk, "delivered", ""),
    ]
    assert ours(batch)[three.phone] == ours(batch)[four.phone] == "delivered"
    batch.refresh_from_db()
    assert batch.reconciled_differences is not None
    assert len(batch.reconciled_differences) == 3
    blast = Blast.objects.create(
        account=account,
        campaign=Campaign.objects.create(account=account, name="Spring", created_by=alice),
        name="Flowers",
        created_by=alice,
        state=BlastState.LAUNCHED,
        batch=batch,
    )
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", str(blast.pk), stdout=out, stderr=err)
    assert ended.value.code == 1
    assert len(out.getvalue().splitlines()) == 3
    browser = Client()
    browser.force_login(alice)
    report = browser.get(f"/blasts/{blast.pk}/").content.decode()
    assert f'<a href="/blasts/{blast.pk}/differences">3 differences</a> from the carrier' in report
    page = browser.get(f"/blasts/{blast.pk}/differences").content.decode()
    rows = re.findall(r'<tr data-href="/messages/(\d+)/">.*?</tr>', page, re.S)
    assert sorted(map(int, rows)) == sorted([one.pk, one.pk, two.pk])
    for words in ("Not in the carrier’s list", "One more at the carrier", "Two last words"):
        assert page.count(words) == 1


def test_a_carrier_that_does_not_answer_proves_nothing(
    stack: Stack, launched: Any, settings: Any
) -> None:
    batch = launched(["+14155550150"])
    settings.CARRIER_REQUEST_TIMEOUT_S = 2.0
    CarrierAccount.objects.update(api_base_url="http://127.0.0.1:9")

    with pytest.raises(CarrierAway):
        batch_reconcile(batch=batch)

    batch.refresh_from_db()
    assert (batch.reconciled_at, batch.reconciled_differences) == (None, None)


def test_a_stop_sent_while_the_edge_was_down_is_found(
    stack: Stack, launched: Any, account: Account, carrier: CarrierAccount, sender: SenderNumber
) -> None:
    batch = launched(["+14155550150", "+14155550250"])
    stack.carriersim.add_number(
        sender.phone, carrier.external_id, webhook_url(carrier, "inbound").partition("#")[0]
    )
    stack.kill("edge")
    stack.carriersim.text("+14155550150", sender.phone, "STOP")
    stack.carriersim.text("+14155550250", sender.phone, "Lovely!")
    stack.wait_until(lambda: stack.carriersim.stats()["idle"], what="the lost webhooks")
    assert not Message.objects.filter(direction=Direction.IN).exists()

    assert inbound_catch_up(sender=sender) == 2
    sender.refresh_from_db()
    assert inbound_catch_up(sender=sender) == 0

    assert OptOut.objects.get(account=account).phone == "+14155550150"
    assert batch.totals.opted_out == batch.totals.replied == 1
    assert differences() == []


def test_what_is_due_is_reconciled_and_what_the_carrier_never_said_stays_open(
    stack: Stack, launched: Any, settings: Any
) -> None:
    batch = launched(["+14155550163", "+14155550164", "+14155550161"])
    states = ours(batch)
    assert states["+14155550163"] == "accepted"
    assert states["+14155550164"] == "sent"
    settings.RECONCILE_AFTER_S = 0.0

    # Beat's own look, to which nothing is due yet, may have the turn just now.
    assert stack.wait_until(reconcile_due, what="its turn") == 1
    settle(stack)

    assert ours(batch) == {
        "+14155550163": "delivered",
        "+14155550164": "delivered",
        "+14155550161": "sent",
    }
    assert differences() == []
