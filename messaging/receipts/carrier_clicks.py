"""Taps that a carrier reports on links it shortened itself.

Owns their way into the same table as our own hits: where the address is one of the batch's links,
a hit is stored for the recipient and judged like any other. Carriers do not filter robots, so the
user agent is judged here too.
"""

import hashlib
from datetime import datetime

from django.db import connection

from messaging.carrier_list import SKEW
from messaging.gateways.events import LinkClick
from messaging.models import Attempt, CarrierAccount, Message
from messaging.receipts.queue import SetAside
from tracking.models import Click, Link


def carrier_click_store(
    *, carrier_account: CarrierAccount, tap: LinkClick, event_at: datetime
) -> None:
    """Store a tap as a hit on our link to the same address.

    Raises:
        SetAside: it names no message of this carrier account, or an address that is no link of it.
            Nothing is stored then.

    Locks: the tap, by an advisory lock.
    """
    if tap.account_ref != carrier_account.external_id:
        raise SetAside("It names another account of the carrier.")
    attempt = (
        Attempt.objects.filter(carrier_account=carrier_account, carrier_id=tap.carrier_id)
        .select_related("message")
        .first()
    )
    if attempt is None:
        raise SetAside("There is no such message.")
    message: Message = attempt.message
    link = Link.objects.filter(batch_id=message.batch_id, destination=tap.destination).first()
    if link is None or message.recipient_no is None:
        raise SetAside("The address is no link of this message.")
    # The carrier tells no address of the visitor: each tap stands alone, a repetition is known.
    seen = f"{tap.carrier_id} {tap.at or event_at} {tap.user_agent}".encode()
    ip_hash = hashlib.blake2b(seen, digest_size=16).digest()
    # Two workers may be at the same tap, told twice.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(ip_hash[:8], signed=True)]
        )
    at = event_at
    # Nobody taps before the text was written or after the tap was told: reports go by this time.
    if tap.at is not None and message.created_at - SKEW <= tap.at <= event_at + SKEW:
        at = tap.at
    if not Click.objects.filter(ip_hash=ip_hash).exists():
        Click.objects.create(
            account_id=link.account_id,
            link=link,
            recipient_no=message.recipient_no,
            at=at,
            method="GET",
            user_agent=tap.user_agent[:500],
            browser_headers=True,
            ip_hash=ip_hash,
        )
