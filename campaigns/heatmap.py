"""The hour-of-week map of the overview: when people are reached, click and reply.

Pure, over counts of `messaging.selectors.activity_by_hour`. The map is its own table: every cell
says its number, and its shade only repeats it.
"""

from calendar import day_name
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from common.templatetags.ui import num
from messaging.opening import Opens

# What the map may show, and the words of its buttons and sentence.
SHOWS: Final[Mapping[str, tuple[str, str]]] = {
    "clicked": ("Clicked", "clicks"),
    "replied": ("Replied", "replies"),
    "delivered": ("Delivered", "deliveries"),
}
_LEVELS: Final = 4


@dataclass(frozen=True)
class Cell:
    """One hour of the week; `level` 0 (nothing) to 4 (at least three quarters of the most).

    `href` is the list of its people.
    """

    hour: int
    people: int
    level: int
    href: str


@dataclass(frozen=True)
class Day:
    """One weekday, its 24 hours in order."""

    name: str
    cells: list[Cell]


@dataclass(frozen=True)
class HeatMap:
    """The map of one thing people did, with its sentence; no days where nothing happened."""

    show: str
    sentence: str
    days: list[Day]


def heat_map(
    counts: Mapping[str, Mapping[tuple[int, int], int]], show: str, opens: Opens
) -> HeatMap:
    """The map of what `show` names, one of `SHOWS`; anything else shows clicks."""
    show = show if show in SHOWS else next(iter(SHOWS))
    people = counts[show]
    most = max(people.values(), default=0)
    if most <= 0:
        return HeatMap(show, f"No {SHOWS[show][1]} in this time.", [])
    days = [
        Day(
            name,
            [
                _cell(
                    hour,
                    people.get((weekday, hour), 0),
                    most,
                    opens.in_hour(show, weekday, hour),
                )
                for hour in range(24)
            ],
        )
        for weekday, name in enumerate(day_name, 1)
    ]
    return HeatMap(show, _sentence(people, most, SHOWS[show][1]), days)


def _cell(hour: int, people: int, most: int, href: str) -> Cell:
    return Cell(hour, people, -(-people * _LEVELS // most) if people > 0 else 0, href)


def _sentence(people: Mapping[tuple[int, int], int], most: int, words: str) -> str:
    weekday, hour = min(slot for slot, count in people.items() if count == most)
    return (
        f"Most {words} came on {day_name[weekday - 1]}s from {hour:02}:00 to"
        f" {(hour + 1) % 24:02}:00: {num(most)} of {num(sum(people.values()))}."
    )
