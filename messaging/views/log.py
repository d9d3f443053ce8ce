"""The message log (every text of the account) and the timeline of one message."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.pagination import keyset_page
from messaging import selectors
from messaging.choices import Direction, MessageState, Reason
from messaging.confirmations import confirmed_by_carrier
from messaging.listing import ANSWERS, listing_read
from messaging.models import Message

PAGE_SIZE = 50


@requires(Role.VIEWER)
@require_GET
def message_log(request: AccountRequest) -> HttpResponse:
    """Every message, newest first; what the address filters by is `messaging.listing`'s."""
    chosen = listing_read(request.GET)
    rows = selectors.messages_list(account=request.account, chosen=chosen)
    page = keyset_page(rows.select_related("batch"), request.GET, size=PAGE_SIZE)
    context = {
        "page": page,
        "confirmed": {m.pk for m in page.rows if confirmed_by_carrier(m, m.batch)},
        "chosen": chosen,
        "states": MessageState.choices,
        "reasons": Reason.choices,
        "directions": Direction.choices,
        "questions": [
            (name, getattr(chosen, name), answers.items()) for name, answers in ANSWERS.items()
        ],
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
