"""A person's "try these again": whom it takes, what it costs, and that asking twice asks once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.choices import AccountStatus
from accounts.errors import InsufficientCredits
from accounts.models import Account, AuditEvent, CreditEntry, User
from accounts.services import credits_reserve
from carriersim.client import Client
from common.clock import now
from common.errors import NotFound
from contacts.models import Contact, OptOut
from messaging.activity import activity_rewrite
from messaging.carrier_codes import reason
from messaging.choices import BatchState, ChunkState, MessageState
from messaging.errors import AccountSuspended, BatchOver, NothingToRetry
from messaging.models import Attempt, Batch, BatchTotals, Chunk, Message
from messaging.recounting import differences
from messaging.selectors import batch_figures, retryable_count
from messaging.services import batch_cancel, batch_pause, batch_retry
from messaging.services.finish import batches_finish
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move
from tests.messaging.conftest import Launch, People, send_all, serve_soon, states, tallies

pytestmark = pytest.mark.django_db

Sent = Callable[..., Batch]


def come_back(message: Message, state: MessageState, code: str) -> None:
    """The carrier's last word on a message it had taken."""
    _come_back(message, state, code)
    activity_rewrite([message.batch_id or 0])


def _come_back(message: Message, state: MessageState, code: str) -> None:
    moves = TallyMoves()
    size, price = message.segments, message.credits
    moves.leave(message.batch_id or 0, message.state, message.reason, size, price)
    message.state, message.rank, message.carrier_code = state, rank(state), code
    message.reason = reason(code) if code else ""
    message.final_at = now()
    if state == MessageState.REFUSED:
        message.segments = message.credits = 0
    message.save()
    moves.enter(message.batch_id or 0, state, message.reason, message.segments, message.credits)
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)


@pytest.fixture
def sent(launch: Launch, people: People, sim: Client) -> Sent:
    """`sent("30003", "", ...)`: a finished blast; each code is one person it came back from."""

    def make(*codes: str, body: str = "Fresh tulips today") -> Batch:
        people(len(codes))
        batch = launch(body=body)
        send_all()
        for message, code in zip(of(batch), codes, strict=True):
            end = MessageState.UNDELIVERED if code else MessageState.DELIVERED
            _come_back(message, end, code)
        activity_rewrite([batch.pk])
        batch.refresh_from_db()
        assert batch.state == BatchState.DONE
        return batch

    return make


def of(batch: Batch) -> Iterator[Message]:
    return iter(Message.objects.filter(batch=batch).order_by("recipient_no"))


def ledger(account: Account, batch: Batch) -> dict[str, int]:
    """Credits moved for a batch, by kind."""
    moved: dict[str, int] = {}
    for entry in CreditEntry.objects.filter(account=account, batch_id=batch.pk):
        credits = -entry.held if entry.kind == "settle" else abs(entry.available)
        moved[entry.kind] = moved.get(entry.kind, 0) + credits
    return moved


def test_only_what_may_get_through_is_tried_again(
    sent: Sent, sim: Client, account: Account, alice: User
) -> None:
    batch = sent("30003", "30006", "", "30008", "30007", "30027")
    assert retryable_count(batch) == 3

    assert batch_retry(account=account, actor=alice, batch=batch) == 3

    batch.refresh_from_db()
    assert (batch.state, batch.finished_at, batch.retries) == (BatchState.RUNNING, None, 1)
    assert (
        states(batch)
        == tallies(batch)
        == {
            ("pending", ""): 3,
            ("undelivered", "landline"): 1,
            ("undelivered", "filtered"): 1,
            ("delivered", ""): 1,
        }
    )
    assert retryable_count(batch) == 0
    send_all()
    texted = [sim.recipients()[message.phone] for message in of(batch)]
    assert texted == [2, 1, 1, 2, 1, 2]
    rows = Attempt.objects.order_by("message_id", "n")
    assert [(row.n, row.retried_at is not None) for row in rows] == [
        *[(1, True), (2, False)],
        *[(1, False), (1, False)],
        *[(1, True), (2, False)],
        (1, False),
        *[(1, True), (2, False)],
    ]
    assert AuditEvent.objects.get(action="batch.retried").data == {
        "batch": batch.pk,
        "messages": 3,
        "credits": 3,
    }


