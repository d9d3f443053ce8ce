"""What the frame around every page needs: the account, the role, and the inbox count."""

from typing import Any

from django.http import HttpRequest

from accounts.access import role_includes
from accounts.choices import Role
from inbox import selectors as inbox_selectors


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables of the frame; at most one query beyond the membership's."""
    membership = getattr(request, "membership", None)
    if not membership:
        return {}
    return {
        "membership": membership,
        "account": membership.account,
        "can_write": role_includes(membership.role, Role.MARKETER),
        "can_admin": role_includes(membership.role, Role.ADMIN),
        "inbox_unread": inbox_selectors.conversations_unread(account=membership.account),
    }
