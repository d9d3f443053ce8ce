"""Whose time has come to be held against the carrier's records, and that none waits for another."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from accounts.models import Account
from common.clock import now
from common.crypto import encrypt
from messaging.carrier_list import CarrierAway, ListUnreadable
from messaging.choices import MessageState
from messaging.gateways.base import Listed
from messaging.models import Batch, CarrierAccount, Chunk, SenderNumber
from messaging.reconcile import inbound_catch_up
from messaging.reconcile_due import reconcile_due
from tests.receipts.conftest import MakeBatch

pytestmark = pytest.mark.django_db

Ask = Callable[[CarrierAccount], None]


class Carriers:
    """Lists without an entry; `away` are accounts that do not answer, `broken` whose list breaks.

    Attributes:
        asked: (carrier account, since) of each look.
        numbers: Whose list was asked for, in order.
        fails: How one number's list fails, by phone.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, datetime]] = []
        self.numbers: list[str] = []
        self.away: set[int] = set()
        self.broken: set[int] = set()
        self.fails: dict[str, type[CarrierAway]] = {}

    def listed(
        self, account: CarrierAccount, *, since: datetime, our_number: str = "", to: str = ""
    ) -> Iterator[Listed]:
        number = our_number or to
        self.asked.append((account.pk, since))
        self.numbers.append(number)
        if number in self.fails:
            raise self.fails[number](account, "does not list it all")
        if account.pk in self.away:
            raise CarrierAway(account, "does not answer")
        if account.pk in self.broken:
            raise OverflowError("a date of the year 20,000")
        return iter(())


@pytest.fixture
def carriers(monkeypatch: pytest.MonkeyPatch) -> Carriers:
    found = Carriers()
    for module in ("reconcile", "single_costs"):
        monkeypatch.setattr(f"messaging.{module}.listed", found.listed)
    return found


@pytest.fixture
def dead(sender: SenderNumber) -> SenderNumber:
    """A number of the same account at another carrier account."""
    theirs = CarrierAccount.objects.create(
        name="Theirs", external_id="AC" + "9" * 32, secret_encrypted=encrypt("wrong")
    )
    return SenderNumber.objects.create(
        account=sender.account, carrier_account=theirs, phone="+12025550177"
    )


def aged(batch_id: int | None, **times: float | None) -> None:
    """The times of a batch, in hours ago; None where it never was."""
    assert batch_id is not None
    at = now()
    Batch.objects.filter(pk=batch_id).update(
        **{
            f"{name}_at": None if hours is None else at - timedelta(hours=hours)
            for name, hours in times.items()
        }
    )


@pytest.mark.parametrize(
    ("launched", "finished", "reconciled", "is_open", "due"),
    [
        (0.5, 0.4, None, True, False),
        (2, 1, None, False, True),
        (10, 2, 8, False, True),  # went on after the look
        (10, 0.5, 8, False, False),  # and has ended just now
        (10, 9, 8, False, False),
        (10, 9, 8, True, True),
        (10, 9, 4, True, False),  # the next one is due at sixteen hours
        (240, 239, None, False, True),  # nobody asked for ten days
        (240, 239, 200, True, True),  # nor for the carrier's last word
        (240, 239, 130, True, False),
        (240, 1.5, 200, True, True),  # paused for over a week
        (800, 799, None, True, False),
    ],
)
def test_a_blast_is_looked_at_when_there_is_news(
    make_batch: MakeBatch,
    carriers: Carriers,
    launched: float,
    finished: float,
    reconciled: float | None,
    is_open: bool,
    due: bool,
) -> None:
    state = MessageState.ACCEPTED if is_open else MessageState.DELIVERED
    batch_id = make_batch(1, state=state)[0].batch_id
    aged(batch_id, launched=launched, finished=finished, reconciled=reconciled)

    assert reconcile_due() == due
    assert reconcile_due() == 0


@pytest.mark.parametrize("how", ["away", "broken"])
def test_a_carrier_that_does_not_answer_keeps_no_other_from_being_asked(
    make_batch: MakeBatch, carriers: Carriers, dead: SenderNumber, how: str
) -> None:
    """An account's wrong token, with more blasts than are looked at in one go."""
    getattr(carriers, how).add(dead.carrier_account_id)
    for hours in range(9, 2, -1):
        batch = make_batch(1, first=hours * 10)[0].batch
        assert batch is not None
        batch.sender = dead
        batch.save()
        aged(batch.pk, launched=hours, finished=hours)
    good = make_batch(1)[0].batch_id
    aged(good, launched=2, finished=2)

    assert reconcile_due() == 1

    assert Batch.objects.get(reconciled_at__isnull=False).pk == good
    if how == "away":
        assert [pk for pk, _ in carriers.asked].count(dead.carrier_account_id) == 1


