"""Single occurrences of a blast that repeats: left out, and brought back.

Owns `Series.skipped_on`. A skipped day counts among "so many times", stays skipped whatever becomes
of the rule, and is forgotten once a later occurrence went out.
"""

from datetime import date, timedelta
from typing import Final

from django.db import transaction

from accounts.models import Account, User
from campaigns.choices import SeriesState
from campaigns.errors import OccurrenceGone, SeriesOver
from campaigns.models import Series
from campaigns.services.series import series_audit, series_locked
from common.clock import now

# As far ahead as anything is scheduled.
_AHEAD: Final = timedelta(days=366)


@transaction.atomic
def series_skip(
    *, account: Account, actor: User | None, series: Series, day: date | None = None
) -> Series:
    """Leave an occurrence out: of `day`, or the next one. Skipping a day twice skips it once.

    Where no other is to come the series has ended.

    Raises:
        SeriesOver: it was ended.
        OccurrenceGone: nothing goes out on that day, or it is more than a year ahead.

    Locks: the blast's row, then the series'.
    """
    series = _open(account, series)
    day = day or series.next_on
    if day is None or day in series.skipped_on:
        return series
    is_far = day > now().date() + _AHEAD
    if is_far or day not in series.days_between(day, day):
        raise OccurrenceGone
    series.skipped_on = sorted([*series.skipped_on, day])
    if day == series.next_on:
        series.move_on(after=day)
    series.save()
    series_audit(account, actor, "series.skipped", series, day=day.isoformat())
    return series


@transaction.atomic
def series_unskip(*, account: Account, actor: User | None, series: Series, day: date) -> Series:
    """Let a skipped occurrence go out after all. Bringing it back twice does so once.

    Raises:
        SeriesOver: it was ended.
        OccurrenceGone: its time has passed.

    Locks: the blast's row, then the series'.
    """
    series = _open(account, series)
    if day not in series.skipped_on:
        return series
    at = series.moment_on(day)
    if at < now():
        raise OccurrenceGone
    series.skipped_on = [skipped for skipped in series.skipped_on if skipped != day]
    is_of_rule = series.rule.next_day(since=day) == day
    if is_of_rule and series.next_on is not None and day < series.next_on:
        series.next_on, series.next_at = day, at
    series.save()
    series_audit(account, actor, "series.brought_back", series, day=day.isoformat())
    return series


def _open(account: Account, series: Series) -> Series:
    series = series_locked(account, series)
    if series.state not in (SeriesState.RUNNING, SeriesState.PAUSED):
        raise SeriesOver
    return series
