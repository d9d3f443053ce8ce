"""What texts cost at the carrier: by blast, campaign, person or number."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.models import Account
from campaigns.cost_rows import cost_rows, cost_totals
from common.clock import now
from common.phone import display

PERIODS: Final = (28, 90, 365)
# What the rows are, in the words of the page.
BY: Final = {"blast": "blast", "campaign": "campaign", "user": "person", "number": "number"}
_MOST: Final = 200


@requires(Role.VIEWER)
@require_GET
def cost_report(request: AccountRequest) -> HttpResponse:
    """`by` (blast, campaign, user or number) and `days` (28, 90 or 365) in the URL."""
    by = request.GET["by"] if request.GET.get("by") in BY else "blast"
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else 28
    since = now() - timedelta(days=days)
    context = {
        "by": by,
        "by_choices": BY.items(),
        "by_word": BY[by],
        "days": days,
        "periods": PERIODS,
        "totals": cost_totals(account=request.account, since=since, by=by),
        "rows": _rows(request.account, by, since),
    }
    return render(request, "campaigns/costs.html", context)


def _rows(account: Account, by: str, since: Any) -> list[dict[str, Any]]:
    """The dearest first, each with what it is called and where it leads."""
    found = cost_rows(account=account, since=since, by=by)[:_MOST]
    return [
        {"name": _name(by, row.key), "href": _href(by, row.key), "cost": row.cost, "row": row}
        for row in found
    ]


def _name(by: str, key: tuple[Any, ...]) -> str:
    if by == "number":
        return display(key[0])
    if by == "user":
        return key[1] or key[2] or "Programs and automatic answers"
    return str(key[1])


def _href(by: str, key: tuple[Any, ...]) -> str:
    pages = {"blast": "blast_report", "campaign": "campaign_report"}
    return reverse(pages[by], args=[key[0]]) if by in pages else ""
