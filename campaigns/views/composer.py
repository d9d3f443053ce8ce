"""The composer: one screen from text and people to "Send to 4,655 people, 9,312 credits"."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, selectors, services
from campaigns.choices import BlastState
from campaigns.errors import BlastNotEditable
from campaigns.forms import BlastForm
from campaigns.models import Blast, Campaign, SavedText
from campaigns.views.counting import blast_counted, seen_id, text_tools
from common.errors import DomainError
from common.text import whole_number
from contacts.selectors import contact_get

EDITABLE = (BlastState.DRAFT, BlastState.FAILED, BlastState.REPEATING)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def blast_create(request: AccountRequest) -> HttpResponse:
    """A new draft: `campaign`, `group` and `body` or `text` of the URL fill it in beforehand."""
    if request.method == "POST":
        return _store(request, None)
    begun = whole_number(request.GET.get("text", ""))
    text = None
    if begun is not None:
        text = owned(SavedText.objects.all(), request.account, pk=begun)
    initial: dict[str, Any] = {
        "campaign": request.GET.get("campaign") or _only_campaign(request),
        "groups": request.GET.getlist("group"),
        "body": text.body if text else request.GET.get("body", ""),
        "media_ids": text.media_ids if text else [],
        "when": "now",
    }
    return _page(request, BlastForm(account=request.account, initial=initial), None)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def blast_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """A stored draft. What is scheduled or sent opens its report instead."""
    blast = owned(Blast.objects.select_related("campaign"), request.account, pk=pk)
    if blast.state not in EDITABLE:
        if request.method == "POST":
            messages.error(request, BlastNotEditable.message)
        return redirect("blast_report", blast.pk)
    if request.method == "POST":
        return _store(request, blast)
    form = BlastForm(account=request.account, initial=BlastForm.initial_of(blast))
    return _page(request, form, blast)


@requires(Role.MARKETER)
@require_POST
def blast_count(request: AccountRequest) -> HttpResponse:
    """What the composer tells while somebody types; an htmx fragment. Stores nothing."""
    form = BlastForm(request.POST, account=request.account)
    form.is_valid()
    blast = _typed_in(request)
    context = {
        **blast_counted(request, form, is_typing=True),
        "blast": blast,
        "approval": planned.approval_latest(blast=blast) if blast else None,
    }
    return render(request, "campaigns/_count.html", context)


@requires(Role.MARKETER)
@require_POST
def blast_test(request: AccountRequest) -> HttpResponse:
    """Text what the form holds to oneself, as the person chosen there reads it; a fragment."""
    form = BlastForm(request.POST, account=request.account)
    form.is_valid()
    seen = seen_id(request)
    context: dict[str, Any] = {}
    try:
        context["message"] = services.blast_test(
            account=request.account,
            actor=request.user,
            body=form["body"].value() or "",
            phone=request.POST.get("test_phone", ""),
            contact=contact_get(account=request.account, contact_id=seen) if seen else None,
            sender=form.cleaned_data.get("sender"),
            smart_encoding=form.cleaned_data.get("smart_encoding", False),
            media_ids=form.cleaned_data.get("media_ids", []),
        )
    except DomainError as error:
        context["error"] = error.message
    return render(request, "campaigns/_tested.html", context)


@requires(Role.MARKETER)
@require_POST
def blast_send(request: AccountRequest, pk: int) -> HttpResponse:
    """Send a stored draft as it stands, after the time to undo."""
    blast = owned(Blast.objects.all(), request.account, pk=pk)
    try:
        services.blast_schedule(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_edit", blast.pk)
    return redirect("blast_report", blast.pk)


@requires(Role.MARKETER)
@require_POST
def blast_discard(request: AccountRequest, pk: int) -> HttpResponse:
    """Throw a draft away."""
    blast = owned(Blast.objects.all(), request.account, pk=pk)
    try:
        services.blast_discard(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_report", blast.pk)
    messages.success(request, f"The draft “{blast.name}” is gone.")
    return redirect("campaign_report", blast.campaign_id)


@requires(Role.MARKETER)
@require_POST
def blast_duplicate(request: AccountRequest, pk: int) -> HttpResponse:
    """Use a blast again: a new draft with the same text, people and number."""
    blast = owned(Blast.objects.all(), request.account, pk=pk)
    try:
        copy = services.blast_duplicate(account=request.account, actor=request.user, blast=blast)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("blast_report", blast.pk)
    return redirect("blast_edit", copy.pk)


def _typed_in(request: AccountRequest) -> Blast | None:
    """The stored draft that is being rewritten, if it is one."""
    blast_id = whole_number(request.POST.get("blast", ""))
    if blast_id is None:
        return None
    return owned(Blast.objects.all(), request.account, pk=blast_id)


def _only_campaign(request: AccountRequest) -> int | None:
    """The account's campaign where there is one; of several none is chosen for anybody."""
    campaigns = list(selectors.campaigns_open(account=request.account)[:2])
    return campaigns[0].pk if len(campaigns) == 1 else None


