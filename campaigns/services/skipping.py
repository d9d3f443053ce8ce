"""Single occurrences of a blast that repeats: left out, and brought back.

Owns `Series.skipped_on`. A skipped day counts among "so many times", stays skipped whatever becomes
of the rule, and is forgotten once a later occurrence went out or somebody ended the series.
"""

from datetime import date, timedelta
from typing import Final

from django.db import transaction

from accounts.models import Account, User
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import OccurrenceFar, OccurrenceGone, OccurrenceSent, SeriesOver
from campaigns.models import Series
from campaigns.services.series import series_audit, series_locked
from common.clock import now

# As far ahead as anything is scheduled.
_AHEAD: Final = timedelta(days=366)
_GOING: Final = (BlastState.SCHEDULED, BlastState.LAUNCHED)


@transaction.atomic
def series_skip(
    *, account: Account, actor: User | None, series: Series, day: date | None = None
) -> Series:
    """Leave an occurrence out: of `day`, or the next one. Skipping a day twice skips it once.

    Where no other is to come the series has ended, until one that is skipped is brought back.

    Raises:
        SeriesOver: it was ended.
        OccurrenceSent: that of the day went out or is going out.
        OccurrenceFar: it is more than a year ahead.
        OccurrenceGone: nothing goes out on that day.

    Locks: the blast's row, then the series'.
    """
    series = series_locked(account, series)
    day = day or series.next_on
    if day in series.skipped_on:
        return series
    if day is None:
        raise SeriesOver
    _require_open(series, day)
    if day > now().date() + _AHEAD:
        raise OccurrenceFar
    if day not in series.days_between(day, day):
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

    Where it was the last one, the series that ended without it runs again.

    Raises:
        SeriesOver: it was ended.
        OccurrenceSent: that of the day went out or is going out.
        OccurrenceGone: its time has passed, or it is no day of the rule any more.

    Locks: the blast's row, then the series'.
    """
    series = series_locked(account, series)
    is_skipped = day in series.skipped_on
    if not is_skipped:
        _require_open(series, day)
    at = series.moment_on(day)
    # Of one that runs beat may be a moment behind.
    is_late = at < now() and (is_skipped or series.state == SeriesState.PAUSED)
    if is_late or day not in series.days_between(day, day):
        raise OccurrenceGone
    if not is_skipped:
        return series
    series.skipped_on = [skipped for skipped in series.skipped_on if skipped != day]
    if series.next_on is None or day < series.next_on:
        series.next_on, series.next_at = day, at
    if series.state == SeriesState.ENDED:
        series.state = SeriesState.RUNNING
    series.save()
    series_audit(account, actor, "series.brought_back", series, day=day.isoformat())
    return series


def _require_open(series: Series, day: date) -> None:
    if series.occurrences.filter(occurrence_on=day, state__in=_GOING).exists():
        raise OccurrenceSent
    if series.state not in (SeriesState.RUNNING, SeriesState.PAUSED):
        raise SeriesOver
