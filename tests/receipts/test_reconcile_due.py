"""Whose time has come to be held against the carrier's records, and that none waits for another."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from common.crypto import encrypt
from messaging.carrier_list import CarrierAway
from messaging.choices import MessageState
from messaging.gateways.base import Listed
from messaging.models import Batch, CarrierAccount, SenderNumber
from messaging.reconcile import inbound_catch_up
from messaging.reconcile_due import reconcile_due
from tests.receipts.conftest import MakeBatch

pytestmark = pytest.mark.django_db

Ask = Callable[[CarrierAccount], None]


class Carriers:
    """Lists without an entry; `away` are accounts that do not answer, `broken` whose list breaks.

    Attributes:
        asked: (carrier account, since) of each look.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, datetime]] = []
        self.away: set[int] = set()
        self.broken: set[int] = set()

    def listed(self, account: CarrierAccount, *, since: datetime, **_: Any) -> Iterator[Listed]:
        self.asked.append((account.pk, since))
        if account.pk in self.away:
            raise CarrierAway(f"{account} does not answer")
        if account.pk in self.broken:
            raise OverflowError("a date of the year 20,000")
        return iter(())


@pytest.fixture
def carriers(monkeypatch: pytest.MonkeyPatch) -> Carriers:
    found = Carriers()
    for module in ("reconcile", "single_costs"):
        monkeypatch.setattr(f"messaging.{module}.listed", found.listed)
    return found


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
    make_batch: MakeBatch, carriers: Carriers, sender: SenderNumber, how: str
) -> None:
    """An account's wrong token, with more blasts than are looked at in one go."""
    theirs = CarrierAccount.objects.create(
        name="Theirs", external_id="AC" + "9" * 32, secret_encrypted=encrypt("wrong")
    )
    dead = SenderNumber.objects.create(
        account=sender.account, carrier_account=theirs, phone="+12025550177"
    )
    getattr(carriers, how).add(theirs.pk)
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
        assert [pk for pk, _ in carriers.asked].count(theirs.pk) == 1


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
