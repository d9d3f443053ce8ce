"""Signed addresses of pictures, as carriers get them. Pure: no database.

Owns `EDGE_URL/media/<id>.<last day>.<signature>`. Whoever has an address may fetch until its last
day is over; nobody can make or change one. Carriers fetch within seconds and try again for some
hours, so a week is long enough, and the same address all day lets them keep what they fetched.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer

PREFIX: Final = "/media/"
VALID_DAYS: Final = 7
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def media_url(media_id: int, *, at: datetime) -> str:
    """The address under which a carrier may fetch a picture from `at` on for a week."""
    return f"{settings.EDGE_URL}{PREFIX}{_signed(media_id, _day(at + timedelta(days=VALID_DAYS)))}"


def media_read(token: str, *, at: datetime) -> int | None:
    """The picture that an address is about; None where it was forged or its time is over.

    Signatures are compared in constant time.
    """
    try:
        media_id, last_day = _signer().unsign(token).split(".")
    except (BadSignature, ValueError):
        return None
    return int(media_id) if _day(at) <= int(last_day) else None


def media_urls(media_ids: Sequence[int], *, at: datetime) -> list[str]:
    """The addresses of the pictures of one text, in their order."""
    return [media_url(media_id, at=at) for media_id in media_ids]


def _signed(media_id: int, last_day: int) -> str:
    return _signer().sign(f"{media_id}.{last_day}")


def _signer() -> Signer:
    return Signer(salt="messaging.media", sep=".")


def _day(at: datetime) -> int:
    return (at - _EPOCH).days
