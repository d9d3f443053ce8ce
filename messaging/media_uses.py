"""Who refers to pictures, beside the rows of messaging itself.

Drafts and saved texts stand above messages, so campaigns says at start-up how it is asked
(`campaigns/apps.py`). A picture that nobody refers to is removed.
"""

from collections.abc import Callable, Collection
from itertools import chain
from typing import Final

from messaging.models import Batch, InboundMedia

Uses = Callable[[Collection[int]], set[int]]

_REGISTERED: Final[list[Uses]] = []


def register_uses(uses: Uses) -> None:
    """Let `uses` say which of some pictures (ids) something above messaging refers to."""
    if uses not in _REGISTERED:
        _REGISTERED.append(uses)


def media_used(media_ids: Collection[int]) -> set[int]:
    """Those of some pictures that something refers to. Two queries, and those of who registered."""
    ids = list(media_ids)
    # The partial index asks for the condition to be repeated.
    batches = Batch.objects.exclude(media_ids=[]).filter(media_ids__overlap=ids)
    came_in = InboundMedia.objects.filter(media_id__in=ids).values_list("media_id", flat=True)
    used = set(chain.from_iterable(batches.values_list("media_ids", flat=True)))
    return (used | set(came_in)).union(*(uses(ids) for uses in _REGISTERED)) & set(ids)
