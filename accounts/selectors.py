"""Reads of accounts, members, keys and credits."""

from accounts.models import Membership, User


def membership_current(*, user: User, preferred_account_id: int | None) -> Membership | None:
    """The membership a user works under: the one chosen last, else the oldest. One query.

    Returns:
        A membership with `account` loaded, or None when the user belongs to no account.
    """
    memberships = list(
        Membership.objects.filter(user=user).select_related("account", "user").order_by("id")
    )
    for membership in memberships:
        if membership.account_id == preferred_account_id:
            return membership
    return memberships[0] if memberships else None
