"""System checks: settings of this app that would be dangerous where they stand."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from accounts import mailbox

SIGNUP_VALUES = ("open", "invite", "closed")


def mailbox_is_local(**_: Any) -> list[CheckMessage]:
    """The mailbox page shows password-reset links, so it is only for a machine's own address."""
    if mailbox.mailbox_is_active() and not mailbox.address_is_local(settings.PUBLIC_URL):
        return [
            Error(
                "EMAIL_URL=mailbox:// keeps mail on a local page, but PUBLIC_URL is public.",
                hint="Set EMAIL_URL to a mail server, for example smtp+tls://user:password@host:587",
                id="accounts.E001",
            )
        ]
    return []


def signup_is_known(**_: Any) -> list[CheckMessage]:
    """A misspelt SIGNUP must not be read as any of the three."""
    if settings.SIGNUP not in SIGNUP_VALUES:
        return [
            Error(f"SIGNUP is {settings.SIGNUP!r}; use open, invite or closed.", id="accounts.E002")
        ]
    return []
