"""Pages of campaigns: the list, making and changing one, and the report over its blasts."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import checking, comparing, planned, reports, selectors, services, unreached
from campaigns.forms import CampaignCopyForm, CampaignForm
from campaigns.models import Blast, Campaign
from common.errors import DomainError
from common.pagination import keyset_page
from common.text import searched
from messaging.selectors import costs_of, reason_counts
from messaging.selectors.counting import code_counts

PAGE_SIZE = 25


@requires(Role.VIEWER)
@require_GET
def campaign_list(request: AccountRequest) -> HttpResponse:
    """Campaigns with their five figures, newest first: `q`, `show=archived` in the URL."""
    search = searched(request.GET.get("q", ""))
    archived = request.GET.get("show") == "archived"
    page = keyset_page(
        selectors.campaigns_list(account=request.account, search=search, archived=archived),
        request.GET,
        size=PAGE_SIZE,
    )
    context = {
        "page": page,
        "rows": selectors.campaign_rows(page.rows),
        "unsent": [] if archived or search else selectors.blasts_unsent(account=request.account),
        "repeating": [] if archived or search else planned.series_open(account=request.account),
        "q": search,
        "archived": archived,
    }
    return render(request, "campaigns/list.html", context)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def campaign_create(request: AccountRequest) -> HttpResponse:
    """Make a campaign, then write its first blast."""
    form = CampaignForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                campaign = services.campaign_create(
                    account=request.account, actor=request.user, name=form.cleaned_data["name"]
                )
                _change(request, form, campaign)
        except DomainError as error:
            form.add_error(next(iter(error.fields), "name"), error.message)
        else:
            return redirect("campaign_report", campaign.pk)
    status = 422 if form.errors else 200
    return render(request, "campaigns/form.html", {"form": form}, status=status)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def campaign_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Rename a campaign, let its blasts go first, or give it a budget."""
    campaign = owned(Campaign.objects.all(), request.account, pk=pk)
    form = CampaignForm(
        request.POST or None,
        initial={
            "name": campaign.name,
            "goes_first": campaign.goes_first,
            "budget_credits": campaign.budget_credits or None,
        },
    )
    if request.method == "POST" and form.is_valid():
        try:
            _change(request, form, campaign)
        except DomainError as error:
            form.add_error(next(iter(error.fields), "name"), error.message)
        else:
            return redirect("campaign_report", campaign.pk)
    status = 422 if form.errors else 200
    context = {"form": form, "campaign": campaign}
    return render(request, "campaigns/form.html", context, status=status)


def _change(request: AccountRequest, form: CampaignForm, campaign: Campaign) -> None:
    services.campaign_change(
        account=request.account, actor=request.user, campaign=campaign, **form.cleaned_data
    )


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def campaign_again(request: AccountRequest, pk: int) -> HttpResponse:
    """Use a whole campaign again: a new one with a draft of each blast, perhaps planned."""
    campaign = owned(Campaign.objects.all(), request.account, pk=pk)
    form = CampaignCopyForm(request.POST or None, initial={"name": f"{campaign.name} (again)"})
    if request.method == "POST" and form.is_valid():
        try:
            copy = services.campaign_duplicate(
                account=request.account,
                actor=request.user,
                campaign=campaign,
                name=form.cleaned_data["name"],
                starts_on=form.cleaned_data["starts_on"],
            )
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            messages.success(request, "The copy stands below. Its blasts are drafts.")
            return redirect("campaign_report", copy.pk)
    [row] = selectors.campaign_rows([campaign])
    context = {"form": form, "campaign": campaign, "row": row}
    status = 422 if form.errors else 200
    return render(request, "campaigns/again.html", context, status=status)


@requires(Role.MARKETER)
@require_POST
def campaign_archive(request: AccountRequest, pk: int) -> HttpResponse:
    """Put a campaign away, or bring it back (`restore` in the form)."""
    campaign = owned(Campaign.objects.all(), request.account, pk=pk)
    if "restore" in request.POST:
        services.campaign_restore(account=request.account, actor=request.user, campaign=campaign)
        messages.success(request, f"“{campaign.name}” is back in the list.")
        return redirect("campaign_report", campaign.pk)
    services.campaign_archive(account=request.account, actor=request.user, campaign=campaign)
    messages.success(request, f"“{campaign.name}” is archived. Its reports stay.")
    return redirect("campaign_list")


@requires(Role.VIEWER)
@require_GET
def campaign_report(request: AccountRequest, pk: int) -> HttpResponse:
    """The five figures over all blasts of a campaign, and the blasts side by side."""
    campaign = owned(Campaign.objects.select_related("created_by"), request.account, pk=pk)
    [row] = selectors.campaign_rows([campaign])
    batch_ids = [one.blast.batch_id for one in row.launched if one.blast.batch_id]
    all_hits = request.GET.get("clicks") == "all"
    context = {
        "campaign": campaign,
        "row": row,
        "people_url": reverse("campaign_people", args=[campaign.pk]),
        "launched": row.launched,
        "unsent": [one for one in row.blasts if one.blast.batch is None],
        "cards": reports.rate_cards(
            row.figures, row.opens, all_hits=all_hits, has_link=row.has_link
        )
        if row.figures
        else [],
        "failures": unreached.failures(
            row.figures, reason_counts(batch_ids), code_counts(batch_ids, row.figures), row.opens
        )
        if row.figures
        else None,
        "checked": checking.records_checked(row.launched),
        "costs_url": f"{reverse('cost_report')}?by=campaign",
        "segments_each": reports.segments_each(row.figures) if row.figures else "",
        "credits_definition": reports.CREDITS,
        "costs": costs_of(batch_ids),
        "all_hits": all_hits,
        "reserved": sum(_reserved(one.blast) for one in row.launched),
        "answer": comparing.answer(row.launched, row.figures, row.opens),
        "multiples": comparing.small_multiples(row.launched),
    }
    return render(request, "campaigns/campaign_report.html", context)


def _reserved(blast: Blast) -> int:
    """Credits its batch used or holds, as budgets count them."""
    batch = blast.batch
    if batch is None:
        return 0
    return batch.credits_reserved - batch.credits_released + batch.credits_adjusted
