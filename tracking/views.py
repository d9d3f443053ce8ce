"""Pages of the links: all tracked links, and one link's clicks."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.charts import Chart, Series
from common.errors import DomainError
from common.pagination import bounded_page, keyset_page
from common.templatetags.ui import zone as zone_name
from common.text import searched
from exports.answering import export_answer
from tracking import selectors, services
from tracking.choices import Verdict
from tracking.forms import LinkSettingsForm
from tracking.models import Link
from tracking.verdicts import reasons_told

PAGE_SIZE = 50
# So many hits a page of them looks at where only some are asked for (docs/adr/0016).
LOOKED_AT_MOST = 50_000


@requires(Role.VIEWER)
@require_GET
def link_list(request: AccountRequest) -> HttpResponse:
    """Tracked links, newest first, people's clicks and robots' apart."""
    search = searched(request.GET.get("q", ""))
    page = keyset_page(
        selectors.links_list(account=request.account, search=search), request.GET, size=PAGE_SIZE
    )
    totals = selectors.links_totals(account=request.account)
    return render(request, "tracking/list.html", {"page": page, "q": search, "totals": totals})


@requires(Role.VIEWER)
@require_GET
def link_report(request: AccountRequest, pk: int) -> HttpResponse:
    """One link: total, unique and human clicks, over time, by blast, and its hits.

    `hits` in the URL: a verdict, or `judged` for all that were given one.
    """
    link = owned(Link.objects.all(), request.account, pk=pk)
    verdict_names = dict(Verdict.choices)
    asked = request.GET.get("hits", "")
    verdict = asked if asked in (*Verdict.values, selectors.JUDGED) else ""
    page = bounded_page(
        selectors.link_hits(link=link, verdict=verdict),
        request.GET,
        among=selectors.link_hits(link=link) if verdict else None,
        most=LOOKED_AT_MOST,
        size=PAGE_SIZE,
        key=selectors.HITS_KEY,
    )
    context = {
        "link": link,
        # The log shows who clicked, to be searched, exported and made a group of.
        "clickers_url": f"{reverse('message_log')}?link={link.pk}" if link.batch_id else "",
        "hit_url": f"{reverse('message_log')}?link={link.pk}&clicked=hit" if link.batch_id else "",
        "list_words": f"of {link.recipients:,} in the list",
        "robots_words": f"{link.clicks_total - link.clicks_human:,} by robots or unsure",
        "over_time": _over_time(link, request.account.timezone),
        "verdicts": [
            (verdict, verdict_names.get(verdict, verdict), hits)
            for verdict, hits in selectors.link_verdicts(link=link)
        ],
        "same_destination": selectors.links_same_destination(link=link),
        "page": page,
        "looked_at": LOOKED_AT_MOST,
        "verdict": verdict,
        "verdict_name": verdict_names.get(verdict, ""),
        "hits": [(hit, reasons_told(hit.reasons)) for hit in page.rows],
    }
    return render(request, "tracking/report.html", context)


@requires(Role.VIEWER)
@require_GET
def link_export(request: AccountRequest, pk: int) -> HttpResponseBase:
    """Every hit on a link as CSV, the oldest first."""
    link = owned(Link.objects.all(), request.account, pk=pk)
    return export_answer(
        request,
        kind="hits",
        params={"link": str(link.pk)},
        filename=f"link-{link.pk}.csv",
        back=reverse("link_report", args=[link.pk]),
    )


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def link_settings(request: AccountRequest) -> HttpResponse:
    """The domain, the life and the UTM parameters of the account's links."""
    form = LinkSettingsForm(request.POST or None, instance=selectors.link_settings(request.account))
    if form.is_valid():
        try:
            services.link_settings_update(
                account=request.account, actor=request.user, **form.cleaned_data
            )
        except DomainError as error:
            for name, sentence in error.fields.items():
                form.add_error(name, sentence)
        else:
            messages.success(request, "Saved.")
            return redirect("link_settings")
    sample = selectors.link_base(form.instance.domain)
    return render(request, "tracking/settings.html", {"form": form, "sample": sample})


def _over_time(link: Link, zone: str) -> Chart:
    unit, moments = selectors.link_activity(link=link)
    best = max(moments, key=lambda moment: moment.human, default=None)
    sentence = ""
    if best and best.human:
        words = {"hour": "in the hour from", "day": "on", "week": "in the week of"}[unit]
        sentence = f"Most clicks of people came {words} {best.label}: {best.human:,}."
    return Chart(
        kind="stack",
        sentence=sentence,
        x=[moment.label for moment in moments],
        series=[
            Series("People", "clicked", [moment.human for moment in moments]),
            Series("Robots and unsure", "waiting", [moment.robots for moment in moments]),
        ],
        unit="clicks",
        zone=zone_name(zone),
        none_yet="Nobody has opened this link yet.",
    )
