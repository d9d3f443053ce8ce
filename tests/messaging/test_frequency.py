"""How often a person is texted: blasts over the cap wait, or are left out where time runs out."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from accounts.models import Account
from accounts.services import account_update
from carriersim.client import Client
from common.clock import now
from common.errors import Invalid
from messaging.choices import BatchKind, ChunkState, Priority
from messaging.frequency import account_lock
from messaging.models import Batch, Chunk, Message, SenderNumber
from messaging.selectors import batch_waits_until
from messaging.sending.claim import claim
from messaging.sending.window import prepare
from messaging.services import batch_pause, batch_resume, message_send
from messaging.services.finish import batches_finish
from tests.messaging.conftest import Launch, People, claim_soon, send_all, states
from tests.messaging.test_send import assert_credits_balance
from tests.races import in_thread, wait_for_lock_waits

pytestmark = pytest.mark.django_db

WAITS = {("pending", ""): 3}
GONE = {("accepted", ""): 3}


def days_pass(days: float) -> None:
    """As if everything so far had happened so many days earlier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_message SET accepted_at = accepted_at - %s * interval '1 day'", [days]
        )
        cursor.execute(
            "UPDATE messaging_chunk SET not_before = not_before - %s * interval '1 day'", [days]
        )


def test_whoever_had_a_blast_waits_for_the_next_until_there_is_room(
    launch: Launch, people: People, sim: Client, capped: Account
):
    people(3)
    first = launch()
    send_all()
    second = launch(request_key="k2")
    send_all()

    assert (states(first), states(second)) == (GONE, WAITS)
    waits_until = batch_waits_until(second.pk)
    assert waits_until is not None
    assert timedelta(days=6.9) < waits_until - now() < timedelta(days=7, minutes=6)

    days_pass(7.1)
    send_all()
    assert states(second) == GONE
    assert sim.summary()["accepted"] == 6
    assert batch_waits_until(second.pk) is None


def test_a_blast_that_must_end_earlier_leaves_them_out_and_gives_their_credits_back(
    launch: Launch, people: People, account: Account, capped: Account
):
    people(3)
    launch()
    send_all()
    second = launch(request_key="k2", expires_at=now() + timedelta(hours=4))

    send_all()
    batches_finish()

    assert states(second) == {("skipped", "capped"): 3}
    assert_credits_balance(account, second)


def test_two_may_come_where_two_are_allowed(launch: Launch, people: People, capped: Account):
    Account.objects.update(cap_texts=2)
    people(3)

    batches = [launch(request_key=f"k{at}") for at in range(3)]
    send_all()

    assert sorted(str(states(batch)) for batch in batches) == sorted(map(str, [GONE, GONE, WAITS]))


def test_the_campaign_that_goes_first_gets_the_place(
    launch: Launch, people: People, capped: Account
):
    people(3)
    ordinary = launch()
    first = launch(request_key="k2", priority=Priority.BULK_FIRST)

    send_all()

    assert (states(first), states(ordinary)) == (GONE, WAITS)


def test_what_did_not_arrive_and_what_was_no_blast_takes_no_place(
    launch: Launch, people: People, account: Account, sender: SenderNumber, capped: Account
):
    (contact, *_) = people(3)
    message_send(
        account=account, actor=None, phone=contact.phone, body="Your code", kind=BatchKind.API,
        request_key="code",
    )  # fmt: skip
    first = launch()
    send_all()
    Message.objects.filter(batch=first).update(state="undelivered")

    second = launch(request_key="k2")
    send_all()

    assert states(second) == GONE


def test_a_window_that_is_out_takes_its_peoples_places(
    launch: Launch, people: People, capped: Account, settings: Any
):
    settings.SEND_WINDOW = 3
    people(3)
    launch()
    second = launch(request_key="k2")
    claim_soon()

    prepared = prepare(claim_soon())

    assert prepared.window.leases[0].batch.id == second.pk
    assert (prepared.sends, prepared.skips) == ([], [])


@pytest.mark.django_db(transaction=True)
def test_windows_of_a_capped_account_are_claimed_one_after_another(
    launch: Launch, people: People, capped: Account
):
    people(3)
    launch()
    claimed: list[object] = []

    with transaction.atomic():
        account_lock([capped.pk])
        claiming = in_thread(lambda: claimed.append(_claim_until_there_is_one()))
        wait_for_lock_waits(1, or_ended=claiming)
        assert claimed == []
        assert Chunk.objects.get().state == ChunkState.READY
    claiming.join()

    assert len(claimed) == 1
    assert Chunk.objects.get().state == ChunkState.LEASED


def _claim_until_there_is_one() -> object:
    while (window := claim()) is None:
        pass
    return window


@pytest.mark.parametrize(
    ("cap_texts", "cap_days", "field"),
    [(101, 7, "cap_texts"), (-1, 7, "cap_texts"), (1, 0, "cap_days"), (1, 91, "cap_days")],
)
def test_a_cap_that_cannot_be_is_refused(
    account: Account, alice: Any, cap_texts: int, cap_days: int, field: str
):
    with pytest.raises(Invalid) as refused:
        account_update(account=account, actor=alice, cap_texts=cap_texts, cap_days=cap_days)

    assert list(refused.value.fields) == [field]
    account.refresh_from_db()
    assert (account.cap_texts, account.cap_days) == (0, 7)


def test_resuming_twice_gives_no_more_time_than_once(
    launch: Launch, people: People, account: Account, alice: Any
):
    people(3)
    batch = launch(expires_at=now() + timedelta(hours=4))
    ends = []
    for hours in (3, 6, 9):
        with time_machine.travel(batch.launched_at + timedelta(hours=hours), tick=False):
            batch_pause(account=account, actor=alice, batch=batch)
            batch_resume(account=account, actor=alice, batch=batch)
        batch.refresh_from_db()
        ends.append(batch.expires_at)

    taken = timedelta(hours=4)
    assert batch.may_take is not None
    assert abs(batch.may_take - taken) < timedelta(seconds=5)
    assert ends == [
        batch.launched_at + timedelta(hours=hours) + batch.may_take for hours in (3, 6, 9)
    ]


def test_resuming_begins_the_time_anew(
    launch: Launch, people: People, account: Account, alice: Any
):
    people(3)
    batch = launch(expires_at=now() + timedelta(hours=4))
    batch_pause(account=account, actor=alice, batch=batch)
    Batch.objects.update(
        launched_at=now() - timedelta(hours=5), expires_at=now() - timedelta(hours=1)
    )

    resumed = batch_resume(account=account, actor=alice, batch=batch)
    send_all()

    assert resumed.expires_at is not None
    assert timedelta(hours=3.9) < resumed.expires_at - now() < timedelta(hours=4.1)
    assert states(batch) == GONE
