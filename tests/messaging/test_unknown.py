"""Lost answers and vanished workers: unknown, then proven one way or the other."""

from datetime import timedelta

import pytest

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from messaging.choices import BatchState, EventKind
from messaging.evidence import unknown_look_up
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEvent,
    Message,
)
from messaging.sending.drain import serve_window
from messaging.sending.rows import MAX_ATTEMPTS
from messaging.services import batch_cancel
from messaging.services.finish import batches_finish
from tests.messaging.conftest import (
    Launch,
    People,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tests.messaging.doubts import ERROR, ERROR_ONCE, LOST, LOST_500, PLAIN, look
from tests.messaging.test_send import assert_credits_balance

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("phone", [LOST, LOST_500])
def test_a_lost_answer_is_unknown_and_found_in_the_carriers_list(
    launch: Launch, people: People, sim: Client, account: Account, phone: str
):
    people(phones=[phone, PLAIN])
    batch = launch(body="Hi {{first_name}}, https://shop.example/")
    send_all()
    assert states(batch) == {("unknown", ""): 1, ("accepted", ""): 1}
    assert tallies(batch) == states(batch)

    found = look()

    assert found == [(1, 0)]
    assert sim.recipients() == {phone: 1, PLAIN: 1}
    attempt = Attempt.objects.get(message__phone=phone)
    assert attempt.carrier_id == next(m["sid"] for m in sim.messages() if m["to"] == phone)
    assert states(batch) == tallies(batch) == {("accepted", ""): 2}
    batches_finish()
    assert_credits_balance(account, batch)
    assert batch.credits_settled == 2


def test_a_prefixed_and_smart_encoded_body_is_still_recognised(
    launch: Launch, people: People, sim: Client
):
    sim.set(trial_prefix=True, smart_encoding=True)
    people(phones=[LOST])
    batch = launch(body="It’s “tulip” time – today")
    send_all()

    assert look() == [(1, 0)]
    assert states(batch) == {("accepted", ""): 1}


def test_an_unknown_message_is_never_sent_again_by_itself(
    launch: Launch, people: People, sim: Client
):
    people(phones=[LOST])
    batch = launch()
    send_all()

    send_all()
    serve_window()

    assert sim.recipients() == {LOST: 1}
    assert states(batch) == {("unknown", ""): 1}
    assert Attempt.objects.count() == 1


def test_only_absence_in_two_looks_opens_the_next_attempt(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[ERROR_ONCE])
    batch = launch()
    send_all()
    batch.refresh_from_db()
    assert (batch.state, batch.settled_at) == (BatchState.DONE, None)

    assert look() == [(0, 0)]
    assert states(batch) == {("unknown", ""): 1}
    assert look() == [(0, 1)]

    assert states(batch) == tallies(batch) == {("pending", ""): 1}
    assert Batch.objects.get().state == BatchState.RUNNING
    assert sim.recipients() == {}
    send_all()
    assert sim.recipients() == {ERROR_ONCE: 1}
    attempts = Attempt.objects.order_by("n").values_list("n", "outcome", "http_status")
    assert list(attempts) == [(1, "retryable", 500), (2, "accepted", 201)]
    assert states(batch) == tallies(batch) == {("accepted", ""): 1}
    assert_credits_balance(account, batch)


def test_a_look_soon_after_the_first_proves_nothing(launch: Launch, people: People, sim: Client):
    people(phones=[ERROR])
    CarrierAccount.objects.update(list_delay_s=60)
    batch = launch()
    send_all()

    looks = [unknown_look_up()]
    Attempt.objects.update(answered_at=now() - timedelta(seconds=61))
    looks += [unknown_look_up(), unknown_look_up()]

    assert looks == [(0, 0), (0, 0), (0, 0)]
    assert states(batch) == {("unknown", ""): 1}
    assert Attempt.objects.get().looked_up_at is not None


def test_a_callback_that_waits_in_the_queue_speaks_against_absence(
    launch: Launch, people: People, sim: Client
):
    people(phones=[ERROR])
    batch = launch()
    send_all()
    message = Message.objects.get()
    CarrierEvent.objects.create(
        carrier_account=CarrierAccount.objects.get(),
        kind=EventKind.STATUS,
        message_id=message.pk,
        attempt_n=1,
        payload={},
    )

    assert look(3) == [(0, 0), (0, 0), (0, 0)]

    assert states(batch) == {("unknown", ""): 1}


def test_a_list_that_cannot_be_read_proves_nothing(launch: Launch, people: People, sim: Client):
    people(phones=[ERROR])
    batch = launch()
    send_all()
    CarrierAccount.objects.update(api_base_url="http://127.0.0.1:9")

    assert look(3) == [(0, 0), (0, 0), (0, 0)]

    assert states(batch) == {("unknown", ""): 1}
    assert Attempt.objects.get().looked_up_at is None


def test_what_never_goes_through_is_given_up_as_the_carriers_problem(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[ERROR])
    batch = launch()

    for _ in range(MAX_ATTEMPTS):
        send_all()
        look(2)

    assert states(batch) == tallies(batch) == {("refused", "provider"): 1}
    assert Attempt.objects.count() == MAX_ATTEMPTS
    batches_finish()
    assert_credits_balance(account, batch)
    assert batch.credits_settled == 0


def test_one_listed_message_answers_for_one_doubt_only(launch: Launch, people: People, sim: Client):
    people(phones=[LOST])
    first = launch(request_key="a", body="Same words")
    send_all()
    sim.set(scripts={LOST: "server_error"})
    second = launch(request_key="b", body="Same words")
    send_all()
    assert states(first) == states(second) == {("unknown", ""): 1}

    assert look() == [(1, 0)]

    assert states(first) == {("accepted", ""): 1}
    assert states(second) == {("unknown", ""): 1}


def test_what_is_proven_unsent_of_a_canceled_batch_is_skipped(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[ERROR, PLAIN])
    batch = launch()
    serve_soon()
    batch_cancel(account=account, actor=None, batch=batch)

    look(2)
    batches_finish()

    assert states(batch) == tallies(batch) == {("skipped", "canceled"): 1, ("accepted", ""): 1}
    assert_credits_balance(account, batch)


def test_after_three_days_an_unknown_message_is_charged_and_the_batch_settled(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[LOST, PLAIN])
    batch = launch()
    send_all()
    long_ago = now() - timedelta(hours=73)
    Batch.objects.update(finished_at=long_ago)
    Attempt.objects.update(requested_at=long_ago)

    assert unknown_look_up() == (0, 0)
    assert batches_finish() == 1

    assert states(batch) == {("unknown", ""): 1, ("accepted", ""): 1}
    assert_credits_balance(account, batch)
    assert batch.credits_settled == 2
