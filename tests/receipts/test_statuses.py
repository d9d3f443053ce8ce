"""Status callbacks: unordered, repeated, early, foreign, unknown, poisoned."""

import itertools
import random

import pytest
from django.db import connection, transaction

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.models import Contact, OptOut
from contacts.services import contact_upsert, contacts_unite
from messaging.choices import ChunkState, EventEnd, MessageState, Outcome, Reason
from messaging.models import (
    Attempt,
    Batch,
    BatchTally,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Chunk,
    Message,
)
from messaging.receipts.statuses import statuses_apply
from messaging.services import batch_retry
from tests.races import in_thread, wait_for_lock_waits
from tests.receipts.conftest import MakeBatch, Queue, recount, sid, tally

pytestmark = pytest.mark.django_db


def reread(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


@pytest.mark.parametrize("order", list(itertools.permutations(["queued", "sent", "delivered"])))
def test_any_order_ends_delivered(make_batch: MakeBatch, queue: Queue, order: tuple[str]) -> None:
    (message,) = make_batch(1)
    for word in order:
        queue(message, word)

    assert statuses_apply() == 3

    after = reread(message)
    assert (after.state, after.rank, after.reason) == ("delivered", 4, "")
    assert after.final_at is not None
    assert after.sent_at is not None
    assert tally(after.batch_id) == recount(after.batch_id) == {("delivered", ""): 1}
    assert CarrierEventQueue.objects.count() == 0


def test_late_sent_and_repetitions_change_nothing(make_batch: MakeBatch, queue: Queue) -> None:
    (message,) = make_batch(1)
    queue(message, "delivered")
    statuses_apply()
    before = reread(message)

    for word in ("sent", "delivered", "sending", "sent"):
        queue(message, word)
        assert statuses_apply() == 1

    assert reread(message) == before
    assert {f: getattr(reread(message), f) for f in ("state", "final_at", "sent_at")} == {
        "state": "delivered",
        "final_at": before.final_at,
        "sent_at": before.sent_at,
    }
    assert tally(before.batch_id) == {("delivered", ""): 1}
    assert CarrierEvent.objects.count() == 5
    assert not CarrierEvent.objects.exclude(ended="").exists()


def test_first_final_word_wins(make_batch: MakeBatch, queue: Queue) -> None:
    (message,) = make_batch(1)
    queue(message, "delivered")
    queue(message, "undelivered", code="30008")

    statuses_apply()

    assert reread(message).state == "delivered"
    assert reread(message).carrier_code == ""


def test_failure_keeps_code_and_reason(make_batch: MakeBatch, queue: Queue) -> None:
    messages = make_batch(3)
    queue(messages[0], "undelivered", code="30006")
    queue(messages[1], "undelivered", code="30007")
    queue(messages[2], "failed", code="30001")

    statuses_apply()

    assert [(m.state, m.reason, m.carrier_code) for m in map(reread, messages)] == [
        ("undelivered", "landline", "30006"),
        ("undelivered", "filtered", "30007"),
        ("failed", reread(messages[2]).reason, "30001"),
    ]
    assert tally(messages[0].batch_id) == recount(messages[0].batch_id)


def test_unknown_word_proves_acceptance_only(make_batch: MakeBatch, queue: Queue) -> None:
    lost, sent = make_batch(1, state=MessageState.UNKNOWN) + make_batch(1, first=100)
    queue(lost, "teleported")
    queue(sent, "sent")
    queue(sent, "teleported")

    assert statuses_apply() == 3

    assert reread(lost).state == "accepted"
    assert reread(sent).state == "sent"
    assert not CarrierEvent.objects.filter(ended=EventEnd.SET_ASIDE).exists()


def test_callback_settles_an_unknown_message(make_batch: MakeBatch, queue: Queue) -> None:
    (message,) = make_batch(1, state=MessageState.UNKNOWN)
    queue(message, "delivered")

    statuses_apply()

    assert reread(message).state == "delivered"
    attempt = Attempt.objects.get(message=message)
    assert (attempt.outcome, attempt.carrier_id) == (Outcome.ACCEPTED, sid(message.pk))
    assert tally(message.batch_id) == recount(message.batch_id)


def test_callback_before_our_own_answer_is_the_attempts_record(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(2, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED)
    queue(messages[0], "sent")
    queue(messages[0], "delivered")

    statuses_apply()

    first, second = map(reread, messages)
    assert (first.state, first.attempts) == ("delivered", 1)
    assert (second.state, second.attempts) == ("pending", 0)
    attempt = Attempt.objects.get()
    assert (attempt.message_id, attempt.n, attempt.carrier_id, attempt.outcome) == (
        first.pk,
        1,
        sid(first.pk),
        "accepted",
    )
    assert tally(first.batch_id) == recount(first.batch_id)


@pytest.mark.django_db(transaction=True)
def test_two_early_words_of_one_message_applied_at_once_are_both_applied(
    make_batch: MakeBatch, queue: Queue
) -> None:
    """Two workers find the attempt unrecorded: one of them records it, the other sees that."""
    (message,) = make_batch(1, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED)
    queue(message, "sent")

    def next_word() -> None:
        queue(message, "delivered")
        statuses_apply()

    with transaction.atomic():
        assert statuses_apply() == 1
        other = in_thread(next_word)
        wait_for_lock_waits(1, or_ended=other)
    other.join()

    assert (reread(message).state, reread(message).attempts) == ("delivered", 1)
    assert Attempt.objects.count() == 1
    assert not CarrierEvent.objects.exclude(error="").exists()
    assert CarrierEventQueue.objects.count() == 0
    assert tally(message.batch_id) == recount(message.batch_id)


@pytest.mark.django_db(transaction=True)
def test_early_and_late_words_never_wait_crosswise_for_a_window_being_recorded(
    make_batch: MakeBatch, queue: Queue, carrier: CarrierAccount
) -> None:
    known, early = make_batch(
        2, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED
    )
    Attempt.objects.create(message=known, n=1, carrier_account=carrier, outcome=Outcome.UNKNOWN)
    queue(known, "delivered")
    queue(early, "delivered")

    with transaction.atomic():
        # As the window is recorded: its chunk first, then its messages.
        Chunk.objects.select_for_update().get(batch=known.batch)
        applying = in_thread(statuses_apply)
        wait_for_lock_waits(1, or_ended=applying)
        Message.objects.select_for_update().get(pk=known.pk)
    applying.join()

    assert (reread(known).state, reread(early).state) == ("delivered", "delivered")
    assert CarrierEventQueue.objects.count() == 0
    assert tally(known.batch_id) == recount(known.batch_id)


@pytest.mark.parametrize("chunk", [ChunkState.READY, ChunkState.DONE])
def test_callback_for_what_nobody_is_sending_is_set_aside(
    make_batch: MakeBatch, queue: Queue, chunk: ChunkState
) -> None:
    (message,) = make_batch(1, state=MessageState.PENDING, attempted=False, chunk=chunk)
    event = queue(message, "delivered")

    statuses_apply()

    assert reread(message).state == "pending"
    assert Attempt.objects.count() == 0
    event.refresh_from_db()
    assert event.error == "No such attempt was made through this carrier account."


def test_another_accounts_signature_changes_nothing(
    make_batch: MakeBatch, queue: Queue, other_account: Account, carrier: CarrierAccount
) -> None:
    theirs = CarrierAccount.objects.create(
        account=other_account,
        name="Charlie's",
        external_id="AC" + "9" * 32,
        secret_encrypted=b"",
        api_base_url="https://api.twilio.com",
    )
    sent, unknown, pending = (
        *make_batch(1),
        *make_batch(1, state=MessageState.UNKNOWN, first=10),
        *make_batch(
            1, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED, first=20
        ),
    )
    before = [reread(m).__dict__ | {"_state": None} for m in (sent, unknown, pending)]

    for message in (sent, unknown, pending):
        queue(message, "delivered", through=theirs)
        queue(message, "delivered", through=theirs, account_ref=carrier.external_id)

    assert statuses_apply() == 6
    assert [reread(m).__dict__ | {"_state": None} for m in (sent, unknown, pending)] == before
    assert Attempt.objects.count() == 2
    assert not Attempt.objects.filter(message=unknown, carrier_id__isnull=False).exists()
    assert CarrierEvent.objects.filter(ended=EventEnd.SET_ASIDE).count() == 6
    assert tally(sent.batch_id) == {("accepted", ""): 1}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"account_ref": "AC" + "0" * 32}, "It names another account of the carrier."),
        ({"account_ref": ""}, "It names another account of the carrier."),
        ({"carrier_id": sid(77)}, "It names another message of the carrier."),
        ({"n": 2}, "No such attempt was made through this carrier account."),
    ],
)
def test_what_does_not_agree_is_set_aside(
    make_batch: MakeBatch, queue: Queue, wrong: dict[str, object], error: str
) -> None:
    (message,) = make_batch(1)
    event = queue(message, "delivered", **wrong)

    assert statuses_apply() == 1

    assert reread(message).state == "accepted"
    event.refresh_from_db()
    assert (event.ended, event.error) == ("set_aside", error)
    assert CarrierEventQueue.objects.count() == 0


