"""A claimed window made ready: through the gate, rendered, counted, within the sender's rate.

Owns `prepare`. No network but Redis', no transaction open. What may not go now is sorted into
skipped (never), held (later, in allowed hours) and left (as soon as the rate allows).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from common.clock import now
from messaging import rate
from messaging.budget import Rooms
from messaging.choices import Reason
from messaging.content import Content, link_codes
from messaging.gate import Hours, Policy, skip_reason
from messaging.rendering import BODY_LIMIT
from messaging.sending.batches import BatchInfo
from messaging.sending.daycap import day_take
from messaging.sending.lanes import look_again
from messaging.sending.leases import Item, Lease, Window


@dataclass(slots=True)
class Progress:
    """What is becoming of one lease's recipients while its window is open.

    Attributes:
        lease: The range.
        left_no: The first recipient that was not dealt with; None when all were.
        held_no: The first that was put off on purpose, in this window or earlier in the pass.
        held_until: When those put off may be tried again.
    """

    lease: Lease
    left_no: int | None = None
    held_no: int | None = None
    held_until: datetime | None = None

    def leave(self, no: int) -> None:
        """Recipient `no` was not dealt with."""
        if self.left_no is None or no < self.left_no:
            self.left_no = no

    def hold(self, no: int, until: datetime) -> None:
        """Recipient `no` waits until then; the earliest of several decides."""
        if self.held_no is None or no < self.held_no:
            self.held_no = no
        if self.held_until is None or until < self.held_until:
            self.held_until = until


@dataclass(slots=True)
class Prepared:
    """A window, sorted.

    Attributes:
        window: What was claimed.
        progress: One a lease, in the same order.
        sends: Who may be asked for now; their tokens are taken.
        skips: Who is not texted, and why.
    """

    window: Window
    progress: list[Progress]
    sends: list[tuple[Progress, Item]] = field(default_factory=list)
    skips: list[tuple[Progress, Item, str]] = field(default_factory=list)

    def put_off(self, progress: Progress, item: Item, until: datetime, why: str) -> None:
        """This person waits until then, or is skipped for `why` where the batch ends before."""
        if progress.lease.batch.rules.is_over(until):
            self.skips.append((progress, item, why))
        else:
            progress.hold(item.no, until)


def prepare(window: Window) -> Prepared:
    """Sort a window's recipients and take the tokens of those that go.

    Raises:
        LimiterAway: Redis does not answer. Nothing may be sent; the leases are to be given back.
    """
    prepared = Prepared(
        window,
        [Progress(lease, None, lease.held_no, lease.held_until) for lease in window.leases],
    )
    at = now()
    hours: dict[Policy, Hours] = {}
    ready: list[tuple[Progress, list[Item]]] = []
    for progress in prepared.progress:
        rules = progress.lease.batch.rules
        open_hours = hours.setdefault(rules, Hours(rules, at))
        ready.append((progress, _gated(prepared, progress, open_hours, at)))
    _render([(progress.lease.batch, items) for progress, items in ready])
    by_sender: dict[int, list[tuple[Progress, Item]]] = defaultdict(list)
    for progress, items in ready:
        for item in items:
            reason = _unsendable(item, progress.lease.batch.content)
            if reason:
                prepared.skips.append((progress, item, reason))
            else:
                by_sender[progress.lease.batch.sender_id].append((progress, item))
    _spare(window, by_sender)
    for waiting, granted in zip(by_sender.values(), _granted(by_sender), strict=True):
        prepared.sends += _within_budget(window.rooms, waiting[:granted])
        for progress, item in waiting[granted:]:
            progress.leave(item.no)
    return prepared


def _spare(window: Window, by_sender: Mapping[int, Sequence[object]]) -> None:
    """Whoever does not go uses none of a sender's rate, so it need not be waited for."""
    claimed = Counter(lease.batch.sender_id for lease in window.leases for _ in lease.items)
    spared = [
        sender_id for sender_id, n in claimed.items() if len(by_sender.get(sender_id, ())) < n
    ]
    if spared:
        look_again(sorted(spared))


def _within_budget(
    rooms: Rooms, granted: list[tuple[Progress, Item]]
) -> list[tuple[Progress, Item]]:
    """Those that a lowered budget has room for, in order; the others are left."""
    if not rooms.by_batch:
        return granted
    going = []
    for progress, item in granted:
        batch = progress.lease.batch
        cost = batch.prices.credits(item.phone, item.segments) if batch.is_charged else 0
        if rooms.take(batch.id, cost):
            going.append((progress, item))
        else:
            progress.leave(item.no)
    return going


def _gated(prepared: Prepared, progress: Progress, hours: Hours, at: datetime) -> list[Item]:
    rules = progress.lease.batch.rules
    caps = prepared.window.caps
    ready: list[Item] = []
    for item in progress.lease.items:
        reason = skip_reason(
            rules,
            is_opted_out=item.is_opted_out,
            consent=item.consent,
            is_deleted=item.is_deleted,
            at=at,
        )
        if reason:
            prepared.skips.append((progress, item, reason))
            continue
        until, why = hours.held_until(item.phone, item.timezone), Reason.QUIET_HOURS_MISSED
        if until is None:
            until = caps.held_until(rules, progress.lease.batch.account_id, item.phone, at)
            why = Reason.CAPPED
        if until is None:
            ready.append(item)
        else:
            prepared.put_off(progress, item, until, why)
    return ready


def _render(window: list[tuple[BatchInfo, list[Item]]]) -> None:
    """Give all items of a window their texts."""
    groups = [([item.no for item in items], batch.link_ids) for batch, items in window]
    for (batch, items), codes in zip(window, link_codes(groups), strict=True):
        merges = [item.merge for item in items]
        texts = batch.content.texts(merges, codes)
        wires = batch.content.wires(merges, codes, batch.gateway.encode)
        for item, text, wire in zip(items, texts, wires, strict=True):
            item.text, item.wire = text, wire
            item.segments = batch.content.segments(text)


def _unsendable(item: Item, content: Content) -> str:
    if len(item.text) > BODY_LIMIT:
        return Reason.TOO_LONG
    return Reason.BLANK_FIELD if content.is_blank(item.text) else ""


def _granted(by_sender: dict[int, list[tuple[Progress, Item]]]) -> list[int]:
    """How many of each sender's messages, in order, its rate and its daily cap allow now.

    The cap is asked last: a day is long, and what its rate does not let go now must not count.
    """
    if not by_sender:
        return []
    batches = [waiting[0][0].lease.batch for waiting in by_sender.values()]
    sizes = [[item.segments for _, item in waiting] for waiting in by_sender.values()]
    granted = rate.take(
        [
            rate.Wanted(batch.sender_id, batch.rate_per_s, own)
            for batch, own in zip(batches, sizes, strict=True)
        ]
    )
    return [
        n if batch.daily_cap is None or not n else day_take(batch, own[:n])
        for batch, own, n in zip(batches, sizes, granted, strict=True)
    ]
