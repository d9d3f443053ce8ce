"""The list of deleted contacts, and bringing one of them back, those that are ticked, or all."""

from contextlib import suppress

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.pagination import keyset_page
from contacts import selectors, services
from contacts.errors import ListTooLong
from contacts.looking import looking
from contacts.views.many import ids_ticked

PAGE_SIZE = 50


@requires(Role.VIEWER)
@require_GET
def deleted_list(request: AccountRequest) -> HttpResponse:
    """Deleted contacts, those added last first; how many, unless counting takes too long."""
    found = selectors.contacts_deleted(account=request.account)
    page = keyset_page(found, request.GET, size=PAGE_SIZE)
    total = None
    with suppress(ListTooLong), looking():
        total = found.count()
    return render(request, "contacts/deleted.html", {"page": page, "total": total})


@requires(Role.MARKETER)
@require_POST
def contact_restore(request: AccountRequest, pk: int) -> HttpResponse:
    """Bring a deleted contact back."""
    account = request.account
    owned(selectors.contacts_deleted(account=account), account, pk=pk)
    contact = services.contact_restore(account=account, actor=request.user, contact_id=pk)
    messages.success(
        request, f"{contact} is in your contacts again, with the groups and tags kept for them."
    )
    return redirect("contact_detail", pk)


@requires(Role.MARKETER)
@require_POST
def contacts_restore(request: AccountRequest) -> HttpResponse:
    """Bring many back: those ticked (`id`), or with `who=all` everybody on the list."""
    account = request.account
    chosen = selectors.contacts_deleted(account=account)
    if request.POST.get("who") != "all":
        chosen = chosen.filter(pk__in=ids_ticked(request.POST))
    people = services.contacts_restore(account=account, actor=request.user, contacts=chosen)
    if people:
        who = "1 person is" if people == 1 else f"{people:,} people are"
        messages.success(
            request, f"{who} in your contacts again, with the groups and tags kept for them."
        )
    else:
        messages.error(request, "Nobody was restored: tick somebody first.")
    return redirect("deleted_list")
