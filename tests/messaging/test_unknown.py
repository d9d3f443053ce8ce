"""Lost answers and vanished workers: unknown, then proven one way or the other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from messaging.activity import ActivityMoves
from messaging.choices import BatchKind, BatchState, ChunkState, EventKind
from messaging.evidence import unknown_look_up
from messaging.judge import leases_judge
from messaging.models import (
    Attempt,
    Batch,
    CarrierAccount,
    CarrierEvent,
    Chunk,
    Message,
    SenderNumber,
)
from messaging.reopening import reopen
from messaging.sending.drain import serve_window
from messaging.sending.exchange import Exchange
from messaging.sending.results import record
from messaging.sending.rows import MAX_ATTEMPTS
from messaging.sending.window import prepare
from messaging.services import batch_cancel, media_upload, message_send
from messaging.services.finish import batches_finish
from messaging.tally import TallyMoves
from tests.messaging.conftest import (
    Launch,
    People,
    claim_soon,
    send_all,
    serve_soon,
    states,
    tallies,
)
from tests.messaging.test_send import assert_credits_balance
from tests.pictures import picture

pytestmark = pytest.mark.django_db

LOST = "+14155550169"  # accepted, the answer breaks off
LOST_500 = "+14155550170"  # accepted, answered 500
ERROR = "+14155550172"  # 500, not accepted
ERROR_ONCE = "+14155550173"  # 500 the first time, then taken
PLAIN = "+14155550101"

Text = Callable[..., Message]


def ends(*messages: Message) -> list[str]:
    """What became of them."""
    return [Message.objects.get(pk=message.pk).state for message in messages]


def look(times: int = 1) -> list[tuple[int, int]]:
    """Look unknown messages up as often, each time as if the last look were long ago."""
    found = []
    for _ in range(times):
        found.append(unknown_look_up())
        Attempt.objects.filter(looked_up_at__isnull=False).update(
            looked_up_at=now() - timedelta(hours=1)
        )
    return found


def abandon_window(batch: Batch, *, sent: Callable[[Exchange], Any] | None = None) -> None:
    """Claim a window, send it as `sent` does, and die before anything is recorded."""
    window = claim_soon()
    prepared = prepare(window)
    if sent:
        sent(Exchange(prepared))
    Chunk.objects.filter(batch=batch, state=ChunkState.LEASED).update(
        lease_until=now() - timedelta(seconds=3)
    )


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


@pytest.fixture
def text(account: Account, alice: User, sim: Client, settings: Any, tmp_path: Any) -> Text:
    """`text(body, has_media=..., is_taken=...)`: sent to LOST, the carrier's answer lost."""
    settings.MEDIA_ROOT = tmp_path
    media = media_upload(account=account, actor=alice, data=picture())

    def send(body: str = "", *, has_media: bool = False, is_taken: bool = True) -> Message:
        sim.set(scripts={} if is_taken else {LOST: "server_error"})
        message = message_send(
            account=account,
            actor=alice,
            phone=LOST,
            body=body,
            kind=BatchKind.REPLY,
            request_key=f"reply:{LOST}:{Message.objects.count()}",
            media_ids=[media.pk] if has_media else [],
        )
        send_all()
        return message

    return send


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_picture_alone_takes_no_other_texts_proof(
    sender: SenderNumber, sim: Client, text: Text, is_taken: bool
) -> None:
    alone = text(has_media=True, is_taken=is_taken)
    worded = text("Fresh tulips")
    assert ends(alone, worded) == ["unknown", "unknown"]

    assert look() == [(1 + is_taken, 0)]

    assert ends(alone, worded) == ["accepted" if is_taken else "unknown", "accepted"]
    (proof,) = (one["sid"] for one in sim.messages() if one["body"] == "Fresh tulips")
    assert Attempt.objects.get(message=worded).carrier_id == proof


def test_of_pictures_in_doubt_the_one_with_the_listed_words_was_taken(
    sender: SenderNumber, text: Text
) -> None:
    alone = text(has_media=True, is_taken=False)
    part = text("Fresh", has_media=True, is_taken=False)
    worded = text("Fresh tulips", has_media=True)

    assert look() == [(1, 0)]

    assert ends(alone, part, worded) == ["unknown", "unknown", "accepted"]


def test_a_prefixed_text_is_no_proof_of_a_picture_alone(
    sender: SenderNumber, sim: Client, text: Text
) -> None:
    sim.set(trial_prefix=True)
    alone = text(has_media=True, is_taken=False)
    worded = text("Fresh tulips", has_media=True)

    assert look() == [(1, 0)]

    assert ends(alone, worded) == ["unknown", "accepted"]


def test_a_worker_that_died_after_sending_is_found_out_message_by_message(
    launch: Launch, people: People, sim: Client, account: Account, settings: Any
):
    settings.SEND_WINDOW = 6
    people(10)
    batch = launch(body="Hi {{first_name}}")

    def send_half(exchange: Exchange) -> None:
        from messaging.sending.drain import _transport

        del exchange.prepared.sends[3:]
        exchange.run(_transport())

    abandon_window(batch, sent=send_half)

    assert leases_judge() == 6
    assert states(batch) == tallies(batch) == {("unknown", ""): 6, ("pending", ""): 4}
    assert look(2) == [(3, 0), (0, 3)]
    send_all()
    assert states(batch) == tallies(batch) == {("accepted", ""): 10}
    assert sim.summary()["accepted"] == 10
    assert sim.summary()["most_to_one"] == 1
    assert_credits_balance(account, batch)


