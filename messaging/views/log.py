"""The message log (every text of the account) and the timeline of one message."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.pagination import keyset_page
from common.text import typed
from messaging import selectors
from messaging.choices import Direction, MessageState, Reason
from messaging.confirmations import confirmed_by_carrier
from messaging.models import Message

PAGE_SIZE = 50
DID = {
    "clicked": "opened the link",
    "replied": "replied",
    "opted_out": "opted out",
    "hit": "link was hit, robots too",
}


@requires(Role.VIEWER)
@require_GET
def message_log(request: AccountRequest) -> HttpResponse:
    """Every message, newest first: `q`, `state`, `reason`, `direction`, `did` in the URL."""
    params = request.GET
    chosen: dict[str, str | None] = {
        "state": params.get("state") if params.get("state") in MessageState.values else None,
        "reason": params.get("reason") if params.get("reason") in Reason.values else None,
        "direction": params["direction"] if params.get("direction") in Direction.values else None,
        "did": params.get("did") if params.get("did") in DID else None,
    }
    search = typed(params.get("q", ""))
    page = keyset_page(
        selectors.messages_list(
            account=request.account,
            search=search,
            state=chosen["state"],
            reason=chosen["reason"],
            direction=chosen["direction"],
            did=chosen["did"],
        ).select_related("batch"),
        params,
        size=PAGE_SIZE,
    )
    context = {
        "page": page,
        "confirmed": {m.pk for m in page.rows if confirmed_by_carrier(m, m.batch)},
        "q": search,
        "chosen": chosen,
        "states": MessageState.choices,
        "reasons": Reason.choices,
        "directions": Direction.choices,
        "did_choices": DID.items(),
        "is_filtered": bool(search) or any(chosen.values()),
    }
    return render(request, "messaging/log.html", context)


@requires(Role.VIEWER)
@require_GET
def message_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """One message: its text, its people, and everything that happened to it, in order."""
    message = owned(
        Message.objects.select_related("created_by", "contact", "batch"), request.account, pk=pk
    )
    answered = message.answers_batch_id
    context = {
        "message": message,
        "is_confirmed": confirmed_by_carrier(message, message.batch),
        "answered": selectors.batch_names([answered]).get(answered, "") if answered else "",
        "timeline": selectors.message_timeline(message),
        "explanation": selectors.message_explanation(message),
        "cost": selectors.message_cost(message),
    }
    return render(request, "messaging/detail.html", context)
