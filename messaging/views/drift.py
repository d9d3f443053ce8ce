"""Settings: our opt-outs beside the carrier's, as the last comparison found them."""

from typing import Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.pagination import keyset_page
from contacts.choices import ConsentSource
from messaging.choices import DriftSide
from messaging.models import DriftReport, DriftRow
from messaging.services.drift import drift_ask, drift_take, drift_take_all

# Why the carrier cannot be told of an opt-out that only we know, by where it came from.
_WHY: Final[dict[str, str]] = {
    ConsentSource.KEYWORD: "Their word is none that carriers take for STOP, or they wrote to a"
    " short code, where nothing is blocked.",
    ConsentSource.FREE_TEXT: "They asked in their own words; carriers listen to theirs alone.",
    ConsentSource.CARRIER: "They texted START since, so the carrier lets texts through again.",
    ConsentSource.PERSON: "They left under another number of theirs; carriers take a STOP only from"
    " the phone itself.",
}
_ENTERED: Final = "It was entered here; carriers take a STOP only from the phone itself."


@requires(Role.ADMIN)
@require_GET
def opt_out_drift(request: AccountRequest) -> HttpResponse:
    """The report; `show` in the address chooses the side whose phones are listed."""
    side = DriftSide.HERE if request.GET.get("show") == DriftSide.HERE else DriftSide.THERE
    rows = DriftRow.objects.filter(account=request.account, side=side)
    page = keyset_page(rows, request.GET)
    context = {
        "report": DriftReport.objects.filter(account=request.account).first(),
        "side": side,
        "page": page,
        "lines": [(row, _WHY.get(row.source, _ENTERED)) for row in page.rows],
    }
    return render(request, "messaging/opt_out_drift.html", context)


@requires(Role.ADMIN)
@require_POST
def opt_out_check(request: AccountRequest) -> HttpResponse:
    """Compare now, in the background."""
    drift_ask(account=request.account, actor=request.user)
    return redirect("opt_out_drift")


@requires(Role.ADMIN)
@require_POST
def opt_out_take(request: AccountRequest, pk: int) -> HttpResponse:
    """Opt out here whom the carrier blocks."""
    row = owned(DriftRow.objects.filter(side=DriftSide.THERE), request.account, pk=pk)
    if drift_take(account=request.account, actor=request.user, row_id=row.pk):
        messages.success(request, "Opted out here too. START from their phone brings them back.")
    else:
        messages.info(request, "They texted START meanwhile: nothing differs any more.")
    return redirect("opt_out_drift")


@requires(Role.ADMIN)
@require_POST
def opt_out_take_all(request: AccountRequest) -> HttpResponse:
    """The same for all of them."""
    taken = drift_take_all(account=request.account, actor=request.user)
    people = "1 person" if taken == 1 else f"{taken:,} people"
    messages.success(request, f"Opted out {people} here too.")
    return redirect("opt_out_drift")
