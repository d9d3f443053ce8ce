"""Budgets: how many credits an account's blasts of a month, or a campaign, may use.

Owns the rule and when a budget is asked: like the balance, at the reservation. That is an upper
bound of the cost, so a batch that could pass a budget does not start, and none that is under way
can pass it, unless somebody lowers the budget. So each window asks again (`tight`): as long as what
is reserved fits, that is all. Where it does not, windows of the account go one after another, what
was used is counted, and texts go out until the next would pass the budget (`rooms_read`); the batch
is then paused. Which batches count for a campaign is campaigns' to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum

from accounts.models import Account
from common.clock import now
from messaging.choices import BatchKind, ChunkState, MessageState
from messaging.errors import BudgetPassed
from messaging.models import Batch, BatchTally, BatchTotals, Chunk
from messaging.pricing import Prices


@dataclass(frozen=True)
class Budget:
    """A limit in credits, and the batches that count for it."""

    name: str
    limit_credits: int
    batches: QuerySet[Batch]

    def left(self) -> int:
        """Credits that may still be reserved; below 0 where the limit was lowered. One query."""
        used = self.batches.aggregate(
            used=Sum(F("credits_reserved") - F("credits_released") + F("credits_adjusted"))
        )
        return self.limit_credits - (used["used"] or 0)


def budgets_of(
    account: Account, *more: Budget, launched_at: datetime | None = None
) -> list[Budget]:
    """The account's own budget of a month, where it has one, and `more`.

    Args:
        account: The tenant.
        more: Budgets of its campaigns.
        launched_at: When the blast that asks was launched, None for now: a blast counts for that
            month for good, also what is tried again later.
    """
    monthly = Account.objects.values_list("monthly_budget_credits", flat=True).get(pk=account.pk)
    if not monthly:
        return list(more)
    zone = ZoneInfo(account.timezone)
    begun_at, ends_at = _month(launched_at or now(), zone)
    blasts = Batch.objects.filter(
        account=account,
        kind=BatchKind.BLAST,
        launched_at__gte=begun_at,
        launched_at__lt=ends_at,
    )
    name = "This month's budget for blasts"
    if ends_at <= now():
        name = f"The budget for blasts of {begun_at:%B %Y}"
    return [Budget(name, monthly, blasts), *more]


def _month(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Where the month of a moment begins and ends in a zone."""
    begun_at = moment.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return begun_at, (begun_at + timedelta(days=32)).replace(day=1)


@dataclass(slots=True)
class Room:
    """What a budget has left for the texts of one window."""

    budget: Budget
    used_credits: int

    def sentence(self) -> str:
        """Why texts wait, and what to do."""
        return (
            f"{self.budget.name} is {self.budget.limit_credits:,} credits, and the next text would"
            " pass it. Whoever has not been texted yet waits, nobody is lost. Raise the budget and"
            " resume, or cancel the rest."
        )


@dataclass(slots=True)
class Rooms:
    """Rooms by batch, for a window; empty where no budget was lowered."""

    by_batch: dict[int, list[Room]] = field(default_factory=dict)
    over: dict[int, Room] = field(default_factory=dict)

    def take(self, batch_id: int, credits: int) -> bool:
        """Count a text that is about to be sent; False where it would pass a budget."""
        rooms = self.by_batch.get(batch_id, [])
        for room in rooms:
            if batch_id in self.over or room.used_credits + credits > room.budget.limit_credits:
                self.over.setdefault(batch_id, room)
                return False
        for room in rooms:
            room.used_credits += credits
        return True


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gate knows of a batch's budgets: of its account's month, and of its group."""

    batch_id: int
    account_id: int
    monthly_credits: int
    group: int | None
    group_credits: int


def tight(asked: Iterable[Asked]) -> list[tuple[Budget, list[Asked]]]:
    """Budgets that no longer cover what is reserved under them, with the batches asked about.

    One or two queries a budget; none where there is no budget.
    """
    found: list[tuple[Budget, list[Asked]]] = []
    by_budget: dict[tuple[str, int], list[Asked]] = {}
    for one in asked:
        if one.monthly_credits:
            by_budget.setdefault(("month", one.account_id), []).append(one)
        if one.group is not None and one.group_credits:
            by_budget.setdefault(("group", one.group), []).append(one)
    for (kind, _), own in by_budget.items():
        if kind == "month":
            budgets = budgets_of(Account.objects.get(pk=own[0].account_id))
        else:
            batches = Batch.objects.filter(account_id=own[0].account_id, budget_group=own[0].group)
            budgets = [Budget("The campaign's budget", own[0].group_credits, batches)]
        found += [(budget, own) for budget in budgets if budget.left() < 0]
    return found


def rooms_read(found: Iterable[tuple[Budget, list[Asked]]]) -> tuple[Rooms, set[int]]:
    """What tight budgets have left, and the batches that must wait for another one's window.

    The caller holds the advisory lock of their accounts, so that no two windows count the same
    room. Five queries a budget.
    """
    rooms, waiting = Rooms(), set[int]()
    for budget, own in found:
        counting = set(budget.batches.values_list("pk", flat=True))
        ours = {one.batch_id for one in own} & counting
        if Chunk.objects.filter(batch__in=counting, state=ChunkState.LEASED).exists():
            waiting |= ours
            continue
        room = Room(budget, _used(counting))
        for batch_id in ours:
            rooms.by_batch.setdefault(batch_id, []).append(room)
    return rooms, waiting


def _used(batch_ids: Iterable[int]) -> int:
    """Credits that batches used, counting what is unknown as used."""
    totals = BatchTotals.objects.filter(batch__in=batch_ids)
    used = totals.aggregate(used=Sum("retried_credits"))["used"] or 0
    tallies = BatchTally.objects.filter(batch__in=batch_ids)
    used += tallies.aggregate(used=Sum("credits"))["used"] or 0
    batches = Batch.objects.filter(pk__in=batch_ids)
    used += batches.aggregate(used=Sum("credits_adjusted"))["used"] or 0
    doubtful = tallies.filter(state=MessageState.UNKNOWN, messages__gt=0).values("batch_id")
    for batch in batches.filter(pk__in=doubtful):
        prices = Prices(batch.prices)
        rows = batch.messages.filter(state=MessageState.UNKNOWN).values_list("phone", "segments")
        used += sum(prices.credits(phone, segments) for phone, segments in rows.iterator())
    return int(used)


def group_budget_set(*, account: Account, group: int, credits: int) -> None:
    """Tell the batches of a group that are not settled what their budget is now.

    Locks: batches, by id.
    """
    rows = Batch.objects.filter(account=account, budget_group=group, settled_at__isnull=True)
    ids = list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Batch.objects.filter(pk__in=ids).update(budget_credits=credits)


def budgets_hold(account: Account, budgets: Sequence[Budget], credits: int) -> None:
    """Ask every budget for `credits` more, while nobody else of the account reserves any.

    Raises:
        BudgetPassed: one of them has fewer left.

    Locks: the account's row, where there is a budget.
    """
    if not budgets:
        return
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    for budget in budgets:
        left = budget.left()
        if credits > left:
            raise BudgetPassed(budget=budget.name, needed=credits, left=max(left, 0))