def test_unknown_message_is_set_aside(queue: Queue) -> None:
    event = queue(987_654_321, "delivered")

    assert statuses_apply() == 1

    event.refresh_from_db()
    assert event.error == "There is no such message."


def test_an_overtaken_attempt_moves_nothing_but_keeps_its_carrier_id(
    make_batch: MakeBatch, queue: Queue, carrier: CarrierAccount
) -> None:
    (message,) = make_batch(1, state=MessageState.UNKNOWN)
    Attempt.objects.create(
        message=message, n=2, carrier_account=carrier, carrier_id=sid(5), outcome="accepted"
    )
    Message.objects.filter(pk=message.pk).update(attempts=2, state="accepted", rank=2)

    event = queue(message, "delivered", n=1, carrier_id=sid(4))
    statuses_apply()

    assert reread(message).state == "accepted"
    assert Attempt.objects.get(n=1).carrier_id == sid(4)
    event.refresh_from_db()
    assert event.error == "A later attempt was made meanwhile."


def test_carrier_reported_opt_out_revokes_consent(
    make_batch: MakeBatch, queue: Queue, account: Account
) -> None:
    (message,) = make_batch(1)
    queue(message, "failed", code="21610")

    statuses_apply()

    assert reread(message).reason == Reason.OPTED_OUT
    opt_out = OptOut.objects.get(account=account)
    assert (opt_out.phone, opt_out.source) == (message.phone, ConsentSource.CARRIER)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_early", [False, True])
