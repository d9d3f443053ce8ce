"""The credit statement: what is left, what is held, and every movement with its cause."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts import selectors
from accounts.access import AccountRequest, requires
from accounts.choices import Role
from common.pagination import keyset_page


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credits(request: AccountRequest) -> HttpResponse:
    """One page of the statement. One query beyond the membership's."""
    page = keyset_page(selectors.credit_entries(request.account), request.GET)
    return render(request, "accounts/credits.html", {"page": page})
