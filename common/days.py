"""Days as addresses name them (`?from=2026-03-01`), and the moments at which they begin."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_date

# Days that every zone can begin and end.
_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2100, 1, 1)


def day_read(text: str) -> date | None:
    """The day that a text names as YYYY-MM-DD; None for what is none or is far from now."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day and _FIRST <= day <= _LAST else None


def days_between(first: str, last: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The first day's beginning and the last one's end; None for what names no day."""
    begins, ends = day_read(first), day_read(last)
    return _midnight(begins, zone), _midnight(ends + timedelta(days=1) if ends else None, zone)


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time.min, tzinfo=zone) if day else None
