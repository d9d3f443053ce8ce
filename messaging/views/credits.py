"""The credit statement: what is left, what is held, and what each send took."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.selectors import credit_lines
from common.pagination import keyset_page
from messaging.statement import statement_lines


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credits(request: AccountRequest) -> HttpResponse:
    """One page of the statement, one row a send, newest first."""
    page = keyset_page(credit_lines(request.account), request.GET)
    lines = statement_lines(account=request.account, entries=page.rows)
    return render(request, "messaging/credits.html", {"page": page, "lines": lines})
