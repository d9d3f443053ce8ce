"""What an approval froze, and whether it still holds.

Content and audience are frozen as a digest: text, pictures, groups, numbers, time to give up.
People and credits are frozen as figures: fewer are covered, more are not. The time is not frozen,
so an approved blast may be moved.
"""

import hashlib
import json
from dataclasses import dataclass

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.choices import ApprovalState, BlastState
from campaigns.errors import ApprovalMissing, ApprovalVoid
from campaigns.models import Approval, Blast
from common.clock import now
from common.errors import DomainError
from messaging.services import Estimate, sender_default


@dataclass(frozen=True)
class Frozen:
    """What of a blast is approved.

    Attributes:
        digest: Of text, groups, numbers and time to give up.
        people: In its groups, texted or not.
        credits: What it comes to at most.
    """

    digest: str
    people: int
    credits: int


def frozen(account: Account, blast: Blast, estimate: Estimate) -> Frozen:
    """What an approval of the blast as it stands would freeze. Three queries."""
    return Frozen(content_digest(account, blast), estimate.people, estimate.credits)


def content_digest(account: Account, blast: Blast) -> str:
    """SHA-256 over everything that decides what is sent to whom, from which numbers."""
    content = {
        "body": blast.body,
        # Of a smart group also its rules: they are who is in it.
        "groups": [list(one) for one in blast.groups.order_by("pk").values_list("pk", "rules")],
        "sender": blast.sender_id or sender_default(account).pk,
        "more_senders": sorted(blast.more_senders.values_list("pk", flat=True)),
        "give_up_hours": blast.give_up_hours,
        "smart_encoding": blast.smart_encoding,
        "utm": blast.utm,
        # Only where there are any, so that approvals of before there were pictures hold.
        **({"media": blast.media_ids} if blast.media_ids else {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_needed(account: Account, people: int) -> bool:
    """Whether a second person must approve a blast to so many people."""
    return account.requires_approval and people > account.approval_over_people


def approval_open(blast: Blast) -> Approval | None:
    """The approval that is asked for or given; of an occurrence without one, its pattern's."""
    found = Approval.objects.filter(state__in=Approval.OPEN)
    own = found.filter(blast=blast).first()
    if own is not None or blast.series is None:
        return own
    return found.filter(blast_id=blast.series.blast_id).first()


def refusal(account: Account, blast: Blast, estimate: Estimate) -> DomainError | None:
    """Why the blast may not go without another approval, or None. Voids one that no longer holds.

    Side effects: an audit row where an approval is voided.
    """
    if not is_needed(account, estimate.people):
        return None
    approval = approval_open(blast)
    if approval is None or approval.state != ApprovalState.APPROVED:
        return ApprovalMissing()
    now_frozen = frozen(account, blast, estimate)
    if approval.covers(now_frozen.digest, now_frozen.people, now_frozen.credits):
        return None
    # An occurrence that somebody rewrote by hand says nothing of its pattern.
    if approval.blast_id == blast.pk or blast.state == BlastState.SCHEDULED:
        approval_void(approval, actor=None)
    return ApprovalVoid()


def void_if_rewritten(account: Account, actor: User | None, blast: Blast) -> None:
    """Void what was asked or approved where the blast is no longer what it was.

    Side effects: an audit row where an approval is voided.
    """
    approval = Approval.objects.filter(blast=blast, state__in=Approval.OPEN).first()
    if approval is not None and approval.digest != content_digest(account, blast):
        approval_void(approval, actor=actor)


def approval_void(approval: Approval, *, actor: User | None) -> None:
    """It holds no longer. Conditional, so that it is voided and audited once."""
    changed = Approval.objects.filter(pk=approval.pk, state__in=Approval.OPEN).update(
        state=ApprovalState.VOID, ended_at=now()
    )
    if changed:
        audit_record(
            account=approval.account,
            actor=actor,
            action="approval.void",
            subject=approval.blast.name,
            data={"people": approval.people, "credits": approval.credits},
        )
