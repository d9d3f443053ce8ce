"""Whether the pages that drafts lead to answer: asked in the background, told as advice.

Owns when an address is asked and for how long its answer counts. The request itself, with its guard
against private addresses, is `tracking.probing`'s; what a link may lead to at all is
`tracking.services.destination_check`'s.
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.models import F, Q

from accounts.models import Account
from common.clock import now
from common.jobs import enqueue
from tracking.errors import BadDestination
from tracking.models import Destination
from tracking.probing import is_public, probe
from tracking.services import THIS_MACHINE, destination_check

FRESH: Final = timedelta(minutes=10)
# A hint may be lost, or its worker killed.
ASKED_AGAIN: Final = timedelta(minutes=1)
KEPT: Final = timedelta(days=1)
# Addresses an account may have asked in an hour; more is no writing of texts.
HOURLY_LIMIT: Final = 60
_AT_ONCE: Final = 20
# A worker process gives its place to other work now and then: STOPs wait in the same pool.
_SHIFT_S: Final = 10.0
_LOCK: Final = 0x5EC1
_WAITS: Final = Q(checked_at=None) | Q(checked_at__lt=F("asked_at"))


def destinations_ask(*, account: Account, urls: Sequence[str]) -> None:
    """Have addresses asked whose answers are not fresh. One query where all are.

    What a link may not lead to is left out, and so is what passes the hourly limit.

    Side effects: after commit, a hint to ask them.
    """
    if not urls:
        return
    wanted = {_digest(url): url for url in urls if _may_be_asked(url)}
    moment = now()
    recent = Destination.objects.filter(account=account, digest__in=wanted).filter(
        Q(checked_at__gt=moment - FRESH) | Q(asked_at__gt=moment - ASKED_AGAIN)
    )
    for digest in recent.values_list("digest", flat=True):
        del wanted[digest]
    if not wanted:
        return
    hour = Destination.objects.filter(account=account, asked_at__gt=moment - timedelta(hours=1))
    if hour.count() + len(wanted) > HOURLY_LIMIT:
        return
    Destination.objects.bulk_create(
        [
            Destination(account=account, digest=digest, url=url, asked_at=moment)
            for digest, url in sorted(wanted.items())
        ],
        update_conflicts=True,
        unique_fields=["account", "digest"],
        update_fields=["asked_at"],
    )
    enqueue("tracking.check_destinations")


def destinations_check() -> int:
    """Ask what waits, and forget what is old. No transaction is open while anybody is asked.

    One process at a time, for _SHIFT_S at most; the next tick goes on.

    Returns:
        How many were asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        try:
            return _check()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _check() -> int:
    Destination.objects.filter(asked_at__lt=now() - KEPT).delete()
    waiting = Destination.objects.filter(_WAITS, asked_at__gt=now() - FRESH).order_by("asked_at")
    until_s, asked = time.monotonic() + _SHIFT_S, 0
    for row in list(waiting[:_AT_ONCE]):
        if time.monotonic() > until_s:
            break
        asked += 1
        answer = probe(row.url, allows=_allows)
        Destination.objects.filter(pk=row.pk).update(
            checked_at=now(),
            status=answer.status,
            elapsed_ms=answer.elapsed_ms,
            problem=answer.problem,
        )
    return asked


def destinations_known(*, account: Account, urls: Sequence[str]) -> list[Destination]:
    """What is known of addresses, in their order, also while they wait. One query at most."""
    if not urls:
        return []
    digests = [_digest(url) for url in dict.fromkeys(urls)]
    rows = {
        row.digest: row for row in Destination.objects.filter(account=account, digest__in=digests)
    }
    return [rows[digest] for digest in digests if digest in rows]


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _may_be_asked(url: str) -> bool:
    try:
        destination_check(url)
    except BadDestination:
        return False
    return True


def _allows(address: str) -> bool:
    """Public addresses; on an installation tried out on one machine, that machine too."""
    if is_public(address):
        return True
    ours = urlsplit(settings.LINK_URL).hostname or ""
    return ours in THIS_MACHINE and address in THIS_MACHINE