def _store(request: AccountRequest, blast: Blast | None) -> HttpResponse:
    """Keep what was typed, then send it where that was asked for."""
    form = BlastForm(request.POST, account=request.account)
    if not form.is_valid():
        return _page(request, form, blast, status=422)
    try:
        blast = _keep(request, form, blast)
        if request.POST.get("act") == "ask":
            services.approval_request(account=request.account, actor=request.user, blast=blast)
            messages.success(request, "Your colleagues were asked by mail.")
            return redirect("blast_approval", blast.pk)
        if request.POST.get("act") != "send" and blast.state != BlastState.REPEATING:
            messages.success(request, "The draft is kept.")
            return redirect("blast_edit", blast.pk)
        _send(request, form, blast)
    except DomainError as error:
        form.show_error(error.fields, error.message)
        return _page(request, form, blast, status=422)
    return redirect("blast_report", blast.pk)


def _send(request: AccountRequest, form: BlastForm, blast: Blast) -> None:
    """Schedule it or let it repeat, as the form says; one that repeats gets the form's rule."""
    who: dict[str, Any] = {"account": request.account, "actor": request.user}
    if blast.state == BlastState.REPEATING:
        services.series_change(**who, series=blast.repeats, rule=form.rule or blast.repeats.rule)
    elif form.rule is not None:
        services.series_start(**who, blast=blast, rule=form.rule)
    else:
        plan = form.plan
        services.blast_schedule(**who, blast=blast, at=plan.at, wall=plan.wall)


@transaction.atomic
def _keep(request: AccountRequest, form: BlastForm, blast: Blast | None) -> Blast:
    """Store the draft, and the campaign where a new one was named."""
    data = form.cleaned_data
    campaign: Campaign | None = data["campaign"]
    if campaign is None and blast is not None and not data["new_campaign"]:
        campaign = blast.campaign
    if campaign is None:
        campaign = services.campaign_create(
            account=request.account,
            actor=request.user,
            name=data["new_campaign"] or data["name"] or "My campaign",
        )
    values = {
        "account": request.account,
        "actor": request.user,
        "campaign": campaign,
        "name": data["name"],
        "body": data["body"],
        "group_ids": [group.pk for group in data["groups"]],
        "sender": data["sender"],
        "more_senders": list(data["more_senders"]),
        "give_up_hours": data["give_up_hours"] or 0,
        "smart_encoding": data["smart_encoding"],
        "media_ids": data["media_ids"],
        "utm": form.utm,
        "plan": form.plan,
    }
    if blast is None:
        blast = services.blast_create(**values)
    else:
        blast = services.blast_update(blast=blast, **values)
    if blast.state != BlastState.REPEATING:
        services.series_keep(
            account=request.account, actor=request.user, blast=blast, rule=form.rule
        )
    return blast


def _page(
    request: AccountRequest, form: BlastForm, blast: Blast | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "blast": blast,
        "groups": form.field("groups").queryset,
        "campaigns": form.field("campaign").queryset,
        "approval": planned.approval_latest(blast=blast) if blast else None,
        "senders": selectors.senders_list(account=request.account),
        **text_tools(request),
        **blast_counted(request, form),
    }
    return render(request, "campaigns/composer.html", context, status=status)
