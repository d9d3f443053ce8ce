"""Paid look-ups of line types: what it costs, how far it is, what came of it."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from common.ids import secret_token
from common.text import whole_number
from contacts.models import Contact, Group
from contacts.selectors import contacts_list
from messaging import selectors
from messaging.models import LookupRun
from messaging.services.lookups import lookup_offer, lookup_start


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def lookup_create(request: AccountRequest) -> HttpResponse:
    """Say the price for one `contact` or a `group` of the address; POST asks the carrier."""
    audience, title, back = _asked(request)
    if request.method == "POST":
        try:
            run = lookup_start(
                account=request.account,
                actor=request.user,
                audience=audience,
                title=title,
                request_key=request.POST.get("key", "")[:64] or secret_token(),
                most_credits=whole_number(request.POST.get("credits", "")) or 0,
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(back)
        return redirect("lookup_detail", run.pk)
    try:
        offer = lookup_offer(account=request.account, audience=audience)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(back)
    context = {"offer": offer, "title": title, "back": back, "key": secret_token()}
    return render(request, "messaging/lookup_create.html", context)


@requires(Role.VIEWER)
@require_GET
def lookup_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """How far it is; asks for itself until it is over."""
    run = owned(LookupRun.objects.select_related("asked_by"), request.account, pk=pk)
    context = {"run": run, "counts": selectors.lookup_counts(run)}
    return render(request, "messaging/lookup.html", context)


def _asked(request: AccountRequest) -> tuple[QuerySet[Contact], str, str]:
    """Who is to be looked up, what they are called together, and the page to go back to.

    No person's name: what is kept of a look-up, and of its credits, outlives an erasure.
    """
    account, params = request.account, request.GET
    contact_id, group_id = (whole_number(params.get(name, "")) for name in ("contact", "group"))
    if contact_id is not None:
        live = contacts_list(account=account)
        one = owned(live, account, pk=contact_id)
        return live.filter(pk=one.pk), "One contact", reverse("contact_detail", args=[one.pk])
    if group_id is not None:
        group = owned(Group.objects.all(), account, pk=group_id)
        found = contacts_list(account=account, group=group.pk)
        return found, group.name, reverse("group_detail", args=[group.pk])
    raise Http404("Choose a contact or a group first.")
