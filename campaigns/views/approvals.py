"""A blast that waits for a second person: read it, then approve or refuse."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from campaigns import planned, services
from campaigns.errors import ApprovalGone
from campaigns.models import Blast
from campaigns.services.freezing import rule_kept
from campaigns.views.counting import blast_seen
from common.errors import DomainError
from common.pagination import keyset_page


@requires(Role.MARKETER)
@require_GET
def approval_list(request: AccountRequest) -> HttpResponse:
    """Every request that waits for an answer: one's own too, which somebody else has to give."""
    page = keyset_page(planned.approvals_waiting(account=request.account), request.GET)
    rows = [(one, services.may_decide(one, request.user)) for one in page.rows]
    context = {"page": page, "rows": rows, "yours": sum(may for _, may in rows)}
    return render(request, "campaigns/approvals.html", context)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def blast_approval(request: AccountRequest, pk: int) -> HttpResponse:
    """The latest request: text, people, cost, rule.

    Posted: `act` (approve, reject, ask), `note`, and to decide `approval`, the id of what was read.
    """
    blast = owned(Blast.objects.select_related("campaign", "sender"), request.account, pk=pk)
    approval = planned.approval_latest(blast=blast)
    if request.method == "POST":
        try:
            _act(request, blast)
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("blast_approval", blast.pk)
    if approval is None:
        return redirect("blast_report", blast.pk)
    context = {
        **blast_seen(request, blast),
        "approval": approval,
        "may_decide": services.may_decide(approval, request.user),
        "rule": rule_kept(blast),
    }
    return render(request, "campaigns/approval.html", context)


def _act(request: AccountRequest, blast: Blast) -> None:
    act, note = request.POST.get("act", ""), request.POST.get("note", "")
    approval = planned.approval_latest(blast=blast)
    if act == "ask":
        services.approval_request(
            account=request.account, actor=request.user, blast=blast, note=note
        )
        messages.success(request, "Your colleagues were asked by mail.")
    elif approval is not None and act in ("approve", "reject"):
        # What was read, not what somebody asked for since.
        if request.POST.get("approval") != str(approval.pk):
            raise ApprovalGone
        services.approval_decide(
            account=request.account,
            actor=request.user,
            approval=approval,
            is_approved=act == "approve",
            answer=note,
        )
        messages.success(request, "Approved." if act == "approve" else "Refused.")
