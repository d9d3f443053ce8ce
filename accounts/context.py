"""What pages outside an account need to know about this installation."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.mailbox import mailbox_is_open


def installation(request: HttpRequest) -> dict[str, Any]:
    """Whether strangers may sign up, what they get, and where local mail is read. No query."""
    return {
        "signup_open": settings.SIGNUP == "open",
        "trial_credits": settings.TRIAL_CREDITS,
        "mailbox_active": SimpleLazyObject(lambda: mailbox_is_open(request)),
    }