def test_a_reported_opt_out_of_somebody_who_is_held_holds_up_nothing_else(
    make_batch: MakeBatch, queue: Queue, account: Account, is_early: bool
) -> None:
    """An import may hold them for long: the blast's windows are recorded meanwhile."""
    (message,) = (
        make_batch(1, state=MessageState.PENDING, attempted=False, chunk=ChunkState.LEASED)
        if is_early
        else make_batch(1)
    )
    contact_upsert(account=account, actor=None, phone=message.phone)
    queue(message, "failed", code="21610")

    with transaction.atomic():
        Contact.objects.select_for_update(no_key=True).get(phone=message.phone)
        applying = in_thread(statuses_apply)
        wait_for_lock_waits(1, or_ended=applying)
        assert applying.is_alive()
        # Each raises where somebody holds it.
        Chunk.objects.select_for_update(nowait=True).get(batch=message.batch)
        Message.objects.select_for_update(nowait=True).get(pk=message.pk)
        list(BatchTally.objects.select_for_update(nowait=True).filter(batch=message.batch))
    applying.join()

    assert reread(message).reason == Reason.OPTED_OUT
    assert OptOut.objects.get(account=account).phone == message.phone
    assert tally(message.batch_id) == {("failed", "opted_out"): 1}


def test_a_reported_opt_out_holds_for_every_number_of_the_person(
    make_batch: MakeBatch, queue: Queue, account: Account
) -> None:
    ann, work = make_batch(2)
    kept, gone, third = (
        contact_upsert(account=account, actor=None, phone=phone)
        for phone in (ann.phone, work.phone, "+14155559999")
    )
    for other in (gone, third):
        contacts_unite(account=account, actor=None, contact_id=kept.pk, other_id=other.pk)
    queue(work, "failed", code="21610")
    queue(ann, "undelivered", code="21610")

    statuses_apply()

    assert dict(OptOut.objects.filter(account=account).values_list("phone", "source")) == {
        ann.phone: ConsentSource.CARRIER,
        work.phone: ConsentSource.CARRIER,
        third.phone: ConsentSource.PERSON,
    }


