"""The page on which an admin erases a person, once they know what goes and what stays."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from contacts import selectors, services


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def contact_erase(request: AccountRequest, pk: int) -> HttpResponse:
    """What erasing means for this contact, live or deleted; a POST does it."""
    account = request.account
    contact = owned(selectors.contacts_known(account=account), account, pk=pk)
    if request.method == "POST":
        try:
            services.person_erase(account=account, actor=request.user, contact_id=pk)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("contact_erase", pk)
        messages.success(request, "The person was erased. Their number stays opted out for good.")
        return redirect("contact_list")
    return render(request, "contacts/erase.html", {"contact": contact})
