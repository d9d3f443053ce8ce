"""The proof of one person's consent: as a page to print, and as a file."""

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.clock import now
from common.csvout import csv_lines
from contacts import selectors

HEADING = (
    "Number",
    "What",
    "How",
    "In these words",
    "Message",
    "Import",
    "Form",
    "Entered by",
    "When",
)


@requires(Role.VIEWER)
@require_GET
def contact_proof_page(request: AccountRequest, pk: int) -> HttpResponse:
    """The same on a page made to be printed; times in the account's zone, named."""
    account = request.account
    contact = owned(selectors.contacts_list(account=account), account, pk=pk)
    context = {
        "contact": contact,
        "events": selectors.consent_history(account=account, phone=contact.phone),
        "opt_out": selectors.opt_out_get(account=account, phone=contact.phone),
        "drawn_up_at": now(),
    }
    return render(request, "contacts/proof.html", context)


@requires(Role.VIEWER)
@require_GET
def contact_proof(request: AccountRequest, pk: int) -> HttpResponseBase:
    """Every opt-in and opt-out of a contact with its proof, newest first; times in UTC."""
    account = request.account
    contact = owned(selectors.contacts_list(account=account), account, pk=pk)
    rows = (
        (
            event.phone,
            event.get_kind_display(),
            event.get_source_display(),
            event.wording,
            event.message_id or "",
            event.import_id or "",
            event.form_id or "",
            event.actor.email if event.actor else "",
            event.at.isoformat(timespec="seconds"),
        )
        for event in selectors.consent_history(account=account, phone=contact.phone).iterator()
    )
    response = StreamingHttpResponse(
        csv_lines(HEADING, rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="consent-{pk}.csv"'
    return response