def test_a_poisoned_event_is_set_aside_and_blocks_nobody(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(40, state=MessageState.UNKNOWN)
    for message in messages:
        queue(message, "delivered")
    # Two attempts cannot have one carrier id: the unique constraint refuses this one.
    poisoned = CarrierEvent.objects.get(message_id=messages[20].pk)
    CarrierEvent.objects.filter(pk=poisoned.pk).update(carrier_id=sid(messages[3].pk))

    applied = 0
    while step := statuses_apply(limit=30):
        applied += step

    assert applied == 40
    states = [m.state for m in map(reread, messages)]
    assert states == ["delivered"] * 20 + ["unknown"] + ["delivered"] * 19
    poisoned.refresh_from_db()
    assert poisoned.ended == EventEnd.SET_ASIDE
    assert "attempt_carrier_id_unique" in poisoned.error
    assert tally(messages[0].batch_id) == recount(messages[0].batch_id)


def test_tripled_and_shuffled_callbacks_end_as_once_in_order(
    make_batch: MakeBatch, queue: Queue
) -> None:
    messages = make_batch(300)
    outcomes = [("delivered", ""), ("undelivered", "30003"), ("failed", "30001")]
    calls = [
        call
        for place, message in enumerate(messages)
        for call in (
            (message, "queued", ""),
            (message, "sent", ""),
            (message, *outcomes[place % 3]),
        )
    ] * 3
    random.Random(4).shuffle(calls)
    for message, word, code in calls:
        queue(message, word, code=code)

    while statuses_apply(limit=500):
        pass

    states = [m.state for m in map(reread, messages)]
    assert states == ["delivered", "undelivered", "failed"] * 100
    assert tally(messages[0].batch_id) == recount(messages[0].batch_id)
    assert CarrierEventQueue.objects.count() == 0
    assert CarrierEvent.objects.count() == 2700


def test_an_interrupted_application_leaves_the_queue_as_it_was(
    make_batch: MakeBatch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = make_batch(1)
    queue(message, "delivered")

    def lose(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("messaging.receipts.statuses.tally_move", lose)
    with pytest.raises(KeyboardInterrupt):
        statuses_apply()
    monkeypatch.undo()

    assert reread(message).state == "accepted"
    assert CarrierEventQueue.objects.count() == 1
    assert statuses_apply() == 1
    assert reread(message).state == "delivered"
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(messages) FROM messaging_batchtally")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("word", ["undelivered", "delivered", "sent"])
def test_what_is_said_of_an_attempt_that_is_tried_again_changes_nothing(
    make_batch: MakeBatch, queue: Queue, word: str
) -> None:
    (message,) = make_batch(1)
    queue(message, "undelivered", code="30003")
    statuses_apply()
    batch_retry(account=message.account, actor=None, batch=Batch.objects.get())
    before = reread(message)
    assert before.state == MessageState.PENDING

    late = queue(message, word, code="30003" if word == "undelivered" else "")
    assert statuses_apply() == 1

    assert reread(message) == before
    assert reread(message).state == MessageState.PENDING
    assert CarrierEvent.objects.get(pk=late.pk).ended == EventEnd.SET_ASIDE
    assert tally(before.batch_id) == recount(before.batch_id) == {("pending", ""): 1}