def test_every_attempt_is_paid_for_and_nothing_else(
    sent: Sent, account: Account, alice: User
) -> None:
    batch = sent("30003", "30008", "", body="x" * 200)  # two segments
    assert ledger(account, batch) == {"reserve": 6, "settle": 6}

    batch_retry(account=account, actor=alice, batch=batch)
    account.refresh_from_db()
    assert account.credit_held == 4
    send_all()

    batch.refresh_from_db()
    account.refresh_from_db()
    assert ledger(account, batch) == {"reserve": 10, "settle": 10}
    assert (batch.credits_reserved, batch.credits_settled, batch.credits_released) == (10, 10, 0)
    assert batch.settled_at is not None
    assert (account.credit_balance, account.credit_held) == (99_990, 0)
    totals = BatchTotals.objects.get(batch=batch)
    assert (totals.retried_segments, totals.retried_credits) == (4, 4)
    figures = batch_figures([batch.pk])[batch.pk]
    assert (figures.accepted, figures.segments, figures.credits) == (3, 10, 10)
    assert differences() == []


def test_what_a_second_end_does_not_use_is_released_too(
    sent: Sent, people: People, account: Account, alice: User
) -> None:
    batch = sent("30003", "30003", "")
    batch_retry(account=account, actor=alice, batch=batch)
    left = next(of(batch))
    OptOut.objects.create(account=account, phone=left.phone, source="keyword")

    send_all()
    assert ledger(account, batch) == {"reserve": 5, "settle": 4, "release": 1}
    come_back(list(of(batch))[1], MessageState.UNDELIVERED, "30003")
    batch_retry(account=account, actor=alice, batch=batch)
    send_all()

    batch.refresh_from_db()
    account.refresh_from_db()
    assert ledger(account, batch) == {"reserve": 6, "settle": 5, "release": 1}
    assert (batch.credits_reserved, batch.credits_settled, batch.credits_released) == (6, 5, 1)
    assert (account.credit_balance, account.credit_held) == (99_995, 0)
    assert differences() == []


def test_what_was_refused_is_priced_by_its_text(sent: Sent, account: Account, alice: User) -> None:
    batch = sent("", "", body="x" * 200)
    come_back(next(of(batch)), MessageState.REFUSED, "21611")

    assert batch_retry(account=account, actor=alice, batch=batch) == 1

    assert AuditEvent.objects.get(action="batch.retried").data["credits"] == 2


@pytest.mark.parametrize(
    ("state", "code", "count"),
    [
        (MessageState.FAILED, "30001", 1),
        (MessageState.UNDELIVERED, "30410", 1),
        (MessageState.REFUSED, "20429", 1),
        (MessageState.REFUSED, "20500", 1),  # given up only once it was proven
        (MessageState.FAILED, "20500", 0),
        (MessageState.REFUSED, "21606", 0),  # the same number would fail again
        (MessageState.FAILED, "21610", 0),
        (MessageState.UNDELIVERED, "99999", 0),
        (MessageState.SENT, "30003", 0),
        (MessageState.UNKNOWN, "20500", 0),
        (MessageState.SKIPPED, "30003", 0),
    ],
)
def test_state_and_code_decide(
    sent: Sent, account: Account, state: MessageState, code: str, count: int
) -> None:
    batch = sent("")
    come_back(next(of(batch)), state, code)

    assert retryable_count(batch) == count

    if count:
        assert batch_retry(account=account, actor=None, batch=batch) == 1
    else:
        with pytest.raises(NothingToRetry):
            batch_retry(account=account, actor=None, batch=batch)
        assert states(batch) == tallies(batch)
        assert Batch.objects.get().retries == 0


def test_who_got_it_after_all_left_or_is_gone_is_not_texted_again(
    sent: Sent, account: Account
) -> None:
    batch = sent("30008", "30008", "30008", "30008", "30008")
    tapped, replied, left, gone, other = of(batch)
    Message.objects.filter(pk=tapped.pk).update(human_click_at=now())
    Message.objects.filter(pk=replied.pk).update(replied_at=now())
    OptOut.objects.create(account=account, phone=left.phone, source="keyword")
    Contact.objects.filter(messages=gone).update(deleted_at=now())
    assert retryable_count(batch) == 1

    assert batch_retry(account=account, actor=None, batch=batch) == 1

    other.refresh_from_db()
    assert other.state == MessageState.PENDING
    assert states(batch)[("undelivered", "other")] == 4


def test_the_times_of_the_first_attempt_are_not_those_of_the_next(
    sent: Sent, account: Account
) -> None:
    batch = sent("30003")
    Message.objects.update(sent_at=now())

    batch_retry(account=account, actor=None, batch=batch)

    message = next(of(batch))
    assert (message.accepted_at, message.sent_at, message.final_at) == (None, None, None)
    assert (message.reason, message.carrier_code, message.attempts) == ("", "", 1)


