"""The list of deleted contacts, and bringing one back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.pagination import keyset_page
from contacts import selectors, services

PAGE_SIZE = 50


@requires(Role.VIEWER)
@require_GET
def deleted_list(request: AccountRequest) -> HttpResponse:
    """Deleted contacts, those added last first."""
    found = selectors.contacts_deleted(account=request.account)
    page = keyset_page(found, request.GET, size=PAGE_SIZE)
    return render(request, "contacts/deleted.html", {"page": page})


@requires(Role.MARKETER)
@require_POST
def contact_restore(request: AccountRequest, pk: int) -> HttpResponse:
    """Bring a deleted contact back."""
    account = request.account
    owned(selectors.contacts_deleted(account=account), account, pk=pk)
    contact = services.contact_restore(account=account, actor=request.user, contact_id=pk)
    messages.success(request, f"{contact} is in your contacts again, in no group.")
    return redirect("contact_detail", pk)
