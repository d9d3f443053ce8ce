"""The figures of a batch, from its kept counts: the same cost for ten messages and ten million.

Owns `Figures` and, in `Rates`, the definitions of the four rates (docs/reports.md). That kept
counts equal a recount of rows is proven by `manage.py verify_reports`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields

from django.db.models import Sum

from messaging.choices import MessageState
from messaging.listing import STATES
from messaging.models import Batch, BatchTally, BatchTotals
from tracking.selectors import batches_with_links

Rate = tuple[int, int, float | None]


def rate(part: int, whole: int) -> Rate:
    """`part` of `whole`, with the share (0 to 1) where there is a whole."""
    return part, whole, part / whole if whole else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The four rates, and the counts they are made of.

    Attributes:
        accepted: The carrier took it, whatever came of it.
        refused: Not taken by the carrier.
        delivered: Arrived.
        delivered_linked: Arrived with a link in the text; who got no link cannot click.
        clicked: Recipients with a click of a person.
        replied: Recipients who replied other than with opt-out words.
        opted_out: Recipients who left.
    """

    accepted: int = 0
    refused: int = 0
    delivered: int = 0
    delivered_linked: int = 0
    clicked: int = 0
    replied: int = 0
    opted_out: int = 0

    @property
    def asked(self) -> int:
        """Texts the carrier took or refused: landlines refused at once count."""
        return self.accepted + self.refused

    @property
    def delivery_rate(self) -> Rate:
        """Delivered of what the carrier was asked for."""
        return rate(self.delivered, self.asked)

    @property
    def click_rate(self) -> Rate:
        """Recipients with a click of a person, of delivered with a link."""
        return rate(self.clicked, self.delivered_linked)

    @property
    def response_rate(self) -> Rate:
        """Recipients who replied other than with opt-out words, of delivered."""
        return rate(self.replied, self.delivered)

    @property
    def unsubscribe_rate(self) -> Rate:
        """Recipients who opted out, of delivered."""
        return rate(self.opted_out, self.delivered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures(Rates):
    """What became of a batch's messages, or of several batches' together.

    audience = skipped + pending + unknown + accepted + refused.

    Attributes:
        audience: Everybody in the list, texted or not.
        skipped: Not asked for, by us.
        pending: Nobody has asked the carrier yet.
        unknown: The carrier's answer was lost.
        sent: Handed on, nothing heard since; like delivered, undelivered and failed a part of
            accepted.
        undelivered: Handed on, came back.
        failed: Taken, never left the carrier.
        hit: Recipients with any hit, robots' too.
        clicks_total: Hits.
        clicks_human: Clicks of people.
        segments: Of what the carrier took, attempts that were tried again included.
        credits: The same.
    """

    audience: int = 0
    skipped: int = 0
    pending: int = 0
    unknown: int = 0
    sent: int = 0
    undelivered: int = 0
    failed: int = 0
    hit: int = 0
    clicks_total: int = 0
    clicks_human: int = 0
    segments: int = 0
    credits: int = 0

    @property
    def not_delivered(self) -> int:
        """Refused, came back or never left the carrier."""
        return self.refused + self.undelivered + self.failed


def batch_figures(batch_ids: Sequence[int]) -> dict[int, Figures]:
    """The figures of each batch, by id; all zero for one without messages. Three queries."""
    counts: dict[int, dict[str, int]] = {batch_id: defaultdict(int) for batch_id in batch_ids}
    if not counts:
        return {}
    states = (
        BatchTally.objects.filter(batch__in=counts)
        .values_list("batch_id", "state")
        .annotate(messages=Sum("messages"), segments=Sum("segments"), credits=Sum("credits"))
        .order_by()
    )
    for batch_id, state, messages, segments, credits in states:
        _add_state(counts[batch_id], state, messages, segments, credits)
    for totals in BatchTotals.objects.filter(batch__in=counts):
        found = counts[totals.batch_id]
        for name in _DONE:
            found[name] = getattr(totals, name)
        found["segments"] += totals.retried_segments
        found["credits"] += totals.retried_credits
    for batch_id in batches_with_links(batch_ids=counts):
        counts[batch_id]["delivered_linked"] = counts[batch_id]["delivered"]
    return {batch_id: Figures(**found) for batch_id, found in counts.items()}


_DONE = ("clicked", "hit", "clicks_total", "clicks_human", "replied", "opted_out")


def _add_state(
    found: dict[str, int], state: str, messages: int, segments: int, credits: int
) -> None:
    found["audience"] += messages
    if state in STATES["accepted"]:
        found["accepted"] += messages
        found["segments"] += segments
        found["credits"] += credits
    if state != MessageState.ACCEPTED:
        found[state] += messages


def figures_sum(figures: Iterable[Figures]) -> Figures:
    """Several batches together; a person in two of them counts twice, as two messages do."""
    sums: dict[str, int] = defaultdict(int)
    for one in figures:
        for name in _NAMES:
            sums[name] += getattr(one, name)
    return Figures(**sums)


_NAMES = tuple(field.name for field in fields(Figures))


def reason_counts(batch_ids: Collection[int]) -> list[tuple[str, str, int]]:
    """(state, reason, messages) of batches where there is a reason, most first. One query."""
    rows = BatchTally.objects.filter(batch_id__in=batch_ids, messages__gt=0).exclude(reason="")
    counts = rows.values("state", "reason").annotate(count=Sum("messages"))
    return list(
        counts.order_by("-count", "state", "reason").values_list("state", "reason", "count")
    )


def batch_names(batch_ids: Iterable[int]) -> dict[int, str]:
    """What each batch is called in lists: its name, else what kind of send it was. One query."""
    rows = Batch.objects.filter(pk__in=set(batch_ids)).only("id", "name", "kind")
    return {batch.pk: batch.name or batch.get_kind_display() for batch in rows}
