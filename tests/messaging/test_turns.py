"""Nobody is held up by another: small work beside large, and lanes that cannot be served."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import transaction

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from common.crypto import encrypt
from messaging import rate
from messaging.choices import BatchKind, Priority
from messaging.gateways.transport import Transport
from messaging.models import Attempt, Batch, CarrierAccount, Chunk, Message, SenderNumber
from messaging.selectors import retryable_count
from messaging.senders import sender_release, sender_update
from messaging.sending.drain import drain, serve_window
from messaging.sending.pump import _SMALL
from messaging.services import batch_retry, message_send
from messaging.services.finish import batches_finish
from tests.messaging.conftest import (
    Launch,
    People,
    claim_soon,
    make_sender,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tests.messaging.doubts import look
from tests.messaging.test_send import assert_credits_balance
from tests.races import in_thread

pytestmark = pytest.mark.django_db

THEIRS = "+12025550177"


@pytest.mark.parametrize(("size", "goes_ahead"), [(10, True), (_SMALL + 1, False)])
def test_a_small_window_goes_ahead_of_what_is_claimed_and_not_yet_started(
    launch: Launch,
    people: People,
    other_account: Account,
    sim: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    goes_ahead: bool,
):
    settings.SEND_WINDOW = 300
    transport = Transport(concurrency=10, timeout_s=5)
    monkeypatch.setattr("messaging.sending.drain._transport", lambda: transport)
    theirs = make_sender(other_account, sim, phone=THEIRS)
    people(300)
    people(phones=[f"+1212555{at:04}" for at in range(size)], account=other_account)
    large = launch()
    small = launch(account=other_account, sender=theirs)
    _fill(large.sender, theirs)

    drain()
    transport.close()

    began = Attempt.objects.values_list("requested_at", flat=True)
    last = began.filter(message__batch=small).latest("requested_at")
    after = began.filter(message__batch=large, requested_at__gt=last).count()
    assert states(large) == {("accepted", ""): 300}
    assert states(small) == {("accepted", ""): size}
    # The next window is claimed while about a hundred are left to start.
    assert after >= 80 if goes_ahead else after == 0


def _fill(*senders: SenderNumber) -> None:
    """Wait until each of them may send a whole window at once."""
    buckets = [(sender.pk, sender.rate_per_s) for sender in senders]
    while min(bucket.tokens for bucket in rate.peek(buckets)) < 300:
        pass


@pytest.mark.django_db(transaction=True)
def test_chunks_that_somebody_else_has_locked_hold_up_no_other_account(
    launch: Launch, people: People, other_account: Account, sim: Client, settings: Any
):
    """A cancel or a retry of a large blast holds all of its chunks for as long as it takes."""
    settings.SEND_WINDOW = 50
    theirs = make_sender(other_account, sim, phone=THEIRS)
    people(100)
    people(phones=["+12125550101"], account=other_account)
    large = launch()
    small = launch(account=other_account, sender=theirs)
    _fill(large.sender, theirs)

    with transaction.atomic():
        list(Chunk.objects.select_for_update().filter(batch=large))
        in_thread(serve_soon).join()

    assert states(small) == {("accepted", ""): 1}
    assert states(large) == {("pending", ""): 100}


def test_a_carrier_account_that_cannot_be_read_holds_up_no_other(
    launch: Launch, people: People, account: Account, other_account: Account, sim: Client
):
    broken = CarrierAccount.objects.create(
        account=account,
        name="Broken",
        external_id="AC" + "8" * 32,
        secret_encrypted=b"of a lost key",
        api_base_url=sim.base_url,
        is_simulated=True,
    )
    number = SenderNumber.objects.create(
        account=account, carrier_account=broken, phone="+12025550188", rate_per_s=50_000
    )
    theirs = make_sender(other_account, sim, phone=THEIRS)
    people(3)
    people(phones=["+12125550101"], account=other_account)
    stuck = launch(sender=number)
    batch = launch(account=other_account, sender=theirs)
    _fill(number, theirs)

    send_all()

    assert states(batch) == {("accepted", ""): 1}
    assert states(stuck) == {("pending", ""): 3}
    assert set(Chunk.objects.filter(batch=stuck).values_list("state", flat=True)) == {"ready"}
    number.lane.refresh_from_db()
    assert timedelta(seconds=30) < number.lane.not_before - now() < timedelta(seconds=61)
    CarrierAccount.objects.filter(pk=broken.pk).update(secret_encrypted=encrypt("token"))
    sim.add_account(broken.external_id, "token")
    number.lane.not_before = now()
    number.lane.save()
    send_all()
    assert states(stuck) == {("accepted", ""): 3}


def test_a_daily_cap_counts_what_goes_and_not_what_the_rate_holds_back(
    launch: Launch, people: People, account: Account, sim: Client
):
    slow = make_sender(account, sim, phone="+12025550111", rate_per_s=20, daily_cap=20)
    people(30)
    batch = launch(sender=slow, body="x" * 200)  # two segments each

    send_all(timeout_s=5)

    assert states(batch) == {("accepted", ""): 10, ("pending", ""): 20}
    assert slow.days.get().segments == 20


def test_a_number_whose_cap_is_raised_goes_on_at_once(
    launch: Launch, people: People, account: Account, alice: User, sim: Client
):
    capped = make_sender(account, sim, phone="+12025550111", daily_cap=3)
    people(5)
    batch = launch(sender=capped)
    send_all()
    assert states(batch) == {("accepted", ""): 3, ("pending", ""): 2}
    assert serve_window() is None

    sender_update(
        account=account,
        actor=alice,
        sender_id=capped.pk,
        label="",
        rate_per_s=1000,
        daily_cap=5,
    )
    send_all()

    assert states(batch) == {("accepted", ""): 5}


def test_nothing_goes_out_from_a_number_that_is_no_longer_the_accounts(
    launch: Launch,
    people: People,
    account: Account,
    other_account: Account,
    sender: SenderNumber,
    alice: User,
    sim: Client,
):
    people(phones=["+14155550173", "+14155550101"])  # the first is in doubt, and was not taken
    number = make_sender(account, sim, phone="+12025550111")
    batch = launch(sender=number)
    send_all()
    sender_release(account=account, actor=alice, sender_id=number.pk)
    make_sender(other_account, sim, phone=number.phone)

    assert look(2) == [(0, 0), (0, 1)]
    send_all()

    assert sim.recipients() == {"+14155550101": 1}
    assert states(batch) == tallies(batch) == {("skipped", "bad_sender"): 1, ("accepted", ""): 1}
    assert_credits_balance(account, batch)


def test_a_number_that_was_given_up_and_is_back_is_used_again(
    launch: Launch, people: People, account: Account, sender: SenderNumber, alice: User, sim: Client
):
    people(phones=["+14155550173"])
    number = make_sender(account, sim, phone="+12025550111")
    batch = launch(sender=number)
    send_all()
    sender_release(account=account, actor=alice, sender_id=number.pk)
    make_sender(account, sim, phone=number.phone)

    assert look(2) == [(0, 0), (0, 1)]
    send_all()

    assert states(batch) == {("accepted", ""): 1}


def test_nobody_is_tried_again_from_a_number_that_was_given_up(
    launch: Launch, people: People, account: Account, sender: SenderNumber, alice: User, sim: Client
):
    people(4)
    second = make_sender(account, sim, phone="+12025550111")
    batch = launch(also_from=[second])
    send_all()
    Message.objects.update(state="undelivered", carrier_code="30003", reason="unreachable")
    batch.tallies.filter(state="accepted").update(state="undelivered", reason="unreachable")
    batches_finish()
    assert retryable_count(batch) == 4

    sender_release(account=account, actor=alice, sender_id=second.pk)

    assert retryable_count(batch) == 2
    assert batch_retry(account=account, actor=alice, batch=batch) == 2


def test_replies_go_before_bulk_whichever_number_was_served_last(
    launch: Launch, people: People, account: Account, sim: Client, settings: Any
):
    settings.SEND_WINDOW = 5
    second = make_sender(account, sim, phone="+12025550122")
    people(50)
    bulk = launch()
    fields: dict[str, Any] = {
        "account": account,
        "actor": None,
        "body": "See you at nine",
        "kind": BatchKind.REPLY,
        "priority": Priority.REPLY,
        "sender": second,
    }
    Batch.objects.update(state="paused")
    message_send(**fields, phone="+14155550101", request_key="first")
    assert serve_soon() == 1
    Batch.objects.filter(pk=bulk.pk).update(state="running")
    reply = message_send(**fields, phone="+14155550102", request_key="second")
    _fill(bulk.sender, second)

    assert claim_soon().leases[0].batch.id == reply.batch_id


def test_a_lease_too_short_to_send_anything_is_an_error_at_the_start(settings: Any):
    settings.SEND_LEASE_S = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S

    with pytest.raises(SystemCheckError, match=r"messaging\.E001"):
        call_command("check")

    settings.SEND_LEASE_S += 1
    call_command("check")
