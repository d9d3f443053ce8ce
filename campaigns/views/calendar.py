"""The calendar: what went out, what is planned and what repeats, day by day."""

from calendar import Calendar
from datetime import date, timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.timezone import localdate
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, selectors, services
from campaigns.models import Blast, Campaign
from common.errors import DomainError

# Beyond these years a month is a typing error.
_YEARS = range(2000, 2100)
_COPIED_FROM = 50


@requires(Role.VIEWER)
@require_GET
def blast_calendar(request: AccountRequest) -> HttpResponse:
    """One month: `month` (2026-11) and `campaign` stand in the URL."""
    first = _month(request.GET.get("month", "")) or localdate().replace(day=1)
    chosen = request.GET.get("campaign", "")
    campaign = None
    if chosen.isdecimal():
        campaign = owned(Campaign.objects.all(), request.account, pk=int(chosen))
    weeks = Calendar().monthdatescalendar(first.year, first.month)
    days = planned.calendar_days(
        account=request.account, first=weeks[0][0], last=weeks[-1][-1], campaign=campaign
    )
    inside = {day: entries for day, entries in days.items() if day.month == first.month}
    context = {
        "first": first,
        "earlier": (first - timedelta(days=1)).strftime("%Y-%m"),
        "later": (first + timedelta(days=31)).strftime("%Y-%m"),
        "today": localdate(),
        "weeks": [[(day, days.get(day, [])) for day in week] for week in weeks],
        "days": sorted(inside.items()),
        "counts": planned.calendar_counts(inside),
        "campaign": campaign,
        "campaigns": selectors.campaigns_open(account=request.account),
        "copies": selectors.blasts_list(account=request.account).order_by("-id")[:_COPIED_FROM],
    }
    return render(request, "campaigns/calendar.html", context)


@requires(Role.MARKETER)
@require_POST
def blast_copy(request: AccountRequest) -> HttpResponse:
    """Plan a copy of a blast on a day, as a draft: `blast` and `on` in the form."""
    chosen = request.POST.get("blast", "")
    blast = owned(Blast.objects.all(), request.account, pk=int(chosen) if chosen.isdecimal() else 0)
    on = _date(request.POST.get("on", ""))
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
    return redirect(f"{reverse('blast_calendar')}?month={on:%Y-%m}")


def _month(text: str) -> date | None:
    return _date(f"{text}-01")


def _date(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:  # looks like a date and is none
        return None
    return found if found is not None and found.year in _YEARS else None
