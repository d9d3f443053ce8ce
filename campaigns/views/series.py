"""A blast that repeats: its rule, what comes next, what it sent, and how to hold it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, selectors, services
from campaigns.composing import compose
from campaigns.models import Blast, Series
from common.errors import DomainError

_ACTS = {
    "pause": (services.series_pause, "Paused. Nothing goes out until you resume it."),
    "resume": (services.series_resume, "It goes on."),
    "skip": (services.series_skip, "The next one is skipped."),
    "stop": (services.series_stop, "It has ended. What was sent keeps its reports."),
}
_SHOWN = 20


@requires(Role.MARKETER)
@require_POST
def blast_series(request: AccountRequest, pk: int) -> HttpResponse:
    """Pause, resume, skip the next, or stop: `act` in the form."""
    blast = owned(Blast.objects.all(), request.account, pk=pk)
    series = Series.objects.filter(blast=blast).first()
    act = _ACTS.get(request.POST.get("act", ""))
    if series is None or act is None:
        return redirect("blast_report", blast.pk)
    change, words = act
    try:
        change(account=request.account, actor=request.user, series=series)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, words)
    return redirect("blast_report", blast.pk)


def series_context(request: AccountRequest, blast: Blast) -> dict[str, Any]:
    """Everything on a repeating blast's page."""
    series = blast.repeats
    groups = list(blast.groups.order_by("name"))
    return {
        "blast": blast,
        "series": series,
        "next": [
            (series.wall_on(day), series.moment_on(day)) for day in series.days_to_come(most=5)
        ],
        "rows": planned.occurrence_rows(series=series, most=_SHOWN),
        "groups": groups,
        "sender": blast.sender or selectors.senders_list(account=request.account).first(),
        "composed": compose(
            account=request.account,
            body=blast.body,
            group_ids=[group.pk for group in groups],
            media_ids=blast.media_ids,
        ),
    }
