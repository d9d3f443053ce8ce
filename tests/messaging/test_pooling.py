"""One blast from several numbers: each person from the one they know, the rest where it is free."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, User
from carriersim.client import Client
from common.errors import Conflict
from messaging.errors import SenderNotUsable
from messaging.models import Chunk, Message, SenderNumber
from messaging.pooling import shares
from messaging.reconcile import batch_reconcile
from messaging.senders import sender_release
from tests.messaging.conftest import Launch, People, make_sender, send_all, states, tallies

pytestmark = pytest.mark.django_db

FIRST, SECOND, THIRD = "+12025550100", "+12025550101", "+12025550102"


@pytest.fixture
def pool(account: Account, sender: SenderNumber, sim: Client) -> list[SenderNumber]:
    """Two more numbers, as fast as the first."""
    return [make_sender(account, sim, phone=phone) for phone in (SECOND, THIRD)]


def from_numbers(batch_id: int) -> dict[str, int]:
    return Counter(Message.objects.filter(batch=batch_id).values_list("our_number", flat=True))


def test_strangers_are_spread_evenly_and_texted_from_their_number(
    launch: Launch, people: People, sim: Client, pool: list[SenderNumber]
):
    people(100)

    batch = launch(also_from=pool)
    send_all()

    assert from_numbers(batch.pk) == {FIRST: 34, SECOND: 33, THIRD: 33}
    sent = {(row["from"], row["to"]) for row in sim.messages()}
    assert sent == set(Message.objects.filter(batch=batch).values_list("our_number", "phone"))
    assert sim.summary()["most_to_one"] == 1
    assert states(batch) == tallies(batch) == {("accepted", ""): 100}
    assert list(
        Chunk.objects.order_by("pk").values_list("sender__phone", "first_no", "last_no")
    ) == [(FIRST, 1, 34), (SECOND, 35, 67), (THIRD, 68, 100)]


def test_whoever_knows_a_number_is_texted_from_it_again(
    launch: Launch, people: People, pool: list[SenderNumber], sim: Client
):
    known = people(10)
    launch(sender=pool[1], request_key="earlier")
    send_all()
    people(20)

    batch = launch(also_from=pool)

    assert from_numbers(batch.pk) == {FIRST: 10, SECOND: 10, THIRD: 10}
    theirs = Message.objects.filter(batch=batch, contact__in=known)
    assert set(theirs.values_list("our_number", flat=True)) == {THIRD}
    numbers = Message.objects.filter(batch=batch).order_by("recipient_no")
    assert list(numbers.values_list("recipient_no", flat=True)) == list(range(1, 31))


def test_a_number_with_work_waiting_gets_fewer(
    launch: Launch, people: People, pool: list[SenderNumber]
):
    people(60)
    launch(request_key="waiting", sender=pool[0])
    Message.objects.filter(our_number=SECOND).update(our_number="+12025550199")

    batch = launch(also_from=pool)

    assert from_numbers(batch.pk) == {FIRST: 30, THIRD: 30}


def test_who_is_not_texted_takes_nobodys_place(
    launch: Launch, people: People, pool: list[SenderNumber]
):
    people(3, line_type="landline")
    people(30)

    batch = launch(also_from=pool)

    texted = Message.objects.filter(batch=batch, state="pending")
    assert Counter(texted.values_list("our_number", flat=True)) == {
        FIRST: 10,
        SECOND: 10,
        THIRD: 10,
    }
    assert states(batch) == {("pending", ""): 30, ("skipped", "landline"): 3}


def test_its_numbers_are_held_against_the_carriers_records_each(
    launch: Launch, people: People, pool: list[SenderNumber], sim: Client
):
    people(9)
    batch = launch(also_from=pool)
    send_all()

    assert batch_reconcile(batch=batch) == []


def test_a_number_is_not_given_up_while_it_sends_a_part(
    launch: Launch,
    people: People,
    account: Account,
    alice: User,
    pool: list[SenderNumber],
    sim: Client,
):
    people(9)
    launch(also_from=pool)

    with pytest.raises(Conflict):
        sender_release(account=account, actor=alice, sender_id=pool[0].pk)

    send_all()
    sender_release(account=account, actor=alice, sender_id=pool[0].pk)
    pool[0].refresh_from_db()
    assert pool[0].released_at is not None


def test_a_strangers_number_is_refused(
    launch: Launch, people: People, other_account: Account, sim: Client
):
    people(2)
    theirs = make_sender(other_account, sim, phone=SECOND)

    with pytest.raises(SenderNotUsable):
        launch(also_from=[theirs])

    assert Message.objects.count() == 0


@given(
    people=st.integers(0, 100_000),
    numbers=st.lists(
        st.tuples(st.integers(0, 50_000), st.sampled_from([0.25, 1.0, 3.75, 12.0, 225.0])),
        min_size=1,
        max_size=8,
    ),
)
def test_shares_add_up_and_nobody_could_be_through_sooner(
    people: int, numbers: list[tuple[int, float]]
):
    loads, rates = [load for load, _ in numbers], [rate for _, rate in numbers]

    found = shares(people=people, loads=loads, rates=rates)

    assert sum(found) == people
    assert min(found) >= 0
    work = list(zip(loads, found, rates, strict=True))
    last = max((load + share) / rate for load, share, rate in work if share) if people else 0
    for load, share, rate in work:
        # One more here would end no earlier than the last one does; rounding costs a place each.
        assert (load + share + len(numbers)) / rate >= last - len(numbers) / min(rates)
