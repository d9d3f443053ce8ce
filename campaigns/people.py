"""The list of people behind the figures of a report: its buttons, its reasons, what is kept of it.

Pure. Which rows a list holds is `messaging.listing`'s; here stand the lists that reports offer and
the counts of them that need no reading of messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from messaging.choices import Reason
from messaging.listing import EVERYTHING, STATES, ListFilter, listing_read
from messaging.selectors import Figures

# The lists that have a button of their own, in the order shown.
SHOWS: Final = (
    ("all", "All"),
    ("delivered", "Delivered"),
    ("clicked", "Clicked"),
    ("replied", "Replied"),
    ("opted_out", "Left"),
    ("failed", "Not delivered"),
    ("skipped", "Not texted"),
    ("waiting", "Waiting"),
)
ReasonCounts = Sequence[tuple[str, str, int]]


@dataclass(frozen=True)
class Button:
    """One list of people: `show` in the address, how many they are, whether it is open."""

    show: str
    label: str
    count: int
    is_open: bool


def buttons(figures: Figures, chosen: ListFilter) -> list[Button]:
    """The lists that are one tap away, from kept counts."""
    bare = replace(chosen, search="")
    lists = [(show, label, listing_read({"show": show})) for show, label in SHOWS]
    return [
        Button(show, label, known_count(figures, (), one) or 0, bare == one)
        for show, label, one in lists
    ]


def known_count(figures: Figures, counts: ReasonCounts, chosen: ListFilter) -> int | None:
    """How many messages a list holds, where kept counts say it; None where they must be counted."""
    if not chosen:
        return figures.audience
    if chosen.show and chosen == ListFilter(show=chosen.show):
        return _in_states(figures, chosen.show)
    if chosen.reason and chosen == ListFilter(show=chosen.show, reason=chosen.reason):
        of_states = _of(counts, chosen.show)
        return sum(count for _, reason, count in of_states if reason == chosen.reason)
    did = {
        ListFilter(clicked="yes"): figures.clicked,
        ListFilter(clicked="hit"): figures.hit,
        ListFilter(replied="yes"): figures.replied,
        ListFilter(left="yes"): figures.opted_out,
    }
    return did.get(chosen)


def _in_states(figures: Figures, show: str) -> int:
    ended = figures.delivered + figures.undelivered + figures.failed
    return {
        "accepted": figures.accepted,
        "delivered": figures.delivered,
        "waiting": figures.pending + figures.unknown + figures.accepted - ended,
        "failed": figures.undelivered + figures.failed + figures.refused,
        "skipped": figures.skipped,
    }[show]


def reasons(counts: ReasonCounts, chosen: ListFilter) -> list[tuple[str, str, int]]:
    """(reason, its words, messages) that the list may be narrowed to, most first."""
    merged = {chosen.reason: 0} if chosen.reason else {}
    for _, reason, count in _of(counts, chosen.show):
        merged[reason] = merged.get(reason, 0) + count
    ranked = sorted(merged.items(), key=lambda one: -one[1])
    return [(reason, Reason(reason).label, count) for reason, count in ranked]


def _of(counts: ReasonCounts, show: str) -> ReasonCounts:
    """The counts of the states under one word; all of them without one."""
    return [one for one in counts if not show or one[0] in STATES[show]]


def group_name(name: str, chosen: ListFilter) -> str:
    """What a group of a list might be called."""
    words = chosen.words if chosen != EVERYTHING else ["all"]
    return f"{name}: {', '.join(words).lower()}"[:80]
