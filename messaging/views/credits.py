"""The credit statement: what is left, what is held, what each send took, and every movement."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.access import AccountRequest, requires
from accounts.choices import CreditKind, Role
from accounts.models import Account
from accounts.selectors import credit_lines, credits_issued, movement_sums, team_list
from common.countries import COUNTRIES
from common.days import days_between
from common.pagination import keyset_page
from common.text import whole_number
from messaging.choices import BatchKind, TextType
from messaging.selectors import prices_list
from messaging.statement import movement_lines, movements_csv, movements_of, statement_lines

# What people look for, in their words, and the kinds of movement it is.
KINDS: Final = {
    "in": (
        "Came in or paid back",
        (CreditKind.TRIAL, CreditKind.PURCHASE, CreditKind.GRANT, CreditKind.REFUND),
    ),
    "reserve": ("Reserved", (CreditKind.RESERVE,)),
    "settle": ("Used", (CreditKind.SETTLE,)),
    "release": ("Released, not used", (CreditKind.RELEASE,)),
    "adjust": ("Adjusted to the carrier’s count", (CreditKind.ADJUST,)),
}


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credits(request: AccountRequest) -> HttpResponse:
    """One page of the statement, one row a send, newest first."""
    page = keyset_page(credit_lines(request.account), request.GET)
    lines = statement_lines(account=request.account, entries=page.rows)
    account, issued = request.account, credits_issued(request.account)
    prices = prices_list(kind=BatchKind.BLAST)
    pictures = prices_list(kind=BatchKind.BLAST, type=TextType.MMS)
    context = {
        "page": page,
        "lines": lines,
        "issued": issued,
        "used": issued - account.credit_balance - account.credit_held,
        "prices": prices,
        "picture_prices": pictures,
        "segment": _at_home_and_abroad(account, prices),
        "picture": _at_home_and_abroad(account, pictures),
    }
    return render(request, "messaging/credits.html", context)


def _at_home_and_abroad(account: Account, prices: list[tuple[str, int]]) -> tuple[int, int]:
    """Credits in the account's country, and in those without a price of their own."""
    abroad = prices[-1][1]
    return dict(prices).get(COUNTRIES.get(account.default_country, ""), abroad), abroad


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credit_movements(request: AccountRequest) -> HttpResponse:
    """One page of the ledger as it is: `kind`, `who`, `from`, `to`, `batch` in the URL."""
    chosen = _chosen(request.account, request.GET)
    entries = movements_of(account=request.account, **_filters(chosen))
    page = keyset_page(entries, request.GET)
    is_filtered = any(chosen.values())
    context = {
        "page": page,
        "lines": movement_lines(account=request.account, entries=page.rows),
        "chosen": chosen,
        "is_filtered": is_filtered,
        # All of them add up to what the account's own columns say.
        "sums": movement_sums(entries) if is_filtered else None,
        "kinds": [(key, label) for key, (label, _) in KINDS.items()],
        "team": team_list(request.account),
        "filters": request.GET.urlencode(),
    }
    return render(request, "messaging/credit_movements.html", context)


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credit_export(request: AccountRequest) -> HttpResponseBase:
    """The movements as filtered, as CSV, streamed."""
    chosen = _chosen(request.account, request.GET)
    entries = movements_of(account=request.account, **_filters(chosen))
    return StreamingHttpResponse(
        movements_csv(account=request.account, entries=entries),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="credits.csv"'},
    )


def _chosen(account: Account, params: QueryDict) -> dict[str, Any]:
    """What the URL asks for; what is not understood asks for nothing."""
    zone = ZoneInfo(account.timezone)
    who = params.get("who", "")
    members = {str(one.user_id): one.user for one in team_list(account)} if who else {}
    since, until = days_between(params.get("from", ""), params.get("to", ""), zone)
    return {
        "batch_id": whole_number(params.get("batch", "")),
        "kind": params["kind"] if params.get("kind") in KINDS else "",
        "who": members.get(who),
        "since": since,
        "until": until,
    }


def _filters(chosen: dict[str, Any]) -> dict[str, Any]:
    kinds = KINDS[chosen["kind"]][1] if chosen["kind"] else ()
    return {name: chosen[name] for name in ("batch_id", "who", "since", "until")} | {"kinds": kinds}
