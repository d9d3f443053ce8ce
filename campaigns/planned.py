"""Reads of what is to come: the calendar, series, approvals, and whom a draft would text when."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from accounts.models import Account, User
from campaigns.choices import ApprovalState, BlastState, SeriesState
from campaigns.composing import counting
from campaigns.models import Approval, Blast, Campaign, Series
from campaigns.planning import Plan
from campaigns.selectors import BlastRow, blast_rows, blasts_list
from common.clock import now
from contacts.models import Contact
from contacts.selectors import audience
from messaging.services import timing_people
from messaging.timetable import wall_moment


@dataclass(frozen=True)
class CalendarEntry:
    """A blast on a day of the calendar; `at` is aware, or naive on recipients' own clocks.

    `occurs_on` is the day of an occurrence that is to come, or was skipped (state "skipped"), and
    `first_at` when the first of its people have their turn.
    """

    at: datetime
    blast: Blast
    state: str
    words: str
    occurs_on: date | None = None
    first_at: datetime | None = None


def calendar_days(
    *, account: Account, first: date, last: date, campaign: Campaign | None = None
) -> dict[date, list[CalendarEntry]]:
    """What went out, is planned or will repeat, by day of the account's clock. Two queries.

    Args:
        account: The tenant.
        first, last: Days, both counted.
        campaign: Only its blasts.
    """
    zone = account.timezone
    begin = wall_moment(datetime.combine(first, time()), zone)
    end = wall_moment(datetime.combine(last + timedelta(days=1), time()), zone)
    blasts = blasts_list(account=account).filter(
        Q(batch__launched_at__gte=begin, batch__launched_at__lt=end)
        | Q(batch=None, scheduled_at__gte=begin, scheduled_at__lt=end)
        | Q(batch=None, local_on__gte=first, local_on__lte=last)
    )
    series = Series.objects.filter(
        Q(next_on__lte=last) | ~Q(skipped_on=[]), ~Q(state=SeriesState.DRAFT), account=account
    )
    if campaign is not None:
        blasts, series = blasts.filter(campaign=campaign), series.filter(blast__campaign=campaign)
    days: dict[date, list[CalendarEntry]] = {}
    for entry in [
        *map(_calendar_entry, blasts),
        *(
            _occurrence_entry(one, day)
            for one in series.select_related("blast", "account")
            for day in one.days_between(first, last)
        ),
    ]:
        days.setdefault(_clock(entry.at, zone).date(), []).append(entry)
    for entries in days.values():
        entries.sort(key=lambda entry: (_clock(entry.at, zone), entry.blast.pk))
    return days


def calendar_counts(days: Mapping[date, Sequence[CalendarEntry]]) -> dict[str, int]:
    """How many were `sent`, are `planned`, or are `drafts`."""
    states = Counter(entry.state for entries in days.values() for entry in entries)
    planned = states[BlastState.SCHEDULED] + states[SeriesState.RUNNING]
    return {
        "sent": states[BlastState.LAUNCHED],
        "planned": planned,
        "drafts": states[BlastState.DRAFT],
    }


def occurrences_to_come(
    days: Mapping[date, Sequence[CalendarEntry]],
) -> list[CalendarEntry]:
    """Of blasts that repeat, the skipped ones too, the next first; none whose time has passed."""
    moment = now()
    return [
        entry
        for day in sorted(days)
        for entry in days[day]
        if entry.first_at is not None and entry.first_at >= moment
    ]


def blasts_movable(*, account: Account, most: int) -> QuerySet[Blast]:
    """What another day can be chosen for: schedules and planned drafts, the next first."""
    waiting = blasts_list(account=account).filter(
        Q(scheduled_at__isnull=False) | Q(local_on__isnull=False),
        state__in=(BlastState.SCHEDULED, BlastState.DRAFT),
    )
    return waiting.order_by("scheduled_at", "local_on", "pk")[:most]


def _calendar_entry(blast: Blast) -> CalendarEntry:
    at = blast.batch.launched_at if blast.batch else blast.wall or blast.scheduled_at
    words = _words(blast, is_local=blast.wall is not None)
    return CalendarEntry(at or blast.created_at, blast, blast.state, words)


def _occurrence_entry(series: Series, day: date) -> CalendarEntry:
    first_at = series.moment_on(day)
    at = series.wall_on(day) if series.is_local else first_at
    if day in series.skipped_on:
        return CalendarEntry(at, series.blast, "skipped", "Skipped", day, first_at)
    words = _words(series, is_local=series.is_local)
    return CalendarEntry(at, series.blast, series.state, words, day, first_at)


def _words(thing: Blast | Series, *, is_local: bool) -> str:
    words = thing.get_state_display()
    return f"{words}, local time" if is_local else words


def _clock(at: datetime, zone: str) -> datetime:
    """What a clock shows then, naive."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if at.tzinfo else at


def series_open(*, account: Account, most: int = 10) -> QuerySet[Series]:
    """Blasts that repeat and those that are paused, the next to go out first. One query."""
    found = Series.objects.filter(
        account=account, state__in=(SeriesState.RUNNING, SeriesState.PAUSED)
    )
    return found.select_related("blast__campaign").order_by("next_at", "pk")[:most]


def occurrence_rows(*, series: Series, most: int) -> list[BlastRow]:
    """The occurrences that were made, newest first, with their figures."""
    return blast_rows(
        blasts_list(account=series.account).filter(series=series).order_by("-occurrence_on")[:most]
    )


def approval_latest(*, blast: Blast) -> Approval | None:
    """The newest request for a second person's approval, with who asked and decided. One query."""
    return (
        Approval.objects.filter(blast=blast)
        .select_related("account", "blast", "requested_by", "decided_by")
        .order_by("-pk")
        .first()
    )


def approvals_waiting(*, account: Account, user: User | None = None) -> QuerySet[Approval]:
    """Requests that nobody has answered, unordered (page them by key).

    Args:
        account: The tenant.
        user: Only those that this person may decide: of blasts they neither wrote nor asked for.
    """
    waiting = Approval.objects.filter(
        account=account,
        state=ApprovalState.REQUESTED,
        blast__state__in=(BlastState.DRAFT, BlastState.FAILED, BlastState.REPEATING),
    ).select_related("blast__campaign", "blast__repeats", "requested_by")
    if user is not None:
        waiting = waiting.exclude(
            Q(requested_by=user) | Q(blast__created_by=user) | Q(blast__written_by=user)
        )
    return waiting


def draft_people(
    *,
    account: Account,
    body: str,
    group_ids: Sequence[int],
    plan: Plan,
    reason: str | None = None,
    until: datetime | None = None,
    is_capped: bool = False,
    before: int | None = None,
    size: int = 50,
) -> list[Contact]:
    """The people behind a number of a draft's estimate, newest first.

    Args:
        account: The tenant.
        body: The draft's text.
        group_ids: Whom it is for.
        plan: When it is meant to go out; a moment that has passed is now.
        reason: Only who is not texted for this `Reason`; None for who is texted.
        until: Of those, who waits until then; None for who does not wait.
        is_capped: Of those, who waits because of the account's cap on blasts.
        before: Only contacts with a lower id.
        size: How many at most.

    Raises:
        TemplateError: the text cannot be sent as it is.
        AudienceTooLong: finding them takes longer than a page may.
    """
    with counting():
        return timing_people(
            account=account,
            body=body,
            audience=audience(account=account, group_ids=group_ids),
            reason=reason,
            until=until,
            is_capped=is_capped,
            start=plan.start(now()),
            wall=plan.wall,
            before=before,
            size=size,
        )
