"""Budgets: how many credits an account's blasts of a month, or a campaign, may use.

Owns the rule and when a budget is asked: like the balance, at the reservation. That is an upper
bound of the cost, so a batch that could pass a budget does not start, and none that is under way
can pass it. Which batches count for a campaign is campaigns' to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum

from accounts.models import Account
from common.clock import now
from messaging.choices import BatchKind
from messaging.errors import BudgetPassed
from messaging.models import Batch


@dataclass(frozen=True)
class Budget:
    """A limit in credits, and the batches that count for it."""

    name: str
    limit_credits: int
    batches: QuerySet[Batch]

    def left(self) -> int:
        """Credits that may still be reserved; below 0 where the limit was lowered. One query."""
        used = self.batches.aggregate(used=Sum(F("credits_reserved") - F("credits_released")))
        return self.limit_credits - (used["used"] or 0)


def budgets_of(account: Account, *more: Budget) -> list[Budget]:
    """The account's own budget of this month, where it has one, and `more`."""
    monthly = Account.objects.values_list("monthly_budget_credits", flat=True).get(pk=account.pk)
    if not monthly:
        return list(more)
    local = now().astimezone(ZoneInfo(account.timezone))
    begun_at = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    blasts = Batch.objects.filter(account=account, kind=BatchKind.BLAST, launched_at__gte=begun_at)
    return [Budget("This month's budget for blasts", monthly, blasts), *more]


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
