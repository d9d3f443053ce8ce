"""The people behind the figures of a blast or a whole campaign: listed, exported, made a group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Account
from campaigns import people as lists
from campaigns import selectors
from campaigns.models import Blast, Campaign
from common.errors import DomainError
from common.pagination import bounded_page
from common.templatetags.ui import group_told, num
from exports.answering import export_answer
from messaging.listing import ANSWERS, listing_read
from messaging.selectors import (
    Figures,
    batch_figures,
    figures_sum,
    messages_listed,
    reason_counts,
)
from messaging.selectors.counting import ReasonCounts, found_of, messages_found
from messaging.selectors.messages import LOOKED_AT_MOST
from messaging.services import messages_group

PAGE_SIZE = 25


@dataclass(frozen=True)
class Source:
    """Whose people a list holds: one blast's or those of all blasts of a campaign."""

    name: str
    campaign_id: int
    batches: Sequence[int]
    url: str
    export_url: str
    export_params: Mapping[str, str]
    group_url: str


def blast_people(blast: Blast) -> Source:
    """The people of one blast; nobody before its launch."""
    return Source(
        name=blast.name,
        campaign_id=blast.campaign_id,
        batches=[blast.batch_id] if blast.batch_id else [],
        url=reverse("blast_report", args=[blast.pk]),
        export_url=reverse("blast_export", args=[blast.pk]),
        export_params={"blast": str(blast.pk)},
        group_url=reverse("blast_group", args=[blast.pk]),
    )


def _campaign_people(campaign: Campaign) -> Source:
    return Source(
        name=campaign.name,
        campaign_id=campaign.pk,
        batches=selectors.campaign_batches(campaign=campaign),
        url=reverse("campaign_people", args=[campaign.pk]),
        export_url=reverse("campaign_export", args=[campaign.pk]),
        export_params={"campaign": str(campaign.pk)},
        group_url=reverse("campaign_group", args=[campaign.pk]),
    )


def people_context(
    account: Account,
    source: Source,
    params: Mapping[str, str],
    *,
    kept: tuple[Figures, ReasonCounts] | None = None,
    is_part: bool = False,
) -> dict[str, Any]:
    """One page of the people behind a figure, with the ways to narrow it.

    Args:
        account: Whose.
        source: Whose people the list holds.
        params: Parameters of the address: `messaging.listing`'s and the place in the list.
        kept: Figures and reasons of the source, where they are known already.
        is_part: Only what changes by itself is needed; nothing is counted.
    """
    chosen = listing_read(params)
    if kept is None:
        figures = figures_sum(batch_figures(source.batches).values())
        counts: ReasonCounts = reason_counts(source.batches)
    else:
        figures, counts = kept
    listed = messages_listed(account=account, batches=source.batches, chosen=chosen)
    most = settings.EXPORT_STREAM_ROWS
    found: int | None = None
    if not is_part:
        is_whole = set(listed.batches or ()) == set(source.batches)
        found = (
            found_of(listed, chosen, figures, counts, most=most)
            if is_whole
            else messages_found(listed, chosen, most=most)
        )
    counts_texts = len(source.batches) > 1
    return {
        "source": source,
        "chosen": chosen,
        "buttons": lists.buttons(figures, chosen),
        "questions": [
            (name, getattr(chosen, name), answers.items()) for name, answers in ANSWERS.items()
        ],
        "reasons": lists.reasons(counts, chosen),
        "found": found,
        "most": most,
        "chosen_words": chosen.words,
        "page": bounded_page(
            listed.rows.select_related("batch"),
            params,
            among=listed.among,
            most=LOOKED_AT_MOST,
            size=PAGE_SIZE,
            key=listed.key,
        ),
        "looked_at": LOOKED_AT_MOST,
        "count_words": _count_words(found, most, counts_texts),
        "counts_texts": counts_texts,
        "group_name": lists.group_name(source.name, chosen),
    }


def _count_words(found: int | None, most: int, counts_texts: bool) -> str:
    if found is None or found > most:
        return "all of these"
    if counts_texts:
        return "who got this text" if found == 1 else f"the people of these {num(found)} texts"
    return "this person" if found == 1 else f"these {num(found)}"


@requires(Role.VIEWER)
@require_GET
def campaign_people(request: AccountRequest, pk: int) -> HttpResponse:
    """Everybody in the blasts of a campaign, once for each text: filters as in a blast's report."""
    campaign = owned(Campaign.objects.all(), request.account, pk=pk)
    source = _campaign_people(campaign)
    context = people_context(request.account, source, request.GET)
    return render(request, "campaigns/campaign_people.html", {"campaign": campaign, **context})


@requires(Role.VIEWER)
@require_GET
def blast_export(request: AccountRequest, pk: int) -> HttpResponseBase:
    """The list as filtered, as CSV."""
    return _export(request, blast_people(owned(Blast.objects.all(), request.account, pk=pk)))


@requires(Role.VIEWER)
@require_GET
def campaign_export(request: AccountRequest, pk: int) -> HttpResponseBase:
    """The list as filtered, as CSV."""
    return _export(request, _campaign_people(owned(Campaign.objects.all(), request.account, pk=pk)))


@requires(Role.MARKETER)
@require_POST
def blast_group(request: AccountRequest, pk: int) -> HttpResponse:
    """Make a group of the list as filtered, and begin a blast to it."""
    return _group(request, blast_people(owned(Blast.objects.all(), request.account, pk=pk)))


@requires(Role.MARKETER)
@require_POST
def campaign_group(request: AccountRequest, pk: int) -> HttpResponse:
    """Make a group of the list as filtered, and begin a blast to it."""
    return _group(request, _campaign_people(owned(Campaign.objects.all(), request.account, pk=pk)))


def _export(request: AccountRequest, source: Source) -> HttpResponseBase:
    if not source.batches:
        return redirect(source.url)
    chosen = listing_read(request.GET)
    (whose, pk), *_ = source.export_params.items()
    return export_answer(
        request,
        kind="people",
        params={**chosen.params, **source.export_params},
        filename=f"{whose}-{pk}.csv",
        back=f"{source.url}?{chosen.query}#people",
    )


def _group(request: AccountRequest, source: Source) -> HttpResponse:
    chosen = listing_read(request.POST)
    try:
        group, count = messages_group(
            account=request.account,
            actor=request.user,
            name=request.POST.get("name", ""),
            batches=source.batches,
            chosen=chosen,
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(f"{source.url}?{chosen.query}#people")
    messages.success(request, group_told(group.name, count))
    picked = urlencode({"campaign": source.campaign_id, "group": group.pk})
    return redirect(f"{reverse('blast_create')}?{picked}")
