"""The message log (every text of the account) and the timeline of one message."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Account
from accounts.selectors import team_list
from common.errors import DomainError
from common.pagination import bounded_page
from common.templatetags.ui import group_told
from exports.answering import export_answer
from messaging import selectors
from messaging.choices import BatchKind, Direction, MessageState, Reason
from messaging.confirmations import confirmed_by_carrier
from messaging.listing import ANSWERS, NOBODY, ListFilter, listing_read
from messaging.models import Message, SenderNumber
from messaging.selectors.counting import messages_found
from messaging.selectors.messages import LOOKED_AT_MOST
from messaging.services import messages_group

PAGE_SIZE = 50


@requires(Role.VIEWER)
@require_GET
def message_log(request: AccountRequest) -> HttpResponse:
    """Every message, newest first; what the address filters by is `messaging.listing`'s."""
    chosen = listing_read(request.GET)
    listed = selectors.messages_listed(account=request.account, chosen=chosen)
    page = bounded_page(
        listed.rows.select_related("batch").prefetch_related("inbound_media"),
        request.GET,
        among=listed.among,
        most=LOOKED_AT_MOST,
        size=PAGE_SIZE,
        key=listed.key,
    )
    most = settings.EXPORT_STREAM_ROWS
    context = {
        "looked_at": LOOKED_AT_MOST,
        "page": page,
        "found": messages_found(listed, chosen, most=most),
        "most": most,
        "confirmed": {m.pk for m in page.rows if confirmed_by_carrier(m, m.batch)},
        "chosen": chosen,
        "group_name": ", ".join(chosen.words)[:80],
        **_choices(request.account, chosen),
    }
    return render(request, "messaging/log.html", context)


def _choices(account: Account, chosen: ListFilter) -> dict[str, Any]:
    """What the filters offer. Two queries."""
    numbers = SenderNumber.objects.filter(account=account).order_by("-is_default", "pk")
    team = list(team_list(account))
    return {
        "states": MessageState.choices,
        "reasons": Reason.choices,
        "directions": Direction.choices,
        "kinds": BatchKind.choices,
        "numbers": list(dict.fromkeys(numbers.values_list("phone", flat=True))),
        "team": team,
        "nobody": NOBODY,
        "has_left": chosen.by.isdigit() and int(chosen.by) not in {one.user_id for one in team},
        "questions": [
            (name, getattr(chosen, name), answers.items()) for name, answers in ANSWERS.items()
        ],
    }


@requires(Role.VIEWER)
@require_GET
def message_export(request: AccountRequest) -> HttpResponseBase:
    """The log as filtered, as CSV, the oldest first."""
    chosen = listing_read(request.GET)
    return export_answer(
        request,
        kind="messages",
        params=chosen.params,
        filename="messages.csv",
        back=f"{reverse('message_log')}?{chosen.query}",
    )


@requires(Role.MARKETER)
@require_POST
def message_group(request: AccountRequest) -> HttpResponse:
    """Make a group of the people in the log as filtered, and begin a blast to it."""
    chosen = listing_read(request.POST)
    try:
        group, count = messages_group(
            account=request.account,
            actor=request.user,
            name=request.POST.get("name", ""),
            chosen=chosen,
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('message_log')}?{chosen.query}")
    messages.success(request, group_told(group.name, count))
    return redirect(f"{reverse('blast_create')}?group={group.pk}")


@requires(Role.VIEWER)
@require_GET
def message_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """One message: its text, its people, and everything that happened to it, in order."""
    message = owned(
        Message.objects.select_related("created_by", "contact", "batch"), request.account, pk=pk
    )
    answered = message.answers_batch_id
    came_in = list(message.inbound_media.select_related("media").order_by("n"))
    context = {
        "message": message,
        "is_confirmed": confirmed_by_carrier(message, message.batch),
        "answered": selectors.batch_names([answered]).get(answered, "") if answered else "",
        "timeline": selectors.message_timeline(message),
        "explanation": selectors.message_explanation(message),
        "cost": selectors.message_cost(message),
        "pictures": selectors.media_of([message.batch]).get(message.batch_id or 0, [])
        or [one.media for one in came_in if one.media is not None],
        "missing": [one for one in came_in if one.media is None],
    }
    return render(request, "messaging/detail.html", context)
