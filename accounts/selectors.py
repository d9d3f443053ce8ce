"""Reads of accounts, members, keys and credits."""

from allauth.account.models import EmailAddress
from django.db.models import F, QuerySet

from accounts.models import (
    Account,
    ApiKey,
    AuditEvent,
    CreditEntry,
    Invitation,
    Membership,
    User,
    VerifiedNumber,
)
from common.clock import now


def membership_current(*, user: User, preferred_account_id: int | None) -> Membership | None:
    """The membership a user works under: the one chosen last, else the oldest. One query.

    Returns:
        A membership with `account` loaded, or None when the user belongs to no account.
    """
    memberships = list(memberships_of(user))
    for membership in memberships:
        if membership.account_id == preferred_account_id:
            return membership
    return memberships[0] if memberships else None


def memberships_of(user: User) -> QuerySet[Membership]:
    """Everything a user belongs to, oldest first, with accounts loaded."""
    return Membership.objects.filter(user=user).select_related("account", "user").order_by("id")


def membership_of(*, account: Account, user: User) -> Membership | None:
    """The user's membership of this account, if any. One query."""
    return Membership.objects.filter(account=account, user=user).first()


def team_list(account: Account) -> QuerySet[Membership]:
    """Members with their users loaded, by name. One query."""
    return (
        Membership.objects.filter(account=account)
        .select_related("user")
        .order_by("user__name", "user__email")
    )


def invitations_pending(account: Account) -> QuerySet[Invitation]:
    """Invitations that can still be accepted, newest first, with who sent them."""
    return (
        Invitation.objects.filter(
            account=account,
            accepted_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=now(),
        )
        .select_related("invited_by")
        .order_by("-id")
    )


def user_by_email(email: str) -> User | None:
    """Who logs in with this address, whatever its case. One query."""
    return User.objects.filter(email__iexact=email).first()


def user_may_send(user: User) -> bool:
    """Whether the user confirmed an e-mail address; without it nothing of theirs is sent."""
    return EmailAddress.objects.filter(user=user, verified=True).exists()


def credits_held(account: Account) -> int:
    """Credits reserved for sends under way, as of now. One query."""
    return Account.objects.values_list("credit_held", flat=True).get(pk=account.pk)


def credit_entries(account: Account) -> QuerySet[CreditEntry]:
    """The statement, unordered (page it by key), with who caused each movement."""
    return CreditEntry.objects.filter(account=account).select_related("actor")


def apikeys_list(account: Account) -> QuerySet[ApiKey]:
    """Keys, working ones first, then newest first, with who made them."""
    return (
        ApiKey.objects.filter(account=account)
        .select_related("created_by")
        .order_by(F("revoked_at").desc(nulls_first=True), "-id")
    )


def audit_events(account: Account) -> QuerySet[AuditEvent]:
    """The trail, unordered (page it by key), with who acted."""
    return AuditEvent.objects.filter(account=account).select_related("actor")


def verified_numbers(account: Account) -> QuerySet[VerifiedNumber]:
    """Phones the account asked to verify, oldest first; `verified_at` says which it did."""
    return VerifiedNumber.objects.filter(account=account).order_by("id")
