"""The calendar: what went out, what is planned and what repeats, by month or week."""

from calendar import Calendar
from dataclasses import dataclass
from datetime import date, time, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date, parse_time
from django.utils.timezone import localdate
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, selectors, services
from campaigns.collisions import crowds
from campaigns.models import Blast, Campaign
from common.errors import DomainError
from common.text import whole_number

# Beyond these years a month is a typing error.
_YEARS = range(2000, 2100)
_OFFERED = 50
# Campaigns are told apart by so many colours, and always by their names.
_COLOURS = 8


@dataclass(frozen=True)
class Shown:
    """The days on the page: whole weeks, of which those from `first` to `last` count."""

    first: date
    last: date
    weeks: list[list[date]]
    is_week: bool

    @property
    def earlier(self) -> str:
        """What the address before this one asks for."""
        return self._of(self.first - timedelta(days=1))

    @property
    def later(self) -> str:
        """What the address after this one asks for."""
        return self._of(self.last + timedelta(days=1))

    def _of(self, day: date) -> str:
        return f"week={day:%Y-%m-%d}" if self.is_week else f"month={day:%Y-%m}"


@requires(Role.VIEWER)
@require_GET
def blast_calendar(request: AccountRequest) -> HttpResponse:
    """A month (`month=2026-11`) or a week (`week=` and a day of it), perhaps of one `campaign`."""
    shown = _shown(request)
    chosen = whole_number(request.GET.get("campaign", ""))
    campaign = None
    if chosen is not None:
        campaign = owned(Campaign.objects.all(), request.account, pk=chosen)
    days = planned.calendar_days(
        account=request.account,
        first=shown.weeks[0][0],
        last=shown.weeks[-1][-1],
        campaign=campaign,
    )
    inside = {day: found for day, found in days.items() if shown.first <= day <= shown.last}
    ids = sorted({entry.blast.campaign_id for entries in days.values() for entry in entries})
    colours = {pk: index % _COLOURS for index, pk in enumerate(ids)}
    blasts = selectors.blasts_list(account=request.account)
    today = localdate()
    is_now = shown.first <= today <= shown.last
    coloured = {day: _coloured(entries, colours) for day, entries in days.items()}
    context = {
        "shown": shown,
        "today": today,
        "week_of": today if is_now else shown.first,
        "weeks": [[(day, coloured.get(day, [])) for day in week] for week in shown.weeks],
        "past": [(day, coloured[day]) for day in sorted(inside) if is_now and day < today],
        "days": [(day, coloured[day]) for day in sorted(inside) if not is_now or day >= today],
        "counts": planned.calendar_counts(inside),
        "campaign": campaign,
        "campaigns": selectors.campaigns_open(account=request.account),
        "legend": [
            (one, colours[one.pk])
            for one in Campaign.objects.filter(account=request.account, pk__in=ids).order_by("pk")
        ],
        "occurrences": planned.occurrences_to_come(inside),
        "movable": planned.blasts_movable(account=request.account, most=_OFFERED),
        "copies": blasts.order_by("-id")[:_OFFERED],
    }
    return render(request, "campaigns/calendar.html", context)


@requires(Role.VIEWER)
@require_GET
def blast_crowds(request: AccountRequest) -> HttpResponse:
    """Plans of the days on the page that text somebody too often; an htmx fragment."""
    shown = _shown(request)
    found = crowds(account=request.account, first=shown.first, last=shown.last)
    return render(request, "campaigns/_crowds.html", {"crowds": found})


@requires(Role.MARKETER)
@require_POST
def blast_move(request: AccountRequest) -> HttpResponse:
    """Another day for what has not gone out: `blast`, `on` and perhaps `at` in the form."""
    blast, on = _asked(request)
    at = _time(request.POST.get("at", ""))
    if on is None:
        messages.error(request, "Choose the day to move it to.")
        return redirect(_back(request, blast, None))
    try:
        blast = services.blast_move(
            account=request.account, actor=request.user, blast=blast, on=on, at=at
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"“{blast.name}” is moved to {on:%a} {on.day} {on:%b %Y}.")
    return redirect(_back(request, blast, on))


@requires(Role.MARKETER)
@require_POST
def blast_copy(request: AccountRequest) -> HttpResponse:
    """Plan a copy of a blast on a day, as a draft: `blast` and `on` in the form."""
    blast, on = _asked(request)
    if on is None:
        messages.error(request, "Choose the day for the copy.")
        return redirect("blast_calendar")
    try:
        copy = services.blast_duplicate(
            account=request.account, actor=request.user, blast=blast, on=on
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_calendar")
    messages.success(request, f"“{copy.name}” is planned. It is a draft until you schedule it.")
    return redirect(_back(request, copy, on))


def _asked(request: AccountRequest) -> tuple[Blast, date | None]:
    chosen = whole_number(request.POST.get("blast", ""))
    blast = owned(Blast.objects.all(), request.account, pk=chosen or 0)
    return blast, read_date(request.POST.get("on", ""))


def _back(request: AccountRequest, blast: Blast, on: date | None) -> str:
    """Where the form was: the blast's own page, or the calendar of the day."""
    if request.POST.get("from") == "blast":
        return reverse("blast_report", args=[blast.pk])
    return f"{reverse('blast_calendar')}{f'?month={on:%Y-%m}' if on else ''}"


def _coloured(
    entries: list[planned.CalendarEntry], colours: dict[int, int]
) -> list[tuple[planned.CalendarEntry, int]]:
    return [(entry, colours[entry.blast.campaign_id]) for entry in entries]


def _shown(request: AccountRequest) -> Shown:
    day = read_date(request.GET.get("week", ""))
    if day is not None:
        week = [day + timedelta(days=n - day.weekday()) for n in range(7)]
        return Shown(week[0], week[-1], [week], is_week=True)
    first = read_date(f"{request.GET.get('month', '')}-01") or localdate().replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return Shown(first, last, Calendar().monthdatescalendar(first.year, first.month), is_week=False)


def _time(text: str) -> time | None:
    try:
        return parse_time(text)
    except ValueError:  # looks like a time and is none
        return None


def read_date(text: str) -> date | None:
    """A day as forms and addresses write it; None for anything else."""
    try:
        found = parse_date(text)
    except ValueError:  # looks like a date and is none
        return None
    return found if found is not None and found.year in _YEARS else None