def test_a_blast_over_two_carrier_accounts_blames_the_one_that_failed(
    make_batch: MakeBatch, carriers: Carriers, sender: SenderNumber, dead: SenderNumber
) -> None:
    carriers.away.add(dead.carrier_account_id)
    pooled = [make_batch(1, first=no)[0].batch_id for no in (10, 20)]
    for no, batch_id in enumerate(pooled):
        assert batch_id is not None
        aged(batch_id, launched=9 - no, finished=8)
        Chunk.objects.create(
            batch_id=batch_id,
            account_id=sender.account_id,
            sender_id=dead.pk,
            carrier_account_id=dead.carrier_account_id,
            first_no=2,
            last_no=2,
            next_no=2,
        )
    good = [make_batch(1, first=no)[0].batch_id for no in (30, 40)]
    for batch_id in good:
        aged(batch_id, launched=2, finished=2)

    assert reconcile_due() == 2

    assert set(Batch.objects.exclude(reconciled_at=None).values_list("pk", flat=True)) == set(good)
    # The second pooled blast needs the same account: it costs no look.
    assert carriers.numbers.count(dead.phone) == 1
    # Nor is the first one asked about again at once.
    aged(pooled[1], reconciled=0)
    assert (reconcile_due(), carriers.numbers.count(dead.phone)) == (0, 1)
    ripe()
    assert (reconcile_due(), carriers.numbers.count(dead.phone)) == (0, 2)


@pytest.mark.parametrize("how", [ListUnreadable, CarrierAway])
def test_one_number_whose_list_cannot_be_read_keeps_not_its_accounts_others(
    make_batch: MakeBatch, carriers: Carriers, sender: SenderNumber, how: type[CarrierAway]
) -> None:
    """Even where the account seems away in one run, its others have the next."""
    first, *others = numbers(sender, 3)
    carriers.fails[first.phone] = how
    batch_id = make_batch(1)[0].batch_id
    aged(batch_id, launched=2, finished=2)

    runs = [reconcile_due() for _ in range(3)]

    assert carriers.numbers.count(first.phone) == 1
    for other in others:
        assert carriers.numbers.count(other.phone) == 1
    assert runs == ([1, 0, 0] if how is ListUnreadable else [0, 1, 0])
    ripe()
    assert (reconcile_due(), carriers.numbers.count(first.phone)) == (0, 2)


@pytest.mark.parametrize(("launched", "waits"), [(1.5, 1), (10, 5), (240, 120)])
def test_a_blast_whose_list_cannot_be_read_waits_half_its_age(
    make_batch: MakeBatch,
    carriers: Carriers,
    sender: SenderNumber,
    launched: float,
    waits: float,
) -> None:
    """A number with millions of texts is not read through in each run for nothing."""
    carriers.fails[sender.phone] = ListUnreadable
    batch_id = make_batch(1)[0].batch_id
    aged(batch_id, launched=launched, finished=launched)

    assert [reconcile_due(), reconcile_due()] == [0, 0]

    assert carriers.numbers == [sender.phone]
    batch = Batch.objects.get()
    assert batch.reconcile_not_before is not None
    wait = batch.reconcile_not_before - now()
    assert timedelta(hours=waits, minutes=-1) < wait <= timedelta(hours=waits, minutes=1)


def test_a_run_begins_nothing_more_after_a_minute(
    make_batch: MakeBatch, carriers: Carriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists that take long hold the lock: the next run goes on."""
    for no in range(4):
        aged(make_batch(1, first=no * 10)[0].batch_id, launched=9 - no, finished=5)
    # Each list takes forty seconds.
    monkeypatch.setattr("messaging.reconcile_due.monotonic", lambda: len(carriers.asked) * 40.0)

    assert [reconcile_due() for _ in range(3)] == [2, 2, 0]


def test_a_number_that_was_never_asked_is_asked_since_it_was_added(
    carriers: Carriers, sender: SenderNumber
) -> None:
    """Its wrong token was mended on the tenth day: a STOP of the first is not lost."""
    SenderNumber.objects.update(created_at=now() - timedelta(days=10))
    sender.refresh_from_db()
    carriers.fails[sender.phone] = CarrierAway
    reconcile_due()
    carriers.fails.clear()
    carriers.asked.clear()
    ripe()

    reconcile_due()

    ((_, since),) = carriers.asked
    assert sender.created_at - timedelta(hours=2) < since < sender.created_at


def numbers(sender: SenderNumber, many: int) -> list[SenderNumber]:
    """So many more numbers of its carrier account, all due, in the order they are asked in."""
    at = now()
    return [
        SenderNumber.objects.create(
            account=sender.account,
            carrier_account=sender.carrier_account,
            phone=f"+1202555018{no}",
            created_at=at - timedelta(days=9),
            inbound_checked_at=at - timedelta(hours=9 - no),
        )
        for no in range(many)
    ]


def ripe() -> None:
    """The time has come for all that waits because it could not be read."""
    for model in (Batch, SenderNumber):
        model.objects.exclude(reconcile_not_before=None).update(reconcile_not_before=now())


def test_texts_received_are_asked_for_since_the_last_time_however_long_ago(
    carriers: Carriers, sender: SenderNumber, account: Account
) -> None:
    last = now() - timedelta(days=12)
    SenderNumber.objects.filter(pk=sender.pk).update(inbound_checked_at=last)
    sender.refresh_from_db()

    inbound_catch_up(sender=sender)
    inbound_catch_up(sender=SenderNumber.objects.get())

    (_, first), (_, second) = carriers.asked
    assert last - timedelta(hours=2) < first < last
    assert second > now() - timedelta(hours=2)
