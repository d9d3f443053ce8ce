"""What happened after a blast, as a picture: deliveries, clicks and replies, counted up over time.

Pure, over `messaging.selectors.Activity`. Curves are cumulative, because thousands of deliveries in
the first minutes would hide the clicks of the days after.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.utils.timezone import localtime

from common.charts import Chart, Role, Series
from common.clock import now
from common.templatetags.ui import num
from common.templatetags.ui import zone as zone_name
from messaging.opening import Opens
from messaging.selectors import Activity
from messaging.selectors.activity import MINUTES_LAST, Unit

_LENGTH: Mapping[Unit, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}

_CURVES: Sequence[tuple[str, Role, Callable[[Activity], int]]] = (
    ("delivered", "delivered", lambda slot: slot.delivered),
    ("clicked", "clicked", lambda slot: slot.clicked),
    ("replied", "replied", lambda slot: slot.replied),
)

# Half of fewer people than this says nothing.
_SPEAKS = 10

_ROUGHLY = ((1440, "a day", "days"), (60, "an hour", "hours"), (1, "a minute", "minutes"))


def unit_for(launched_at: datetime) -> Unit:
    """How finely a blast's report tells time: minutes on its first hours, then hours."""
    return "minute" if now() - launched_at < MINUTES_LAST else "hour"


def over_time(
    slots: Sequence[Activity],
    *,
    launched_at: datetime,
    unit: Unit,
    zone: str,
    half_delivered: timedelta | None = None,
) -> Chart:
    """The curves of one blast, from its launch on; each slot counts at its end.

    `half_delivered` is how long half of the deliveries took, where that was looked up: slots are
    too coarse to say it, since most arrive within the first.
    """
    start = localtime(launched_at).replace(microsecond=0)
    end = localtime(now()).replace(microsecond=0)
    times = [start, *(min(max(slot.at + _LENGTH[unit], start), end) for slot in slots)]
    series = []
    for name, role, count in _CURVES:
        total, values = 0, [0]
        for slot in slots:
            total += count(slot)
            values.append(total)
        if total or role != "replied":
            series.append(Series(name, role, values))
    return Chart(
        kind="line",
        sentence=_sentence(slots, start, _LENGTH[unit], half_delivered),
        x=[f"{time:%a} {time.day} {time:%b %H:%M}" for time in times],
        series=series,
        unit="people",
        zone=zone_name(zone),
        none_yet="Nothing has arrived yet. The curves begin with the first delivery.",
        height_px=260,
        times=times,
    )


def _sentence(
    slots: Sequence[Activity],
    start: datetime,
    length: timedelta,
    half_delivered: timedelta | None,
) -> str:
    words = []
    if half_delivered is not None and sum(map(_CURVES[0][2], slots)) >= _SPEAKS:
        words.append(f"half of the deliveries arrived within {_rough(half_delivered)}")
    clicked = _half_after(slots, start, length, _CURVES[1][2])
    if clicked is not None:
        words.append(f"half of those who clicked did so within {_rough(clicked)}")
    if not words:
        return ""
    sentence = "; ".join(words) + "."
    return sentence[0].upper() + sentence[1:]


def _half_after(
    slots: Sequence[Activity],
    start: datetime,
    length: timedelta,
    count: Callable[[Activity], int],
) -> timedelta | None:
    """By the end of which slot, counted from `start`, half had happened; None for a few."""
    whole = sum(map(count, slots))
    if whole < _SPEAKS:
        return None
    total = 0
    for slot in slots:
        total += count(slot)
        if total * 2 >= whole:
            return max(slot.at + length - start, length)
    return None


def _rough(span: timedelta) -> str:
    seconds = max(math.ceil(span.total_seconds()), 1)
    if seconds < 60:
        return f"{seconds} seconds" if seconds > 1 else "a second"
    minutes = round(seconds / 60)
    for size, one, several in _ROUGHLY:
        if minutes >= size:
            count = round(minutes / size)
            return f"{count} {several}" if count > 1 else one
    return _ROUGHLY[-1][1]


def by_day(slots: Sequence[Activity], dates: Sequence[date], opens: Opens, *, zone: str) -> Chart:
    """Deliveries by day, days without any as zero."""
    at = {slot.at.date(): slot for slot in slots}
    values = [at[day].delivered if day in at else 0 for day in dates]
    best = max(range(len(dates)), key=values.__getitem__)
    return Chart(
        kind="bar",
        sentence=f"The busiest day was {_day(dates[best])}, with {num(values[best])} delivered."
        if values[best]
        else "",
        x=[_day(day) for day in dates],
        series=[Series("delivered", "delivered", values, _lists(opens, "delivered", dates))],
        unit="texts",
        x_name="Day",
        zone=zone_name(zone),
        none_yet="No text was delivered in this time.",
        height_px=220,
    )


def reactions_by_day(
    slots: Sequence[Activity], dates: Sequence[date], opens: Opens, *, zone: str
) -> Chart:
    """First clicks and first replies by day, days without any as zero."""
    at = {slot.at.date(): slot for slot in slots}
    clicked = [at[day].clicked if day in at else 0 for day in dates]
    replied = [at[day].replied if day in at else 0 for day in dates]
    return Chart(
        kind="bar",
        sentence=f"{num(sum(clicked))} clicked and {num(sum(replied))} replied to these blasts.",
        x=[_day(day) for day in dates],
        series=[
            Series("clicked", "clicked", clicked, _lists(opens, "clicked", dates)),
            Series("replied", "replied", replied, _lists(opens, "replied", dates)),
        ],
        unit="people",
        x_name="Day",
        zone=zone_name(zone),
        none_yet="Nobody clicked or replied in this time.",
        height_px=220,
    )


def _lists(opens: Opens, what: str, dates: Sequence[date]) -> list[str]:
    return [opens.on_day(what, day.isoformat()) for day in dates]


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
