"""The audit trail: one append-only row for each act that an admin may later ask about."""

from typing import Any

from accounts.choices import AUDIT_KIND_NAMES
from accounts.models import Account, AuditEvent, User


def audit_record(
    *,
    account: Account,
    actor: User | None,
    action: str,
    subject: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write down who did what. Call it in the transaction of the act, so both or neither exist.

    Args:
        account: Whose trail it belongs to.
        actor: Who did it; None for the platform itself.
        action: Stable slug, `<kind>.<done>`, for example ``blast.launched``; the kind is one of
            AUDIT_KINDS.
        subject: What it was done to, in words a person recognises.
        data: JSON-serialisable particulars, for example the old and the new value.

    Raises:
        ValueError: the filter of the trail has no name for what the action is about.
    """
    if action.partition(".")[0] not in AUDIT_KIND_NAMES:
        raise ValueError(f"{action} is about nothing that AUDIT_KINDS names.")
    return AuditEvent.objects.create(
        account=account, actor=actor, action=action, subject=subject[:120], data=data or {}
    )


def audit_forget(*, account: Account, subject: str, alias: str) -> None:
    """Put `alias` where events name somebody who was erased; what was done to them stays."""
    AuditEvent.objects.filter(account=account, subject=subject).update(subject=alias)
