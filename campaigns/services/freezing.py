"""What an approval froze, and whether it still holds.

Content and people are frozen as digests: text, pictures, groups, numbers, time to give up, how it
repeats, and who is in the groups, whether they may be texted or not. Credits are a most. The time
is not frozen, so an approved blast may be moved, and one that repeats to another time of day.

Of a pattern that repeats the people of a day are other ones by nature: its occurrences are held to
the content, which names the groups and their rules, to as many people, and to the credits.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.choices import ApprovalState, BlastState, Every, SeriesState
from campaigns.errors import ApprovalMissing, ApprovalVoid
from campaigns.models import Approval, Blast, Series
from campaigns.recurring import Rule
from common.clock import now
from common.errors import DomainError
from contacts.selectors import audience
from messaging.models import Batch
from messaging.selectors import audience_digest, batch_digest
from messaging.services import Estimate, sender_default


@dataclass(frozen=True)
class Frozen:
    """What of a blast is approved.

    Attributes:
        parts: What decides what is sent to which groups from which numbers, as digests by name.
        people: In its groups, texted or not.
        members: Digest of who they are; None where nobody looked.
        credits: What it comes to at most.
    """

    parts: dict[str, str]
    people: int
    members: str | None
    credits: int


def frozen(
    account: Account, blast: Blast, estimate: Estimate, *, rule: Rule | None = None
) -> Frozen:
    """What an approval of the blast as it stands would freeze. One query over its people.

    `rule` is how it is to repeat, where that is not the rule kept with it.
    """
    group_ids = list(blast.groups.values_list("pk", flat=True))
    people = audience(account=account, group_ids=group_ids)
    members = audience_digest(account=account, audience=people)
    parts = content_parts(account, blast, rule or rule_kept(blast))
    return Frozen(parts, estimate.people, members, estimate.credits)


def rule_kept(blast: Blast) -> Rule | None:
    """How a blast repeats or is meant to; None where it goes out once."""
    series = Series.objects.filter(blast=blast).exclude(state=SeriesState.ENDED).first()
    return series.rule if series else None


def content_parts(account: Account, blast: Blast, rule: Rule | None) -> dict[str, str]:
    """SHA-256 of each thing that decides what is sent, by the name people know it by."""
    parts: dict[str, Any] = {
        "text": [blast.body, blast.smart_encoding, blast.utm],
        # Of a smart group also its rules: they are who is in it.
        "groups": [list(one) for one in blast.groups.order_by("pk").values_list("pk", "rules")],
        "numbers": [
            blast.sender_id or sender_default(account).pk,
            *sorted(blast.more_senders.values_list("pk", flat=True)),
        ],
        "time to give up": blast.give_up_hours,
        "pictures": blast.media_ids,
    }
    if rule is not None:
        parts["repetition"] = _repetition(rule)
    return {
        name: hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
        for name, part in parts.items()
    }


def _repetition(rule: Rule) -> list[Any]:
    """On which days it goes out and how often. From when on only where that says how often."""
    days = {Every.WEEK: rule.weekdays_meant, Every.MONTH: (rule.starts_on.day,)}
    held = [
        rule.every,
        rule.interval,
        list(days.get(Every(rule.every), ())),
        rule.ends_on.isoformat() if rule.ends_on else None,
        rule.count,
    ]
    return [*held, rule.starts_on.isoformat()] if rule.has_end else held


def changes(approval: Approval, told: Frozen, *, is_pattern: bool = False) -> list[str]:
    """What is not as it was asked or approved, in words; empty where the approval covers it.

    What was approved to repeat may go out once, never the other way round.

    Args:
        approval: What was asked or approved.
        told: What would be sent.
        is_pattern: Whether `told` is of an occurrence of the blast that was approved.
    """
    words = [f"its {name}" for name, part in told.parts.items() if approval.parts.get(name) != part]
    if told.people > approval.people:
        words.append(f"its people ({told.people:,} now, {approval.people:,} then)")
    elif told.members not in (None, approval.members) and not is_pattern:
        fewer = f"{told.people:,} now, {approval.people:,} then"
        same = "as many, but not the same ones"
        words.append(f"its people ({fewer if told.people < approval.people else same})")
    if told.credits > approval.credits:
        words.append(f"its cost ({told.credits:,} credits now, {approval.credits:,} then)")
    return words


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


def refusal(
    account: Account, blast: Blast, estimate: Estimate, *, rule: Rule | None = None
) -> DomainError | None:
    """Why the blast may not go without another approval, or None. Voids one that no longer holds.

    `rule` is how it is about to repeat; without it, as it is kept.

    Side effects: an audit row where an approval is voided.
    """
    if not is_needed(account, estimate.people):
        return None
    approval = approval_open(blast)
    if approval is None or approval.state != ApprovalState.APPROVED:
        return ApprovalMissing()
    is_pattern = approval.blast_id != blast.pk
    if is_pattern and blast.series is not None:
        rule = blast.series.rule
    told = frozen(account, blast, estimate, rule=rule)
    changed = changes(approval, told, is_pattern=is_pattern)
    if not changed:
        return None
    # An occurrence that somebody rewrote by hand says nothing of its pattern.
    if approval.blast_id == blast.pk or blast.state == BlastState.SCHEDULED:
        approval_void(approval, actor=None, changed=changed)
    return ApprovalVoid(changed)


def launch_refusal(account: Account, blast: Blast, batch: Batch) -> ApprovalVoid | None:
    """Why a batch that was made just now is not what was approved, or None; voids nothing.

    `refusal` looked before the people were taken. Who joined in between is found here, among those
    who would really be texted, so the caller's transaction can still go.
    """
    if not is_needed(account, batch.size):
        return None
    approval = approval_open(blast)
    if approval is None or approval.state != ApprovalState.APPROVED:
        return ApprovalVoid([f"its people ({batch.size:,} now)"])
    told = Frozen({}, batch.size, batch_digest(batch=batch), 0)
    changed = changes(approval, told, is_pattern=approval.blast_id != blast.pk)
    return ApprovalVoid(changed) if changed else None


def void_if_rewritten(account: Account, actor: User | None, blast: Blast) -> None:
    """Void what was asked or approved where the blast is no longer what it was.

    Side effects: an audit row where an approval is voided.
    """
    approval = Approval.objects.filter(blast=blast, state__in=Approval.OPEN).first()
    if approval is None:
        return
    told = Frozen(content_parts(account, blast, rule_kept(blast)), 0, None, 0)
    if changed := changes(approval, told):
        approval_void(approval, actor=actor, changed=changed)


def approval_void(approval: Approval, *, actor: User | None, changed: list[str]) -> None:
    """It holds no longer. Conditional, so that it is voided and audited once.

    Args:
        approval: Asked for or given.
        actor: Whose act voided it.
        changed: What is no longer as it was (`changes`); empty where it was asked again.
    """
    why = f"What changed since: {', '.join(changed)}." if changed else "It was asked again."
    voided = Approval.objects.filter(pk=approval.pk, state__in=Approval.OPEN).update(
        state=ApprovalState.VOID, ended_at=now(), void_why=why[:300]
    )
    if voided:
        audit_record(
            account=approval.account,
            actor=actor,
            action="approval.void",
            subject=approval.blast.name,
            data={"people": approval.people, "credits": approval.credits, "why": why[:300]},
        )
