"""Puts the current account and membership on each request (`request.account`, `.membership`)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts import selectors
from accounts.models import Membership

SESSION_KEY = "account_id"


def _membership(request: HttpRequest) -> Membership | None:
    # The API's framework puts None there for a call without a key.
    if request.user is None or not request.user.is_authenticated:
        return None
    return selectors.membership_current(
        user=request.user, preferred_account_id=request.session.get(SESSION_KEY)
    )


class CurrentAccountMiddleware:
    """Resolves lazily: pages that need no account cost no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.membership = SimpleLazyObject(lambda: _membership(request))
        return self.get_response(request)