def test_a_lease_is_not_judged_before_the_carriers_list_can_tell(
    launch: Launch, people: People, settings: Any
):
    people(3)
    CarrierAccount.objects.update(list_delay_s=30)
    batch = launch()
    claim_soon()
    settings.CARRIER_REQUEST_TIMEOUT_S = 20.0

    Chunk.objects.update(lease_until=now() - timedelta(seconds=49))
    early = leases_judge()
    Chunk.objects.update(lease_until=now() - timedelta(seconds=51))
    due = leases_judge()

    assert (early, due) == (0, 3)
    assert states(batch) == {("unknown", ""): 3}
    assert Chunk.objects.get().state == ChunkState.DONE


def test_results_that_come_after_the_verdict_are_still_stored(
    launch: Launch, people: People, sim: Client, account: Account
):
    from messaging.sending.drain import _transport

    people(4)
    batch = launch()
    window = claim_soon()
    exchange = Exchange(prepare(window))
    exchange.run(_transport())
    Chunk.objects.update(lease_until=now() - timedelta(minutes=5))
    leases_judge()
    assert states(batch) == {("unknown", ""): 4}

    record(exchange)

    assert states(batch) == tallies(batch) == {("accepted", ""): 4}
    assert Attempt.objects.filter(outcome="accepted", carrier_id__isnull=False).count() == 4
    assert Attempt.objects.count() == 4
    batches_finish()
    assert_credits_balance(account, batch)


def test_recording_a_window_twice_changes_nothing(
    launch: Launch, people: People, sim: Client, account: Account
):
    from messaging.sending.drain import _transport

    people(phones=[PLAIN, "+14155550158", "+14155550175", LOST])
    batch = launch()
    exchange = Exchange(prepare(claim_soon()))
    exchange.run(_transport())
    record(exchange)
    before = (states(batch), tallies(batch), Attempt.objects.count())
    account.refresh_from_db()
    held = account.credit_held

    record(exchange)

    account.refresh_from_db()
    assert (states(batch), tallies(batch), Attempt.objects.count()) == before
    assert account.credit_held == held == 3


def test_no_request_starts_that_could_outlive_its_lease(
    launch: Launch, people: People, sim: Client, settings: Any
):
    people(50)
    batch = launch()
    settings.SEND_LEASE_S = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S - 0.1

    assert serve_soon() == 0

    assert sim.summary()["accepted"] == 0
    assert states(batch) == {("pending", ""): 50}
    assert Chunk.objects.get().state == ChunkState.READY


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


def test_a_callback_that_outran_a_crashed_worker_is_charged_at_the_end(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(1, first_name="Ann")
    batch = launch(body="Hi {{first_name}} " + "x" * 160)
    message = Message.objects.get()
    # As the receipts leave a message whose callback came and whose worker did not.
    Message.objects.update(state="delivered", rank=4, attempts=1)
    batch.tallies.filter(state="pending").update(state="delivered")
    Chunk.objects.update(state=ChunkState.DONE)

    assert batches_finish() == 1

    message.refresh_from_db()
    assert (message.body, message.segments, message.credits) == ("Hi Ann " + "x" * 160, 2, 2)
    assert tallies(batch) == {("delivered", ""): 1}
    assert_credits_balance(account, batch)


@pytest.mark.parametrize("place", ["behind", "within", "ahead"])
def test_what_is_opened_again_while_its_chunk_is_out_is_not_forgotten(
    launch: Launch, people: People, sim: Client, settings: Any, place: str
):
    settings.SEND_WINDOW = 10
    no = {"behind": 3, "within": 15, "ahead": 25}[place]
    contacts = people(30)
    batch = launch()
    serve_soon()
    message = Message.objects.get(batch=batch, recipient_no=no)
    before = message.state
    Message.objects.filter(pk=message.pk).update(state="unknown", rank=1)
    exchange = Exchange(prepare(claim_soon()))
    moves = TallyMoves()
    with connection.cursor() as cursor:
        reopen(cursor, [message.pk], moves, ActivityMoves())

    record(exchange)  # a window that made no request
    Chunk.objects.update(not_before=now() - timedelta(seconds=1))
    Message.objects.exclude(pk=message.pk).update(state="accepted", rank=2)
    sim.reset()
    for _ in range(4):
        serve_window()

    assert before in ("accepted", "pending")
    assert sim.recipients() == {contacts[no - 1].phone: 1}
    assert Chunk.objects.get().state == ChunkState.DONE


def test_a_pending_message_in_a_finished_chunk_is_found_by_the_sweep(
    launch: Launch, people: People, sim: Client
):
    people(3)
    batch = launch()
    Chunk.objects.update(state=ChunkState.DONE, next_no=4)

    batches_finish()
    send_all()

    assert states(batch) == {("accepted", ""): 3}
