"""A blast that repeats: its rule, what comes next, what it sent, and how to hold it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import localdate
from django.views.decorators.http import require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, services
from campaigns.choices import SeriesState
from campaigns.models import Blast, Series
from campaigns.views.calendar import read_date
from campaigns.views.counting import blast_seen
from common.clock import now
from common.errors import DomainError
from common.text import ids_typed

_Change = Callable[..., Series]
_ACTS: Final[dict[str, tuple[_Change, str]]] = {
    "pause": (services.series_pause, "Paused. Nothing goes out until you resume it."),
    "resume": (services.series_resume, "It goes on."),
    "stop": (services.series_stop, "It has ended. What was sent keeps its reports."),
}
_DAY_ACTS: Final[dict[str, tuple[_Change, str]]] = {
    "skip": (services.series_skip, "Nothing goes out on {day}."),
    "unskip": (services.series_unskip, "It goes out on {day} {when}."),
}
_SHOWN = 20
_TO_COME = 10


@dataclass(frozen=True)
class Coming:
    """An occurrence to come: its day, what clocks show then, when the first is texted."""

    day: date
    wall: datetime
    moment: datetime
    is_skipped: bool


@requires(Role.MARKETER)
@require_POST
def blast_series(request: AccountRequest, pk: int) -> HttpResponse:
    """Pause, resume or stop: `act` in the form; or skip and unskip of the day `on`."""
    blast = owned(Blast.objects.all(), request.account, pk=pk)
    _act(request, blast, request.POST.get("act", ""), read_date(request.POST.get("on", "")))
    return redirect("blast_report", blast.pk)


@requires(Role.MARKETER)
@require_POST
def blast_occurrence(request: AccountRequest) -> HttpResponse:
    """From the calendar, skip or unskip an `occurrence`: `<blast>:<day>` in the form."""
    pk, _, on = request.POST.get("occurrence", "").partition(":")
    day = read_date(on)
    blast = owned(Blast.objects.all(), request.account, pk__in=ids_typed([pk]))
    act = request.POST.get("act", "")
    _act(request, blast, act if act in _DAY_ACTS else "", day)
    return redirect(f"{reverse('blast_calendar')}{f'?month={day:%Y-%m}' if day else ''}")


def _act(request: AccountRequest, blast: Blast, act: str, day: date | None) -> None:
    series = Series.objects.filter(blast=blast).first()
    if series is None:
        return
    who: dict[str, Any] = {"account": request.account, "actor": request.user, "series": series}
    try:
        if act in _ACTS:
            change, words = _ACTS[act]
            change(**who)
        elif act in _DAY_ACTS and day is not None:
            change, words = _DAY_ACTS[act]
            is_paused = change(**who, day=day).state == SeriesState.PAUSED
            words = words.format(
                day=f"{day:%a} {day.day} {day:%b %Y}",
                when="once it is resumed" if is_paused else "after all",
            )
        else:
            return
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, words)


def series_context(request: AccountRequest, blast: Blast) -> dict[str, Any]:
    """Everything on a repeating blast's page."""
    series = blast.repeats
    return {
        **blast_seen(request, blast),
        "series": series,
        "coming": _coming(series),
        "rows": planned.occurrence_rows(series=series, most=_SHOWN),
    }


def _coming(series: Series) -> list[Coming]:
    """The next occurrences; those that are skipped stand in their place."""
    moment = now()
    # Where its people are it may still be the day before, or the one before that.
    behind = 2 if series.is_local else 0
    first = localdate() - timedelta(days=behind)
    found = [
        Coming(day, series.wall_on(day), series.moment_on(day), day in series.skipped_on)
        for day in series.days_between(first, date.max, most=_TO_COME + behind + 1)
    ]
    return [one for one in found if one.moment >= moment][:_TO_COME]
