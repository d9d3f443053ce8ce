"""The audit trail: who did what, found by person, kind and day, on a page and as a file."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts import selectors
from accounts.access import AccountRequest, requires
from accounts.choices import AUDIT_KIND_NAMES, AUDIT_KINDS, Role
from accounts.models import Account, AuditEvent, User
from accounts.trail import did, done_to, particulars, trail_csv
from common.days import days_between
from common.pagination import keyset_page

# Whom `?who=` names beside people.
PLATFORM = "platform"


@requires(Role.ADMIN)
@require_http_methods(["GET"])
def audit_log(request: AccountRequest) -> HttpResponse:
    """Who did what, newest first: `kind`, `who`, `from`, `to` in the URL."""
    people = selectors.audit_actors(request.account)
    chosen = _chosen(request.account, people, request.GET)
    events = selectors.audit_events(request.account, **chosen)
    page = keyset_page(events, request.GET, key=("at", "pk"))
    context = {
        "page": page,
        "events": [_shown(event) for event in page.rows],
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "kinds": [(area, kinds.items()) for area, kinds in AUDIT_KINDS.items()],
        "people": people,
        "filters": request.GET.urlencode(),
    }
    return render(request, "accounts/audit.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET"])
def audit_export(request: AccountRequest) -> HttpResponseBase:
    """The trail as filtered, as CSV, streamed."""
    people = selectors.audit_actors(request.account)
    events = selectors.audit_events(
        request.account, **_chosen(request.account, people, request.GET)
    )
    return StreamingHttpResponse(
        trail_csv(account=request.account, events=events),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="who-did-what.csv"'},
    )


def _chosen(account: Account, people: list[User], params: QueryDict) -> dict[str, Any]:
    """What the URL asks for; what is not understood asks for nothing."""
    who, kind = params.get("who", ""), params.get("kind", "")
    zone = ZoneInfo(account.timezone)
    since, until = days_between(params.get("from", ""), params.get("to", ""), zone)
    return {
        "kind": kind if kind in AUDIT_KIND_NAMES else "",
        "actor": next((one for one in people if str(one.pk) == who), None),
        "by_platform": who == PLATFORM,
        "since": since,
        "until": until,
    }


def _shown(event: AuditEvent) -> dict[str, Any]:
    return {
        "row": event,
        "words": did(event),
        "to": done_to(event),
        "particulars": particulars(event),
    }
