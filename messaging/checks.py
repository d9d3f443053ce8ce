"""System checks: settings of the send engine under which nothing would ever be sent."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def lease_is_long_enough(**_: Any) -> list[CheckMessage]:
    """No request starts so late that it could outlive its lease, so some time must be left."""
    lease_s: float = settings.SEND_LEASE_S
    needed_s: float = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S
    if lease_s > needed_s:
        return []
    return [
        Error(
            f"SEND_LEASE_S is {lease_s:g}, so no text could ever be sent.",
            hint=f"It must be more than CARRIER_REQUEST_TIMEOUT_S and SEND_MARGIN_S, {needed_s:g}.",
            id="messaging.E001",
        )
    ]
