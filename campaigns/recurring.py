"""Rules of blasts that repeat: on which days, and in words. Pure: no database, no clock.

Days are dateutil's (RFC 5545), with one addition: a day that a month does not have is its last.
The moment on a day is `messaging.timetable.wall_moment`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import islice
from typing import Final, Literal

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule

from campaigns.choices import Every

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
INTERVAL_LIMIT: Final = 52
COUNT_LIMIT: Final = 1000
_FREQUENCIES: Final[dict[Every, Literal[1, 2, 3]]] = {
    Every.DAY: DAILY,
    Every.WEEK: WEEKLY,
    Every.MONTH: MONTHLY,
}
# Every month has as many days.
_SURE_DAYS: Final = 28


@dataclass(frozen=True)
class Rule:
    """On which days, and at what time of day.

    Attributes:
        every: Unit of the interval.
        at: Time of day, of the account's clock.
        starts_on: The first day that counts; of months its day is the one that is repeated.
        interval: Each how manieth day, week or month.
        weekdays: Of weeks, Monday is 0; none for the weekday of `starts_on`.
        ends_on: The last day that counts; None for no end.
        count: So many times, skipped ones too; None for no end.
        is_local: Whether `at` is on the clock of each recipient instead.
    """

    every: str
    at: time
    starts_on: date
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    ends_on: date | None = None
    count: int | None = None
    is_local: bool = False

    @property
    def weekdays_meant(self) -> tuple[int, ...]:
        """Of weeks, the weekdays that are ticked, in their order, else that of the first day."""
        return tuple(sorted(set(self.weekdays))) or (self.starts_on.weekday(),)

    @property
    def has_end(self) -> bool:
        """Whether it comes a number of times, which its first day decides too."""
        return self.count is not None or self.ends_on is not None

    def days(self, *, since: date | None = None) -> Iterator[date]:
        """The days in order, those before `since` left out."""
        begin = datetime.combine(self.starts_on, time())
        until = datetime.combine(self.ends_on, time()) if self.ends_on else None
        weekly = self.every == Every.WEEK
        monthly = self.every == Every.MONTH
        day = self.starts_on.day
        found = rrule(
            _FREQUENCIES[Every(self.every)],
            dtstart=begin,
            interval=self.interval,
            until=until,
            count=self.count,
            byweekday=self.weekdays_meant if weekly else None,
            # The last of those that the month has.
            bymonthday=range(min(day, _SURE_DAYS), day + 1) if monthly else None,
            bysetpos=-1 if monthly else None,
        )
        start = datetime.combine(max(since or self.starts_on, self.starts_on), time())
        return (moment.date() for moment in found.xafter(start, inc=True))

    def next_day(self, *, since: date) -> date | None:
        """The first day not before `since`; None after the end."""
        return next(self.days(since=since), None)

    def days_between(self, first: date, last: date, *, most: int = 100) -> list[date]:
        """The days from `first` to `last`, both counted, `most` at most."""
        found: list[date] = []
        for day in islice(self.days(since=first), most):
            if day > last:
                break
            found.append(day)
        return found

    def anew(self, *, since: date) -> "Rule":
        """The same rule for another run, which begins at its first day not before `since`.

        Of months that is one that has the day itself, so that it stays the one repeated. A last
        day that has passed by then is left out.
        """
        endless = replace(self, ends_on=None, count=None)
        monthly = self.every == Every.MONTH
        starts_on = next(
            day for day in endless.days(since=since) if not monthly or day.day == self.starts_on.day
        )
        is_over = self.ends_on is not None and self.ends_on < starts_on
        return replace(self, starts_on=starts_on, ends_on=None if is_over else self.ends_on)

    def words(self) -> str:
        """ "Every 2 weeks on Monday and Thursday at 10:00, until 24 Dec 2026"."""
        unit = Every(self.every).label.lower()
        often = f"Every {unit}" if self.interval == 1 else f"Every {self.interval} {unit}s"
        if self.every == Every.WEEK:
            days = [WEEKDAYS[day] for day in self.weekdays_meant]
            often += f" on {_listed(days)}"
        if self.every == Every.MONTH:
            day = self.starts_on.day
            often += f" on day {day}" + (" or its last" if day > _SURE_DAYS else "")
        often += f" at {self.at:%H:%M}"
        if self.is_local:
            often += " on the clock of each recipient"
        if self.ends_on:
            often += f", until {self.ends_on.day} {self.ends_on:%b %Y}"
        if self.count:
            often += f", {self.count} time{'s' if self.count > 1 else ''}"
        return often


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
