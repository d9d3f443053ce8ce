"""The ledger: never negative, once per key, and always the sum of its rows."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from accounts import selectors, services
from accounts.choices import CreditKind
from accounts.errors import InsufficientCredits
from accounts.models import Account, CreditEntry, User

pytestmark = pytest.mark.django_db


def _account(credits: int) -> Account:
    owner = User.objects.create_user("alice@example.com", "a long password")
    return services.account_create(name="Flowers", owner=owner, trial_credits=credits)


def _reserve(account: Account, credits: int, key: str) -> CreditEntry:
    with transaction.atomic():
        return services.credits_reserve(account=account, batch_id=7, credits=credits, key=key)


def _columns(account: Account) -> tuple[int, int]:
    row = Account.objects.get(pk=account.pk)
    return row.credit_balance, row.credit_held


def _ledger(account: Account) -> tuple[int, int]:
    sums = CreditEntry.objects.filter(account=account).aggregate(a=Sum("available"), h=Sum("held"))
    return sums["a"], sums["h"]


def test_a_send_from_reservation_to_the_last_credit() -> None:
    account = _account(100)

    _reserve(account, 80, "reserve")
    services.credits_settle(account=account, batch_id=7, credits=50, key="settle-1")
    services.credits_release(account=account, batch_id=7, credits=30, key="release")
    services.credits_adjust(account=account, batch_id=7, credits=5, key="adjust-1")
    services.credits_adjust(account=account, batch_id=7, credits=-2, key="adjust-2")

    assert _columns(account) == (47, 0) == _ledger(account)
    entries = CreditEntry.objects.filter(account=account).order_by("id")
    assert [(e.kind, e.available, e.held, e.balance_after) for e in entries] == [
        ("trial", 100, 0, 100),
        ("reserve", -80, 80, 20),
        ("settle", 0, -50, 20),
        ("release", 30, -30, 50),
        ("adjust", -5, 0, 45),
        ("adjust", 2, 0, 47),
    ]


def test_the_same_key_moves_credits_once() -> None:
    account = _account(100)

    first = _reserve(account, 60, "reserve")
    again = _reserve(account, 60, "reserve")

    assert again.pk == first.pk
    assert _columns(account) == (40, 60)


def test_keys_of_two_accounts_do_not_meet() -> None:
    flowers = _account(100)
    bakery = services.account_create(
        name="Bakery",
        owner=User.objects.create_user("charlie@example.com", "a long password"),
        trial_credits=10,
    )

    _reserve(flowers, 5, "reserve")
    _reserve(bakery, 5, "reserve")

    assert _columns(flowers) == (95, 5)
    assert _columns(bakery) == (5, 5)


def test_reserving_more_than_the_balance_changes_nothing() -> None:
    account = _account(100)

    with pytest.raises(InsufficientCredits) as refusal:
        _reserve(account, 101, "reserve")

    assert (refusal.value.needed, refusal.value.balance) == (101, 100)
    assert refusal.value.http_status == 402
    assert _columns(account) == (100, 0) == _ledger(account)


def test_settling_more_than_is_held_is_refused_by_the_database() -> None:
    account = _account(100)
    _reserve(account, 10, "reserve")

    with pytest.raises(IntegrityError), transaction.atomic():
        services.credits_settle(account=account, batch_id=7, credits=11, key="settle")

    assert _columns(account) == (90, 10) == _ledger(account)


def test_an_adjustment_stops_at_the_balance() -> None:
    account = _account(3)

    entry = services.credits_adjust(account=account, batch_id=7, credits=10, key="adjust")

    assert (entry.available, entry.note) == (-3, "7 more were borne by the platform")
    assert _columns(account) == (0, 0) == _ledger(account)


@pytest.mark.parametrize("credits", [0, -5])
def test_only_adjustments_take_a_sign(credits: int) -> None:
    account = _account(100)

    for move in (services.credits_reserve, services.credits_settle, services.credits_release):
        with pytest.raises(ValueError, match="not a positive number"):
            move(account=account, batch_id=7, credits=credits, key="key")

    assert _columns(account) == (100, 0) == _ledger(account)


def test_money_paid_back_takes_what_is_left_of_the_credits() -> None:
    account = _account(0)
    services.credits_grant(
        account=account, credits=100, kind=CreditKind.PURCHASE, key="order", actor=None
    )
    _reserve(account, 70, "reserve")

    for _ in range(2):
        services.credits_refund(
            account=account, credits=50, key="refund", actor=None, note="Card payment paid back"
        )

    entry = CreditEntry.objects.get(account=account, kind="refund")
    assert (entry.available, entry.balance_after) == (-30, 0)
    assert entry.note == "Card payment paid back; 20 more are owed"
    assert _columns(account) == (0, 70) == _ledger(account)


def test_what_came_in_is_left_or_held_or_used() -> None:
    account = _account(100)
    _reserve(account, 80, "reserve")
    services.credits_settle(account=account, batch_id=7, credits=50, key="settle")
    services.credits_release(account=account, batch_id=7, credits=10, key="release")
    services.credits_adjust(account=account, batch_id=7, credits=-5, key="adjust")
    services.credits_refund(account=account, credits=15, key="refund", actor=None)

    books = selectors.credit_books(account)

    assert books == selectors.Books(issued=85, available=20, held=20, used=45)
    assert books.out_of_balance == 0
    assert selectors.credits_issued(account) == 85


@pytest.mark.parametrize(
    ("kind", "available", "held"),
    [
        ("grant", 5, 5),
        ("refund", 5, 0),
        ("reserve", -5, 4),
        ("settle", 1, -5),
        ("release", 5, -4),
        ("adjust", 0, 1),
        ("gift", 5, 0),
    ],
)
def test_the_database_holds_each_kind_to_its_pockets(kind: str, available: int, held: int) -> None:
    account = _account(100)

    with pytest.raises(IntegrityError, match="credit_entry_legs"), transaction.atomic():
        CreditEntry.objects.create(
            account=account,
            kind=kind,
            available=available,
            held=held,
            balance_after=100,
            idempotency_key="forged",
        )


def test_a_movement_is_never_changed_or_deleted() -> None:
    account = _account(100)
    entries = CreditEntry.objects.filter(account=account)

    for forge in (lambda: entries.update(available=200), entries.delete):
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            forge()

    assert _columns(account) == (100, 0) == _ledger(account)


def test_a_grant_is_one_of_the_kinds_that_add() -> None:
    account = _account(0)

    services.credits_grant(
        account=account, credits=500, kind=CreditKind.PURCHASE, key="order-9", actor=None
    )
    with pytest.raises(ValueError, match="does not add"):
        services.credits_grant(
            account=account, credits=500, kind=CreditKind.RESERVE, key="order-10", actor=None
        )

    assert _columns(account) == (500, 0) == _ledger(account)


@pytest.mark.django_db(transaction=True)
def test_fifty_reservations_at_once_never_pass_the_balance() -> None:
    account = _account(100)

    def reserve(n: int) -> bool:
        try:
            _reserve(account, 7, f"reserve-{n}")
            return True
        except InsufficientCredits:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=50) as pool:
        outcomes = list(pool.map(reserve, range(50)))

    assert outcomes.count(True) == 14  # 14 x 7 = 98; the fifteenth does not fit
    assert _columns(account) == (2, 98) == _ledger(account)
    balances = CreditEntry.objects.filter(account=account).order_by("id")
    assert [e.balance_after for e in balances] == [100 - 7 * n for n in range(15)]


@pytest.mark.django_db(transaction=True)
def test_twenty_twins_with_one_key_move_credits_once() -> None:
    account = _account(100)

    def reserve(_: int) -> int:
        try:
            return _reserve(account, 60, "reserve").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=20) as pool:
        entries = set(pool.map(reserve, range(20)))

    assert len(entries) == 1
    assert _columns(account) == (40, 60) == _ledger(account)


def test_many_batches_settle_at_once_and_only_once(account: Account) -> None:
    for batch_id, reserved in ((1, 10), (2, 20)):
        with transaction.atomic():
            services.credits_reserve(
                account=account, batch_id=batch_id, credits=reserved, key=f"r{batch_id}"
            )

    with transaction.atomic():
        first, again, other = (
            services.credits_settle_many(account=account, credits_by_batch=used, key=key)
            for used, key in (({1: 4, 2: 6}, "w"), ({1: 4, 2: 6}, "w"), ({2: 5}, "x"))
        )

    account.refresh_from_db()
    assert (first, again, other) == (10, 0, 5)
    assert account.credit_held == 15
    settled = CreditEntry.objects.filter(account=account, kind="settle").order_by("id")
    assert list(settled.values_list("batch_id", "held", "available", "balance_after")) == [
        (1, -4, 0, account.credit_balance),
        (2, -6, 0, account.credit_balance),
        (2, -5, 0, account.credit_balance),
    ]


def test_more_than_is_held_cannot_be_settled(account: Account) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        services.credits_settle_many(account=account, credits_by_batch={1: 1}, key="w")

    account.refresh_from_db()
    assert account.credit_held == 0
    assert not CreditEntry.objects.filter(account=account, kind="settle").exists()
