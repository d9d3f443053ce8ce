"""The people behind a number beside the composer: texted at once, later, or not and why."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.models import Account
from campaigns import planned
from campaigns.errors import AudienceTooLong
from campaigns.forms import RULE_FIELDS, BlastForm
from common.errors import DomainError
from common.templatetags.ui import exact
from common.text import ids_typed, whole_number
from contacts.models import Contact
from messaging.choices import Reason
from messaging.reasons import skipped_words

_SIZE = 50
WAITS = "waits"
# What of a draft decides who is behind a number; the next page is asked for with the same.
_DRAFT = ("body", "groups", "when", "scheduled_at", *RULE_FIELDS, "show")


@requires(Role.VIEWER)
@require_POST
def blast_audience(request: AccountRequest) -> HttpResponse:
    """One page of people, newest first. Posted, because a draft need not be stored.

    `show` is "now", the moment until which people wait, "waits" for whoever waits because of the
    account's cap, or a `Reason`; `before` a contact's id.
    """
    form = BlastForm(request.POST, account=request.account)
    form.is_valid()
    is_too_long = False
    show = request.POST.get("show", "now")
    until = _moment(show)
    try:
        people = planned.draft_people(
            account=request.account,
            body=request.POST.get("body", ""),
            group_ids=ids_typed(request.POST.getlist("groups")),
            plan=form.plan,
            reason=show if show in Reason.values else None,
            until=until,
            is_capped=show == WAITS,
            before=whole_number(request.POST.get("before", "")),
            size=_SIZE + 1,
        )
    except DomainError as error:
        people, is_too_long = [], isinstance(error, AudienceTooLong)
    context = {**_words(request.account, show, until), **_page(people), "is_too_long": is_too_long}
    context["draft"] = [(name, value) for name in _DRAFT for value in request.POST.getlist(name)]
    return render(request, "campaigns/audience.html", context)


def _page(people: list[Contact]) -> dict[str, Any]:
    more = len(people) > _SIZE
    people = people[:_SIZE]
    return {"people": people, "older": people[-1].pk if more else None}


def _moment(show: str) -> datetime | None:
    try:
        found = parse_datetime(show)
    except ValueError:  # looks like a time and is none
        return None
    return found if found is not None and found.tzinfo is not None else None


def _words(account: Account, show: str, until: datetime | None) -> dict[str, str]:
    if until is not None:
        return {
            "title": f"Texted {exact(until)}",
            "about": "Their local time, or the hours allowed where they are, come then.",
        }
    if show == WAITS:
        return {
            "title": "Texted once there is room",
            "about": "They had, or are about to get, as many blasts as your account allows in"
            f" {account.cap_days} day{pluralize(account.cap_days)}. Each goes when there is room"
            " again.",
        }
    if show in Reason.values:
        words = skipped_words(show)
        return {"title": f"Not texted: {words.label.lower()}", "about": words.cause}
    return {"title": "Texted as soon as it starts", "about": "Nothing holds these texts back."}
