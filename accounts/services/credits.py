"""The credit ledger: every movement is one append-only row beside the columns it changes.

Owns `CreditEntry`, `Account.credit_balance`, `credit_held` and `credit_owed`; nothing else writes
them.
How many credits a message costs is decided by messaging.

Every function is idempotent on (account, key): a second call with the same key changes nothing and
answers the first call's entry. Except for grants and refunds they must run in the caller's
transaction, because a movement without the act that caused it would be a wrong statement.

Locks: the account's row (FOR NO KEY UPDATE, so that inserts referring to the account go on), which
is the last lock of every transaction (docs/locks.md).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.choices import CreditKind
from accounts.errors import InsufficientCredits
from accounts.models import Account, CreditEntry, User
from common.clock import now

GRANTS = (CreditKind.TRIAL, CreditKind.PURCHASE, CreditKind.GRANT)


def credits_reserve(
    *,
    account: Account,
    credits: int,
    key: str,
    batch_id: int | None = None,
    actor: User | None = None,
    note: str = "",
) -> CreditEntry:
    """Set `credits` aside, for a send or (without `batch_id`) what `note` says: down, held up.

    Raises:
        InsufficientCredits: the balance is smaller; nothing was changed.
    """
    return _move(
        account=account,
        kind=CreditKind.RESERVE,
        available=-_positive(credits),
        held=credits,
        key=key,
        batch_id=batch_id,
        actor=actor,
        note=note,
    )


def credits_settle(
    *, account: Account, credits: int, key: str, batch_id: int | None = None, note: str = ""
) -> CreditEntry:
    """Use up `credits` of what is held: the carrier took what they were reserved for.

    Raises:
        IntegrityError: more than is held, which is a defect of the caller (the reservation is an
            upper bound), so the caller's whole transaction has to go.
    """
    return _move(
        account=account,
        kind=CreditKind.SETTLE,
        available=0,
        held=-_positive(credits),
        key=key,
        batch_id=batch_id,
        note=note,
    )


def credits_settle_many(*, account: Account, credits_by_batch: Mapping[int, int], key: str) -> int:
    """`credits_settle` for many batches of one account at once, in two statements.

    Args:
        account: The tenant.
        credits_by_batch: Batch id to credits, all positive.
        key: Idempotency key; each batch's own is `<key>:<batch id>`.

    Returns:
        Credits used up now: what another call with the same keys settled is not counted again.

    Raises:
        IntegrityError: more than is held (see `credits_settle`).
    """
    batch_ids = sorted(credits_by_batch)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credit_balance FROM accounts_account WHERE id = %s FOR NO KEY UPDATE",
            [account.pk],
        )
        (balance,) = cursor.fetchone()
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO accounts_creditentry (account_id, kind, available, held,
                    balance_after, idempotency_key, batch_id, note, created_at)
                SELECT %s, %s, 0, -v.credits, %s, %s || v.batch_id, v.batch_id, '', %s
                FROM unnest(%s::bigint[], %s::bigint[]) AS v(batch_id, credits)
                ON CONFLICT (account_id, idempotency_key) DO NOTHING
                RETURNING held
            )
            UPDATE accounts_account
            SET credit_held = credit_held + coalesce((SELECT sum(held) FROM made), 0)
            WHERE id = %s
            RETURNING (SELECT coalesce(-sum(held), 0)::bigint FROM made)
            """,
            [
                account.pk,
                str(CreditKind.SETTLE),
                balance,
                f"{key}:",
                now(),
                batch_ids,
                [_positive(credits_by_batch[batch_id]) for batch_id in batch_ids],
                account.pk,
            ],
        )
        (settled,) = cursor.fetchone()
    return int(settled)


def credits_release(
    *, account: Account, credits: int, key: str, batch_id: int | None = None, note: str = ""
) -> CreditEntry:
    """Give back `credits` of what is held: refused, skipped, or reserved above the real count.

    Raises:
        IntegrityError: more than is held (see `credits_settle`).
    """
    return _move(
        account=account,
        kind=CreditKind.RELEASE,
        available=_positive(credits),
        held=-credits,
        key=key,
        batch_id=batch_id,
        note=note,
    )


def credits_adjust(*, account: Account, batch_id: int, credits: int, key: str) -> CreditEntry:
    """Follow the carrier's own count of segments after a batch was settled.

    Args:
        account: The tenant.
        batch_id: The batch whose count differs.
        credits: The carrier's count minus ours. Positive charges more, but never more than the
            balance: the platform bears the rest, and the entry's note says so. Negative gives back.
        key: Idempotency key.
    """
    return _move(
        account=account,
        kind=CreditKind.ADJUST,
        available=-credits,
        held=0,
        key=key,
        batch_id=batch_id,
        capped=True,
    )


