"""The message report: did it work, for whom not, what now?"""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import services
from campaigns.choices import BlastState
from campaigns.models import Blast
from campaigns.views.counting import blast_seen
from campaigns.views.people import blast_people, people_context
from campaigns.views.report_context import live, phase_of, whole_report
from campaigns.views.series import series_context
from common.errors import DomainError
from common.templatetags.ui import num
from messaging.selectors.differences import differences_counted, differences_kept


@requires(Role.VIEWER)
@require_GET
def blast_report(request: AccountRequest, pk: int) -> HttpResponse:
    """One blast: `show`, `reason`, `q` and the place in the people's list stand in the URL."""
    blast = _blast(request, pk)
    if blast.state == BlastState.DRAFT:
        return redirect("blast_edit", blast.pk)
    if blast.state == BlastState.REPEATING:
        return render(request, "campaigns/series.html", series_context(request, blast))
    if blast.batch is None:
        return render(request, "campaigns/blast_waiting.html", _waiting(request, blast))
    context = whole_report(request.account, blast, blast.batch, request.GET)
    return render(request, "campaigns/blast_report.html", context)


@requires(Role.VIEWER)
@require_GET
def blast_differences(request: AccountRequest, pk: int) -> HttpResponse:
    """What of a blast did not agree with the carrier's records when they were asked last."""
    blast = _blast(request, pk)
    if blast.batch is None:
        return redirect("blast_report", blast.pk)
    context = {
        "blast": blast,
        "batch": blast.batch,
        "counted": differences_counted(blast.batch),
        "rows": differences_kept(blast.batch),
    }
    return render(request, "campaigns/differences.html", context)


@requires(Role.VIEWER)
@require_GET
def batch_report(request: AccountRequest, batch_pk: int) -> HttpResponse:
    """From a message's batch to its blast's report, for pages that know no blasts."""
    blast = owned(Blast.objects.all(), request.account, batch_id=batch_pk)
    return redirect("blast_report", blast.pk)


@requires(Role.VIEWER)
@require_GET
def blast_live(request: AccountRequest, pk: int) -> HttpResponse:
    """What changes while a blast goes out; an htmx fragment.

    `was` is the phase the page was made in: with a new phase the whole page is made anew. The list
    of people is the one at the address the page stands at, which htmx names.
    """
    blast = _blast(request, pk)
    if blast.batch is None or request.GET.get("was") != phase_of(blast):
        return HttpResponse(headers={"HX-Refresh": "true"})
    shown = QueryDict(urlsplit(request.headers.get("HX-Current-URL", "")).query)
    figures = live(request.account, blast, blast.batch, request.GET)
    people = people_context(
        request.account,
        blast_people(blast),
        shown.dict(),
        kept=figures["kept"],
        is_part=True,
    )
    return render(request, "campaigns/_live.html", {**figures, **people, "is_part": True})


@requires(Role.VIEWER)
@require_GET
def blast_launched(request: AccountRequest, pk: int) -> HttpResponse:
    """Asked while the time to undo runs: nothing, or "make the page anew"."""
    blast = _blast(request, pk)
    if blast.state == BlastState.SCHEDULED:
        return HttpResponse(status=204)
    return HttpResponse(headers={"HX-Refresh": "true"})


@requires(Role.MARKETER)
@require_POST
def blast_undo(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a scheduled blast back; it becomes a draft again."""
    blast = _blast(request, pk)
    try:
        services.blast_undo(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_report", blast.pk)
    messages.success(request, "Taken back. Nothing was sent; the draft is as you left it.")
    return redirect("blast_edit", blast.pk)


@requires(Role.MARKETER)
@require_POST
def blast_pause(request: AccountRequest, pk: int) -> HttpResponse:
    """Hold back what has not gone out yet."""
    return _control(request, pk, services.blast_pause, "Paused. What is with the carrier goes on.")


@requires(Role.MARKETER)
@require_POST
def blast_resume(request: AccountRequest, pk: int) -> HttpResponse:
    """Let a paused blast go on."""
    return _control(request, pk, services.blast_resume, "It goes on.")


@requires(Role.MARKETER)
@require_POST
def blast_cancel(request: AccountRequest, pk: int) -> HttpResponse:
    """Send nothing more of a blast."""
    return _control(
        request, pk, services.blast_cancel, "Canceled. Nobody else gets it; unused credits return."
    )


@requires(Role.MARKETER)
@require_POST
def blast_retry(request: AccountRequest, pk: int) -> HttpResponse:
    """Try again whom it did not reach for a cause that may have passed."""
    blast = _blast(request, pk)
    try:
        count = services.blast_retry(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_report", blast.pk)
    people = f"{num(count)} {'person is' if count == 1 else 'people are'}"
    if phase_of(blast) == "paused":
        messages.success(request, f"{people} back in line. They go out when you resume.")
    else:
        messages.success(request, f"{people} tried again.")
    return redirect("blast_report", blast.pk)


def _control(request: AccountRequest, pk: int, service: Any, words: str) -> HttpResponse:
    blast = _blast(request, pk)
    try:
        service(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, words)
    return redirect("blast_report", blast.pk)


def _blast(request: AccountRequest, pk: int) -> Blast:
    blasts = Blast.objects.select_related(
        "campaign", "sender", "sent_by", "created_by", "batch", "batch__sender"
    )
    return owned(blasts, request.account, pk=pk)


def _waiting(request: AccountRequest, blast: Blast) -> dict[str, Any]:
    """A blast that is scheduled, could not be sent, or was canceled before its launch."""
    plan, seen = blast.plan, blast_seen(request, blast)
    clock = plan.wall or (plan.at and localtime(plan.at))
    return {
        **seen,
        "start": plan.at,
        "clock": clock,
        "wall": plan.wall,
        "draft": [
            ("body", blast.body),
            ("when", "local" if plan.wall else "later"),
            ("scheduled_at", f"{clock:%Y-%m-%dT%H:%M:%S}" if clock else ""),
            *(("groups", str(group.pk)) for group in seen["groups"]),
        ],
        "phase": phase_of(blast),
    }
