"""The list of opt-outs read out of people's own words, and the two things to decide about each."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from common.pagination import keyset_page
from common.text import typed
from contacts import selectors, services

PAGE_SIZE = 25


@requires(Role.VIEWER)
@require_GET
def review_list(request: AccountRequest) -> HttpResponse:
    """Opt-outs nobody has looked at yet, newest first."""
    waiting = selectors.opt_outs_to_review(account=request.account)
    page = keyset_page(waiting, request.GET, size=PAGE_SIZE)
    return render(request, "contacts/reviews.html", {"page": page})


@requires(Role.MARKETER)
@require_POST
def review_keep(request: AccountRequest, pk: int) -> HttpResponse:
    """They did ask to be left alone."""
    owned(selectors.opt_outs_list(account=request.account), request.account, pk=pk)
    try:
        services.optout_keep(account=request.account, actor=request.user, opt_out_id=pk)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Kept: this number gets no more texts.")
    return redirect("review_list")


@requires(Role.MARKETER)
@require_POST
def review_undo(request: AccountRequest, pk: int) -> HttpResponse:
    """It was misread; the reason is kept."""
    owned(selectors.opt_outs_list(account=request.account), request.account, pk=pk)
    try:
        services.optout_take_back(
            account=request.account,
            actor=request.user,
            opt_out_id=pk,
            reason=typed(request.POST.get("reason", "")),
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Undone. The text, and why it was no opt-out, stay on record.")
    return redirect("review_list")