def test_a_paused_batch_stays_paused_and_they_wait_with_the_rest(
    launch: Launch, people: People, sim: Client, account: Account, settings: Any
) -> None:
    settings.SEND_WINDOW = 2
    people(5)
    batch = launch()
    serve_soon()
    batch_pause(account=account, actor=None, batch=batch, reason="Why")
    come_back(next(of(batch)), MessageState.UNDELIVERED, "30003")

    assert batch_retry(account=account, actor=None, batch=batch) == 1

    batch.refresh_from_db()
    assert (batch.state, batch.state_reason) == (BatchState.PAUSED, "Why")
    assert states(batch) == tallies(batch) == {("pending", ""): 4, ("accepted", ""): 1}
    send_all()
    assert sim.summary()["accepted"] == 2


def test_a_window_that_is_out_is_left_to_its_worker(
    launch: Launch, people: People, account: Account
) -> None:
    people(3)
    batch = launch()
    first, second, _ = of(batch)
    for message in (first, second):
        come_back(message, MessageState.UNDELIVERED, "30003")
    Chunk.objects.update(state=ChunkState.LEASED, next_no=2, window_last_no=3)

    assert retryable_count(batch) == 1
    assert batch_retry(account=account, actor=None, batch=batch) == 1

    second.refresh_from_db()
    assert second.state == MessageState.UNDELIVERED


def test_the_text_of_hundreds_over_many_chunks_goes_out_once_more(
    sent: Sent, sim: Client, account: Account
) -> None:
    codes = ["30003" if no % 5 == 0 else "" for no in range(2500)]
    batch = sent(*codes)

    assert batch_retry(account=account, actor=None, batch=batch) == 500
    assert Chunk.objects.filter(state=ChunkState.READY).count() == 3
    send_all()

    texts = sim.recipients()
    assert [texts[message.phone] for message in of(batch)] == [2 if code else 1 for code in codes]
    assert differences() == []


def _unchanged(batch: Batch, account: Account) -> None:
    assert states(batch) == tallies(batch) == {("undelivered", "unreachable"): 2}
    assert not Attempt.objects.filter(retried_at__isnull=False).exists()
    assert not AuditEvent.objects.filter(action="batch.retried").exists()
    batch.refresh_from_db()
    assert batch.retries == 0
    account.refresh_from_db()
    assert account.credit_held == sum(
        CreditEntry.objects.filter(account=account).values_list("held", flat=True)
    )


def test_without_the_credits_nothing_happens(sent: Sent, account: Account) -> None:
    batch = sent("30003", "30003")
    credits_reserve(account=account, batch_id=0, credits=99_997, key="elsewhere")

    with pytest.raises(InsufficientCredits, match=r"needs 2 credits and the account has 1\."):
        batch_retry(account=account, actor=None, batch=batch)

    _unchanged(batch, account)


def test_a_suspended_account_tries_nobody_again(sent: Sent, account: Account) -> None:
    batch = sent("30003", "30003")
    Account.objects.filter(pk=account.pk).update(status=AccountStatus.SUSPENDED)

    with pytest.raises(AccountSuspended):
        batch_retry(account=account, actor=None, batch=batch)

    _unchanged(batch, account)


def test_another_accounts_batch_does_not_exist(
    sent: Sent, account: Account, other_account: Account, charlie: User
) -> None:
    batch = sent("30003", "30003")

    with pytest.raises(NotFound):
        batch_retry(account=other_account, actor=charlie, batch=batch)

    _unchanged(batch, account)


def test_what_was_canceled_stays_so(
    launch: Launch, people: People, sim: Client, account: Account
) -> None:
    people(2)
    batch = launch()
    send_all()
    for message in of(batch):
        come_back(message, MessageState.UNDELIVERED, "30003")
    Batch.objects.update(state=BatchState.RUNNING)
    batch_cancel(account=account, actor=None, batch=batch)
    batch.refresh_from_db()
    assert retryable_count(batch) == 0

    with pytest.raises(BatchOver, match="This was canceled"):
        batch_retry(account=account, actor=None, batch=batch)

    _unchanged(batch, account)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_tries_once(sent: Sent, sim: Client, account: Account) -> None:
    batch = sent("30003", "30003", "")
    answers: list[int | str] = []
    start = threading.Barrier(2)

    def click() -> None:
        start.wait()
        try:
            answers.append(batch_retry(account=account, actor=None, batch=batch))
        except NothingToRetry as error:
            answers.append(error.code)
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    send_all()
    batches_finish()

    assert sorted(map(str, answers)) == ["2", "nothing_to_retry"]
    assert sorted(sim.recipients().values()) == [1, 2, 2]
    assert ledger(account, batch) == {"reserve": 5, "settle": 5}
    assert differences() == []