@transaction.atomic
def credits_grant(
    *,
    account: Account,
    credits: int,
    kind: str,
    key: str,
    actor: User | None,
    note: str = "",
    purchase_id: int | None = None,
) -> CreditEntry:
    """Add credits: trial, a purchase (`purchase_id` says which), or grant by staff.

    Raises:
        ValueError: `kind` is not one of those three, or `credits` is not positive.
    """
    if kind not in GRANTS:
        raise ValueError(f"{kind} does not add credits")
    return _move(
        account=account,
        kind=CreditKind(kind),
        available=_positive(credits),
        held=0,
        key=key,
        actor=actor,
        note=note,
        purchase_id=purchase_id,
    )


@transaction.atomic
def credits_refund(
    *,
    account: Account,
    credits: int,
    key: str,
    actor: User | None,
    note: str = "",
    purchase_id: int | None = None,
) -> CreditEntry:
    """Take back credits whose price was paid back.

    What was used or is reserved stays so: no send under way stops for it, and the balance never
    goes below zero. What is not left is owed (`Account.credit_owed`): whatever comes in later,
    bought, granted or released, pays it first. The entry's note says how much.
    """
    return _move(
        account=account,
        kind=CreditKind.REFUND,
        available=-_positive(credits),
        held=0,
        key=key,
        actor=actor,
        note=note,
        purchase_id=purchase_id,
        capped=True,
    )


def _positive(credits: int) -> int:
    if credits <= 0:
        raise ValueError(f"{credits} is not a positive number of credits")
    return credits


def _and(note: str, more: str) -> str:
    return f"{note[:140]}; {more}" if note else more


def _move(
    *,
    account: Account,
    kind: CreditKind,
    available: int,
    held: int,
    key: str,
    batch_id: int | None = None,
    actor: User | None = None,
    note: str = "",
    purchase_id: int | None = None,
    capped: bool = False,
) -> CreditEntry:
    """Lock the account, look for the key, change the columns and write the row. 3 statements.

    The key is looked for under the lock: a twin that ran at the same time has committed by then,
    so neither a unique violation nor a second movement can happen. Written out in SQL because
    every window of the send engine settles: the ORM's five queries cost as much as the window's
    rendering.

    Whatever comes in pays what is owed first, in a movement of its own behind the one that
    brought it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credit_balance, credit_owed FROM accounts_account WHERE id = %s "
            "FOR NO KEY UPDATE",
            [account.pk],
        )
        balance, owed = cursor.fetchone()
        cursor.execute(
            "SELECT id FROM accounts_creditentry WHERE account_id = %s AND idempotency_key = %s",
            [account.pk, key],
        )
        done = cursor.fetchone()
        if done:
            return CreditEntry.objects.get(pk=done[0])
        owes = 0
        if balance + available < 0:
            if not capped:
                raise InsufficientCredits(needed=-available, balance=balance)
            short, available = -available - balance, -balance
            owes = short if kind == CreditKind.REFUND else 0
            note = _and(
                note, f"{short:,} more {'are owed' if owes else 'were borne by the platform'}"
            )
        entry = CreditEntry(
            account_id=account.pk,
            kind=str(kind),
            available=available,
            held=held,
            owed=owes,
            balance_after=balance + available,
            idempotency_key=key,
            batch_id=batch_id,
            purchase_id=purchase_id,
            actor=actor,
            note=note,
            created_at=now(),
        )
        _write(cursor, [entry, *_paid_first(entry, owed)])
    entry._state.adding = False
    return entry


def _paid_first(entry: CreditEntry, owed: int) -> list[CreditEntry]:
    """The movement by which what came in pays what is owed; none where nothing is."""
    pays = min(owed, entry.available)
    if pays <= 0:
        return []
    return [
        CreditEntry(
            account_id=entry.account_id,
            kind=str(CreditKind.REFUND),
            available=-pays,
            held=0,
            owed=-pays,
            balance_after=entry.balance_after - pays,
            idempotency_key=f"owed:{entry.idempotency_key}"[:120],
            note="Owed since a payment went back",
            created_at=entry.created_at,
        )
    ]


_COLUMNS: Final = (
    "account_id", "kind", "available", "held", "owed", "balance_after", "idempotency_key",
    "batch_id", "purchase_id", "actor_id", "note", "created_at",
)  # fmt: skip


def _write(cursor: CursorWrapper, entries: Sequence[CreditEntry]) -> None:
    """Movements of one account in this order, and its columns, in one statement.

    Sets the first one's key.
    """
    row = f"({', '.join(['%s'] * len(_COLUMNS))})"
    cursor.execute(
        f"""
        WITH moved AS (
            UPDATE accounts_account
            SET credit_balance = credit_balance + %s, credit_held = credit_held + %s,
                credit_owed = credit_owed + %s
            WHERE id = %s
        )
        INSERT INTO accounts_creditentry ({", ".join(_COLUMNS)})
        VALUES {", ".join([row] * len(entries))}
        RETURNING id
        """,
        [
            sum(entry.available for entry in entries),
            sum(entry.held for entry in entries),
            sum(entry.owed for entry in entries),
            entries[0].account_id,
            *(getattr(entry, column) for entry in entries for column in _COLUMNS),
        ],
    )
    (entries[0].pk,) = cursor.fetchone()
