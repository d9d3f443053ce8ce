"""The ledger as it is: every movement of credits, one a row.

The statement, one row a send, is messaging's: it knows what was sent.
"""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts import selectors
from accounts.access import AccountRequest, requires
from accounts.choices import Role
from common.pagination import keyset_page


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def credit_movements(request: AccountRequest) -> HttpResponse:
    """One page of the ledger; with `batch` in the URL only that send's. One query."""
    batch = request.GET.get("batch", "")
    batch_id = int(batch) if batch.isascii() and batch.isdigit() and len(batch) < 19 else None
    page = keyset_page(selectors.credit_entries(request.account, batch_id=batch_id), request.GET)
    context = {"page": page, "batch_id": batch_id}
    return render(request, "accounts/credit_movements.html", context)
