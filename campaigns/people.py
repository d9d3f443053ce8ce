"""The list of people behind the figures of a report: its buttons, its reasons, what is kept of it.

Pure. Which rows a list holds is `messaging.listing`'s, how many `messaging.selectors.counting`'s;
here stand the lists that reports offer.
"""

from dataclasses import dataclass, replace
from typing import Final

from messaging.choices import Reason
from messaging.listing import EVERYTHING, ListFilter, listing_read
from messaging.selectors import Figures
from messaging.selectors.counting import ReasonCounts, known_count, reasons_of

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


def reasons(counts: ReasonCounts, chosen: ListFilter) -> list[tuple[str, str, int]]:
    """(reason, its words, messages) that the list may be narrowed to, most first."""
    merged = {chosen.reason: 0} if chosen.reason else {}
    for _, reason, count in reasons_of(counts, chosen.show):
        merged[reason] = merged.get(reason, 0) + count
    ranked = sorted(merged.items(), key=lambda one: -one[1])
    return [(reason, Reason(reason).label, count) for reason, count in ranked]


def group_name(name: str, chosen: ListFilter) -> str:
    """What a group of a list might be called."""
    words = chosen.words if chosen != EVERYTHING else ["all"]
    return f"{name}: {', '.join(words).lower()}"[:80]
