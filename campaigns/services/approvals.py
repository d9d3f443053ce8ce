"""A second person's approval: asked for, given or refused. What it froze is `freezing`'s.

Whoever began the blast, last wrote its text or pictures, or asked cannot approve it. Mails go out
once all is committed; one that the server does not take is logged, and the request stands on the
blast's page all the same.
"""

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.access import role_includes
from accounts.choices import Role
from accounts.models import Account, Membership, User
from accounts.selectors import team_list
from accounts.services import audit_record
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalGone, ApprovalOwn, ApprovalVoid, BlastNotEditable
from campaigns.models import Approval, Blast
from campaigns.services import freezing
from campaigns.services.blasts import locked
from campaigns.services.launching import require_sendable
from common.clock import now
from common.errors import Conflict, NotAllowed, NotFound

log = logging.getLogger(__name__)

NOTE_LIMIT = 500
_ASKABLE = (BlastState.DRAFT, BlastState.FAILED, BlastState.REPEATING)


def approval_request(*, account: Account, actor: User, blast: Blast, note: str = "") -> Approval:
    """Ask for a second person's approval of a draft as it stands; an earlier request is voided.

    Raises:
        BlastNotEditable: it is scheduled, sent or canceled.
        Conflict: somebody rewrote it while it was counted.
        DomainError: as `blast_schedule`: what could not be sent need not be approved.

    Locks: the blast's row. Side effects: mails to whoever may approve it.
    """
    found = Blast.objects.filter(account=account, pk=blast.pk).first()
    if found is None:
        raise NotFound
    told = freezing.frozen(account, found, require_sendable(account, found))
    with transaction.atomic():
        blast = locked(account, blast)
        if blast.state not in _ASKABLE:
            raise BlastNotEditable
        if blast.updated_at != found.updated_at:
            raise Conflict
        for earlier in Approval.objects.filter(blast=blast, state__in=Approval.OPEN):
            freezing.approval_void(earlier, actor=actor, changed=[])
        approval = Approval.objects.create(
            account=account,
            blast=blast,
            requested_by=actor,
            note=note[:NOTE_LIMIT],
            parts=told.parts,
            people=told.people,
            members=told.members or "",
            credits=told.credits,
        )
        _audit(approval, actor, "approval.requested")
    _mail(approval, "ask", _approvers(approval))
    return approval


def approval_decide(
    *, account: Account, actor: User, approval: Approval, is_approved: bool, answer: str = ""
) -> Approval:
    """Approve or refuse what was asked for, as it was asked.

    Raises:
        NotAllowed: the actor is no (longer a) marketer of the account; their keys go on working.
        ApprovalOwn: the actor asked, or wrote the blast, first or last.
        ApprovalGone: it was decided or voided.
        ApprovalVoid: the blast, its people or its cost changed since; it is to be asked again.

    Locks: the blast's row, then the approval's. Side effects: a mail to whoever asked.
    """
    found = Approval.objects.filter(account=account, pk=approval.pk).first()
    if found is None:
        raise NotFound
    member = Membership.objects.filter(account=account, user=actor).first()
    if member is None or not role_includes(member.role, Role.MARKETER):
        raise NotAllowed
    if not may_decide(found, actor):
        raise ApprovalOwn
    estimate = require_sendable(account, found.blast) if is_approved else None
    changed: list[str] = []
    with transaction.atomic():
        blast = locked(account, found.blast)
        approval = Approval.objects.select_for_update().get(pk=found.pk)
        if approval.state != ApprovalState.REQUESTED:
            raise ApprovalGone
        if estimate is not None:
            told = freezing.frozen(account, blast, estimate)
            changed = freezing.changes(approval, told)
        if changed:
            freezing.approval_void(approval, actor=actor, changed=changed)
        else:
            approval.state = ApprovalState.APPROVED if is_approved else ApprovalState.REJECTED
            approval.decided_by, approval.answer = actor, answer[:NOTE_LIMIT]
            approval.ended_at = None if is_approved else now()
            approval.decided_at = now()
            approval.save()
            _audit(approval, actor, f"approval.{approval.state}")
    if changed:
        raise ApprovalVoid(changed)
    if approval.requested_by is not None:
        _mail(approval, "told", [approval.requested_by.email])
    return approval


def may_decide(approval: Approval, user: User) -> bool:
    """Whether this person is the second one: neither asked nor wrote it, first or last."""
    blast = approval.blast
    return user.pk not in (approval.requested_by_id, blast.created_by_id, blast.written_by_id)


def _approvers(approval: Approval) -> list[str]:
    return [
        member.user.email
        for member in team_list(approval.account)
        if role_includes(member.role, Role.MARKETER) and may_decide(approval, member.user)
    ]


def _mail(approval: Approval, template: str, addresses: list[str]) -> None:
    link = settings.PUBLIC_URL + reverse("blast_approval", args=[approval.blast_id])
    context = {"approval": approval, "link": link, "rule": freezing.rule_kept(approval.blast)}
    text = render_to_string(f"campaigns/email/approval_{template}.txt", context)
    subject = (
        f"To approve: {approval.blast.name}"
        if template == "ask"
        else f"{approval.get_state_display()}: {approval.blast.name}"
    )
    for address in addresses:
        try:
            send_mail(" ".join(subject.split()), text, None, [address])
        except OSError as error:  # SMTPException is one, too
            log.warning("approval %s was not mailed: %s", approval.pk, error)


def _audit(approval: Approval, actor: User, action: str) -> None:
    data = {"people": approval.people, "credits": approval.credits, "members": approval.members}
    note = approval.answer if approval.decided_by_id else approval.note
    audit_record(
        account=approval.account,
        actor=actor,
        action=action,
        subject=approval.blast.name,
        data={**data, "note": note} if note else data,
    )
