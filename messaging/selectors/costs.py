"""What texts cost at the carrier, as far as it has said; see `messaging.costs`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, Sum

from messaging.choices import Outcome
from messaging.models import Attempt, Batch, BatchCost, Message


@dataclass(frozen=True, slots=True)
class Cost:
    """Texts of one currency together.

    Attributes:
        currency: ISO 4217, or "" before the first price.
        texts: What the carrier took, repeated attempts included.
        priced: Of those, how many have a price.
        segments: The carrier's count.
        our_segments: Ours, of the same texts.
        micros: Millionths of the currency.
        credits: What they took at our count.
        retried: Of those, for attempts that were tried again.
        adjusted: Credits more, or less (negative), by the carrier's count.
    """

    currency: str
    texts: int
    priced: int
    segments: int
    our_segments: int
    micros: int
    credits: int
    retried: int
    adjusted: int

    @property
    def charged(self) -> int:
        """Credits in all."""
        return self.credits + self.adjusted

    @property
    def first(self) -> int:
        """Credits of first attempts, at our count: what an estimate foresees."""
        return self.credits - self.retried

    @property
    def amount(self) -> str:
        """ "73.52 USD"; small sums with more places, so that they are not nothing."""
        return money(self.micros, self.currency)

    @property
    def each(self) -> str:
        """What a segment costs, where all have a price."""
        if not self.segments or self.priced < self.texts:
            return ""
        return f"{self.micros / self.segments / 1_000_000:.4f} {self.currency}"

    @property
    def unpriced(self) -> int:
        """Texts without a price so far."""
        return self.texts - self.priced


_SUMS = (
    "texts",
    "priced",
    "segments",
    "our_segments",
    "micros",
    "credits",
    "retried_credits",
    "adjusted_credits",
)


def money(micros: int, currency: str) -> str:
    """An amount for people."""
    places = 2 if micros >= 1_000_000 or not micros else 4
    return f"{micros / 1_000_000:,.{places}f} {currency}".strip()


def costs_of(batch_ids: Iterable[int]) -> list[Cost]:
    """What these batches cost together, one for each currency, the largest first. One query."""
    found = costs_by(BatchCost.objects.filter(batch__in=list(batch_ids)), [])
    return [cost for _, cost in found]


def costs_by(costs: QuerySet[BatchCost], keys: Sequence[str]) -> list[tuple[tuple[Any, ...], Cost]]:
    """Costs summed by `keys` (lookups of `BatchCost`) and currency, the largest first. 1 query."""
    costs = costs.filter(texts__gt=0)
    sums = costs.values(*keys, "currency").annotate(**{f"{name}_sum": Sum(name) for name in _SUMS})
    return [
        (
            tuple(row[key] for key in keys),
            Cost(row["currency"], *(row[f"{name}_sum"] for name in _SUMS)),
        )
        for row in sums.order_by("-micros_sum", *keys)
    ]


def costs_by_batch(batch_ids: Iterable[int]) -> dict[int, str]:
    """What each batch cost in words; those without a price are left out. One query."""
    told: dict[int, list[str]] = {}
    for (batch_id,), cost in costs_by(
        BatchCost.objects.filter(batch__in=list(batch_ids), priced__gt=0), ["batch"]
    ):
        told.setdefault(batch_id, []).append(cost.amount)
    return {batch_id: " + ".join(amounts) for batch_id, amounts in told.items()}


def message_cost(message: Message) -> str:
    """What one text cost at the carrier, all attempts together; "" as long as it has not said."""
    taken = Attempt.objects.filter(message=message, outcome=Outcome.ACCEPTED)
    micros = taken.aggregate(micros=Sum("cost_micros"))["micros"]
    if micros is None:
        return ""
    kept = BatchCost.objects.filter(Q(batch=message.batch_id), ~Q(currency="")).first()
    return money(micros, kept.currency if kept else "")


def retried_credits(batch: Batch) -> int:
    """Credits of attempts that were followed by another one at somebody's word. One query."""
    totals = getattr(batch, "totals", None)
    return totals.retried_credits if totals else 0
