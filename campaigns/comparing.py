"""Blasts held against each other: side by side on one scale, the best and the worst named.

Pure, over rows of `campaigns.selectors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from campaigns.opening import period_opens
from campaigns.reports import opened
from campaigns.selectors import BlastRow, sum_of
from common.charts import Chart, Role, Series
from common.templatetags.ui import num, percent
from messaging.opening import Opens
from messaging.selectors import Figures, NumberFigures
from messaging.selectors.figures import Rate

# Fewer people than this and a rate is chance: such a blast is drawn, but not called best or worst.
_SPEAKS: Final = 20
_BAR_PX: Final = 46


@dataclass(frozen=True)
class Multiple:
    """One small chart: the same rate of every blast."""

    key: str
    label: str
    chart: Chart


_RATES: Final[tuple[tuple[str, str, Role], ...]] = (
    ("delivery_rate", "Delivery", "delivered"),
    ("click_rate", "Click", "clicked"),
    ("response_rate", "Response", "replied"),
    ("unsubscribe_rate", "Unsubscribed", "unsubscribed"),
)


@dataclass(frozen=True)
class ByUser:
    """What one account user's blasts did together; `user` is None where they have left."""

    user: User | None
    blasts: int
    figures: Figures
    opens: Opens


@dataclass(frozen=True)
class ByNumber:
    """What went from one number in a period, and where the lists behind it open."""

    figures: NumberFigures
    opens: Opens


def by_number(figures: Sequence[NumberFigures], since: date, until: date) -> list[ByNumber]:
    """Figures of numbers with their lists, in the order given. No query."""
    return [ByNumber(one, period_opens(since, until, number=one.phone)) for one in figures]


def by_user(rows: Sequence[BlastRow], since: date, until: date) -> list[ByUser]:
    """Blasts of a period summed by who sent them, most people texted first. No query."""
    theirs: dict[int | None, list[BlastRow]] = {}
    for row in rows:
        if row.figures is not None:
            theirs.setdefault(row.blast.sent_by_id, []).append(row)
    summed = [
        ByUser(
            own[0].blast.sent_by,
            len(own),
            figures,
            period_opens(since, until, user_id=user_id, by_user=True),
        )
        for user_id, own in theirs.items()
        if (figures := sum_of(own)) is not None
    ]
    return sorted(summed, key=lambda one: -one.figures.audience)


def small_multiples(rows: Sequence[BlastRow]) -> list[Multiple]:
    """A chart for each rate, blasts from the oldest down, every chart from zero to a shared top.

    Delivery keeps a scale of its own (to 100 %); the other three share one, so that their bars may
    be compared across charts too.
    """
    if len(rows) < 2:
        return []
    top = max((_ratio(row, name) or 0 for row in rows for name, _, _ in _RATES[1:]), default=0)
    return [
        Multiple(name, label, _chart(rows, name, label, role, 1.0 if index == 0 else top or 1.0))
        for index, (name, label, role) in enumerate(_RATES)
    ]


def _chart(rows: Sequence[BlastRow], name: str, label: str, role: Role, top: float) -> Chart:
    return Chart(
        kind="rows",
        sentence=_sentence(rows, name),
        x=[row.blast.name for row in rows],
        series=[Series(label, role, [_ratio(row, name) for row in rows])],
        unit="%",
        x_name="Blast",
        height_px=len(rows) * _BAR_PX + 16,
        y_max=top,
        none_yet="None so far.",
        hrefs=[reverse("blast_report", args=[row.blast.pk]) for row in rows],
    )


def _sentence(rows: Sequence[BlastRow], name: str) -> str:
    speaking = [row for row in rows if _rate(row, name)[1] >= _SPEAKS]
    if len(speaking) < 2:
        return "Too few people to compare."
    ranked = sorted(speaking, key=lambda row: _ratio(row, name) or 0)
    low, high = ranked[0], ranked[-1]
    if _ratio(low, name) == _ratio(high, name):
        return f"The same in all: {percent(_ratio(high, name))}."
    return (
        f"From {percent(_ratio(low, name))} ({low.blast.name}) to"
        f" {percent(_ratio(high, name))} ({high.blast.name})."
    )


def answer(rows: Sequence[BlastRow], figures: Figures | None, opens: Opens) -> SafeString:
    """Did the campaign work, and which blast worked best?"""
    if figures is None:
        return SafeString("")
    words = format_html(
        "<strong>1 blast</strong> reached {1} of {2} people ({3})."
        if len(rows) == 1
        else "<strong>{0} blasts</strong> brought {1} of {2} texts to people's phones ({3}).",
        num(len(rows)),
        opened(figures.delivered, opens["delivered"]),
        opened(figures.delivery_rate[1], opens["asked"]),
        percent(figures.delivery_rate[2]),
    )
    speaking = [row for row in rows if _rate(row, "click_rate")[1] >= _SPEAKS]
    if len(speaking) < 2 or not figures.clicked:
        return words
    ranked = sorted(speaking, key=lambda row: _ratio(row, "click_rate") or 0)
    return format_html(
        "{} Best by clicks: <strong>{}</strong> ({}); worst: <strong>{}</strong> ({}).",
        words,
        ranked[-1].blast.name,
        percent(_ratio(ranked[-1], "click_rate")),
        ranked[0].blast.name,
        percent(_ratio(ranked[0], "click_rate")),
    )


def _rate(row: BlastRow, name: str) -> Rate:
    if row.figures is None or (name == "click_rate" and not row.has_link):
        return 0, 0, None
    rate: Rate = getattr(row.figures, name)
    return rate


def _ratio(row: BlastRow, name: str) -> float | None:
    return _rate(row, name)[2]
