"""Media of messages: fetched as a carrier fetches what it sends, kept as it keeps what came in.

Owns what of a MediaUrl is looked at. Codes: https://www.twilio.com/docs/errors/11200 (cannot be
fetched), 12300 (type not told or not passed on), 30019 (too large for carriers).
"""

from __future__ import annotations

import asyncio
import base64
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST_BYTES = 5_000_000
MOST_FILES = 10
ACCEPTED = ("image/jpeg", "image/png", "image/gif")
_TIMEOUT_S = 5.0
# The smallest GIF: one transparent point.
POINT = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@dataclass(slots=True, frozen=True)
class Fetched:
    """What came of fetching one MediaUrl: HTTP status (0: no answer), its type and size."""

    url: str
    status: int
    content_type: str
    size: int

    def data(self) -> dict[str, Any]:
        """As the record shows it."""
        return asdict(self)


async def fetch_all(urls: Sequence[str]) -> list[Fetched]:
    """Fetch the media of one message, all at once."""
    return list(await asyncio.gather(*(asyncio.to_thread(_fetch, url) for url in urls)))


def failure(fetched: Sequence[Fetched]) -> str:
    """The outcome that the media bring about (a name of `behaviours.MEDIA_OUTCOMES`), or ""."""
    if any(one.status != 200 for one in fetched):
        return "media_unreachable"
    if any(one.content_type not in ACCEPTED for one in fetched):
        return "media_type"
    return "media_too_large" if sum(one.size for one in fetched) > MOST_BYTES else ""


def _fetch(url: str) -> Fetched:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            size = len(answer.read(MOST_BYTES + 1))
            return Fetched(url, answer.status, answer.headers.get_content_type(), size)
    except urllib.error.HTTPError as error:
        with error:
            return Fetched(url, error.code, "", 0)
    except (OSError, ValueError):
        return Fetched(url, 0, "", 0)


@dataclass(slots=True, frozen=True)
class File:
    """A file that a phone sent."""

    content_type: str
    data: bytes


def files_from(value: Any) -> tuple[File, ...] | None:
    """Files of a control request: a number of the smallest pictures, or each with type and data.

    Returns:
        None where it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (File("image/gif", POINT),) * value if 0 <= value <= MOST_FILES else None
    if not isinstance(value, list) or len(value) > MOST_FILES:
        return None
    files = []
    for one in value:
        if not isinstance(one, dict) or not isinstance(one.get("content_type"), str):
            return None
        try:
            data = base64.b64decode(one.get("base64", ""), validate=True)
        except (ValueError, TypeError):
            return None
        files.append(File(one["content_type"], data))
    return tuple(files)
