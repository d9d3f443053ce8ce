"""What texts cost at the carrier by blast, campaign, person or number, and why not as expected.

Sums of kept rows (`BatchCost`); the steps of one blast in words are `campaigns.costing`'s. Blasts
and campaigns are of blasts alone; persons and numbers of everything that was sent, replies and
texts by programs too.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import F, QuerySet, Sum

from accounts.models import Account
from messaging.choices import BatchKind, MessageState, Reason
from messaging.models import Batch, BatchCost, BatchTally
from messaging.selectors import Cost, costs_by

Key = tuple[Any, ...]

# Of a batch: its id, then its name.
_KEYS: Final = {
    "blast": ["blast", "name"],
    "campaign": ["blast__campaign", "blast__campaign__name"],
    "user": ["created_by", "created_by__name", "created_by__email"],
}


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one blast, campaign, person or number cost, in one currency.

    Attributes:
        key: Its id and name, or the number.
        cost: What the carrier says, and the credits.
        estimated: Credits told before the launch; what was never estimated counts as it came out.
            None for a number: blasts are estimated, whatever numbers they go from.
        blanks: People who were left out because a field was blank.
    """

    key: Key
    cost: Cost
    estimated: int | None = None
    blanks: int = 0

    @property
    def people(self) -> int:
        """Credits more, or less (negative), because other people were texted than estimated."""
        return 0 if self.estimated is None else self.cost.first - self.estimated


def cost_totals(*, account: Account, since: datetime, by: str) -> list[Cost]:
    """All that `cost_rows` tell apart, together, one for each currency. One query."""
    return [cost for _, cost in costs_by(_costs(account, since, by), [])]


def cost_rows(*, account: Account, since: datetime, by: str) -> list[CostRow]:
    """What was launched since then, the dearest first. Four queries, one of numbers.

    Args:
        account: The tenant.
        since: Aware.
        by: "blast", "campaign", "user" or "number".
    """
    costs = _costs(account, since, by)
    if by == "number":
        return [CostRow(key, cost) for key, cost in costs_by(costs, ["our_number"])]
    keys = _KEYS[by]
    of_batch = [f"batch__{name}" for name in keys]
    # By how much blasts that had an estimate differ from it.
    told = costs.filter(texts__gt=0, batch__blast__estimated_credits__isnull=False)
    first = _sums(told, of_batch, F("credits") - F("retried_credits"))
    estimated = _sums(
        Batch.objects.filter(pk__in=told.values("batch")), keys, F("blast__estimated_credits")
    )
    blanks = _sums(
        BatchTally.objects.filter(
            batch__in=costs.values("batch"), state=MessageState.SKIPPED, reason=Reason.BLANK_FIELD
        ),
        of_batch,
        F("messages"),
    )
    rows: list[CostRow] = []
    seen: set[Key] = set()
    for key, cost in costs_by(costs, of_batch):
        # Of two currencies the dearer tells the difference, so that it is told once.
        differs = 0 if key in seen else first.get(key, 0) - estimated.get(key, 0)
        left_out = 0 if key in seen else blanks.get(key, 0)
        rows.append(CostRow(key, cost, cost.first - differs, left_out))
        seen.add(key)
    return rows


def _costs(account: Account, since: datetime, by: str) -> QuerySet[BatchCost]:
    costs = BatchCost.objects.filter(batch__account=account, batch__launched_at__gte=since)
    return costs.filter(batch__kind=BatchKind.BLAST) if by in ("blast", "campaign") else costs


def _sums(rows: QuerySet[Any], keys: list[str], what: Any) -> dict[Key, int]:
    """Sums by key."""
    sums = rows.order_by().values_list(*keys).annotate(of=Sum(what))
    return {tuple(key): int(total or 0) for *key, total in sums}
