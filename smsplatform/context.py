"""What the frame around every page needs: the account, the role, the places, what waits there."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from accounts.access import role_includes
from accounts.choices import Role
from accounts.models import Membership, User
from accounts.selectors import user_may_send
from campaigns import planned
from inbox import selectors as inbox_selectors


@dataclass(frozen=True)
class Place:
    """An entry of the bar at the left (at the bottom on a phone)."""

    label: str
    href: str
    icon: str
    active: bool
    on_phone: bool
    count: int = 0
    counts: str = ""


# label, URL name, path prefixes that belong to it, icon, in the phone's bar itself (not under More)
_PLACES = (
    ("Overview", "overview", (), "layout-dashboard", True),
    (
        "Campaigns",
        "campaign_list",
        ("/campaigns/", "/blasts/", "/templates/"),
        "speakerphone",
        True,
    ),
    ("Inbox", "inbox", ("/inbox/",), "messages", True),
    ("Contacts", "contact_list", ("/contacts/",), "users", True),
    ("Links", "link_list", ("/links/",), "link", False),
    ("Messages", "message_log", ("/messages/",), "list-details", False),
    ("Settings", "settings", ("/settings/", "/costs/", "/exports/"), "settings", False),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables of the frame; at most four queries beyond the membership's."""
    membership = getattr(request, "membership", None)
    if not membership:
        return {}
    unread = inbox_selectors.conversations_unread(account=membership.account)
    to_approve = _to_approve(membership)
    counted = {"inbox": (unread, "unread"), "campaign_list": (to_approve, "to approve")}
    nav = [
        Place(
            label=label,
            href=_address(name),
            icon=icon,
            active=request.path.startswith(prefixes) if prefixes else request.path == "/",
            on_phone=on_phone,
            count=counted.get(name, (0, ""))[0],
            counts=counted.get(name, (0, ""))[1],
        )
        for label, name, prefixes, icon, on_phone in _PLACES
    ]
    return {
        "membership": membership,
        "memberships": SimpleLazyObject(lambda: _memberships(membership.user)),
        "account": membership.account,
        "can_write": role_includes(membership.role, Role.MARKETER),
        "can_admin": role_includes(membership.role, Role.ADMIN),
        "email_confirmed": SimpleLazyObject(lambda: user_may_send(membership.user)),
        "inbox_unread": unread,
        "to_approve": to_approve,
        "nav": nav,
        "nav_more_active": any(place.active and not place.on_phone for place in nav),
    }


def _to_approve(membership: Membership) -> int:
    """Blasts that wait for this person's approval; no query where the account asks for none."""
    account = membership.account
    if not (account.requires_approval and role_includes(membership.role, Role.MARKETER)):
        return 0
    return planned.approvals_waiting(account=account, user=membership.user).count()


def _address(name: str) -> str:
    """The page's address; empty for a place this installation does not have."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _memberships(user: User) -> list[Membership]:
    return list(Membership.objects.filter(user=user).select_related("account").order_by("id"))
