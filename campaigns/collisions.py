"""Planned blasts that would text people more often than the account allows, seen ahead.

Owns which plans are looked at and in which order; whom they would crowd is counted by
`messaging.services.people_crowded`. Drafts are no plans yet: nobody decided to send them.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.contrib.humanize.templatetags.humanize import ordinal
from django.db.models import QuerySet
from django.utils.timezone import localdate

from accounts.models import Account
from campaigns.choices import BlastState, SeriesState
from campaigns.models import Blast
from campaigns.planned import CalendarEntry, calendar_days
from common.clock import now
from common.errors import DomainError
from contacts.models import Contact
from contacts.selectors import audience
from messaging.services import people_crowded
from messaging.timetable import wall_moment

_PLANNED = (BlastState.SCHEDULED, SeriesState.RUNNING)
# Each is a query over its audience: of a busy month the first ones say enough.
_MOST = 8


@dataclass(frozen=True)
class Crowd:
    """People of a planned blast for whom it would be one too many."""

    entry: CalendarEntry
    people: int
    which: str


def crowds(*, account: Account, first: date, last: date) -> list[Crowd]:
    """The plans of these days that crowd somebody, the earliest first; none without a cap.

    One query each for the first of them, besides those of the calendar and their groups.
    """
    if not account.cap_texts:
        return []
    days = calendar_days(account=account, first=localdate(), last=last)
    span, moment = timedelta(days=account.cap_days), now()
    earlier: list[tuple[datetime, QuerySet[Contact]]] = []
    found: list[Crowd] = []
    looked = 0
    for day in sorted(days):
        for entry in days[day]:
            at = entry.at if entry.at.tzinfo else wall_moment(entry.at, account.timezone)
            if entry.state not in _PLANNED or at < moment:
                continue
            people = _people(account, entry.blast)
            if day >= first and looked < _MOST:
                looked += 1
                before = [one for then, one in earlier if then > at - span]
                found += _crowd(account, entry, at, people, before)
            earlier.append((at, people))
    return found


def _people(account: Account, blast: Blast) -> QuerySet[Contact]:
    return audience(account=account, group_ids=list(blast.groups.values_list("pk", flat=True)))


def _crowd(
    account: Account,
    entry: CalendarEntry,
    at: datetime,
    people: QuerySet[Contact],
    earlier: list[QuerySet[Contact]],
) -> list[Crowd]:
    try:
        counts = people_crowded(
            account=account, body=entry.blast.body, audience=people, at=at, earlier=earlier
        )
    except DomainError:  # its page says what is wrong with its text
        return []
    if not counts:
        return []
    which = f"{ordinal(min(counts))}{' or a later' if len(counts) > 1 else ''}"
    return [Crowd(entry, sum(counts.values()), which)]
