"""Who may open which page: the one decorator every dashboard view carries.

Owns the order of roles and the scoping of requests, also the API's, to an account. The permission
matrix in `tests/contracts` walks every URL against it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from rest_framework.request import Request

from accounts.choices import Role
from accounts.models import Account, ApiKey, Membership, User

RANKS = {Role.VIEWER: 0, Role.MARKETER: 1, Role.ADMIN: 2, Role.OWNER: 3}

M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponseBase]


class AccountRequest(HttpRequest):
    """What a view behind `requires` is given: a user at work in an account."""

    user: User
    account: Account
    membership: Membership


def role_includes(role: str, needed: str) -> bool:
    """Whether `role` may do what `needed` may."""
    return RANKS[Role(role)] >= RANKS[Role(needed)]


def roles_up_to(role: str) -> list[tuple[str, str]]:
    """(value, label) of every role that `role` includes, the highest first."""
    return [(value, label) for value, label in Role.choices if role_includes(role, value)]


def requires(role: Role) -> Callable[[View], View]:
    """Let in members with at least `role`; sets `request.account` and the account's time zone.

    Strangers are sent to log-in, users without an account to a page that says so, members with a
    lesser role get 403 with a sentence.
    """

    def decorate(view: View) -> View:
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.membership:
                return redirect("account_none")
            if not role_includes(request.membership.role, role):
                raise PermissionDenied("Your role does not allow this. Ask an admin.")
            request.account = request.membership.account
            with timezone.override(ZoneInfo(request.account.timezone)):
                return view(request, *args, **kwargs)

        guarded: Any = wraps(view)(login_required(wrapped))
        guarded.required_role = role
        return guarded

    return decorate


def owned(queryset: QuerySet[M], account: Account, **lookup: Any) -> M:
    """One row of the account; another account's row does not exist here.

    Raises:
        Http404: if the account has no such row.
    """
    row = queryset.filter(account=account, **lookup).first()
    if row is None:
        raise Http404("There is no such thing in this account.")
    return row


def calling_account(request: Request) -> Account:
    """The account of the API key that a call came with."""
    return cast(ApiKey, request.auth).account


def calling_user(request: Request) -> User | None:
    """Who made the API key that a call came with; None once they are gone."""
    return cast("User | None", request.user)


def calling_scopes(request: Request) -> list[str]:
    """What the API key that a call came with may do."""
    return cast(ApiKey, request.auth).scopes
