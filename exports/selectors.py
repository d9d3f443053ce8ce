"""Reads of exports."""

import zlib
from collections.abc import Iterator

from django.db.models import QuerySet

from accounts.models import Account
from exports.models import Export


def exports_list(*, account: Account) -> QuerySet[Export]:
    """The account's exports that are kept, unordered (page them by key), with who asked."""
    return Export.objects.filter(account=account).select_related("requested_by")


def export_content(*, export: Export) -> Iterator[bytes]:
    """The file of a finished export, part by part."""
    parts = export.parts.order_by("n").values_list("content", flat=True)
    for content in parts.iterator(chunk_size=4):
        yield zlib.decompress(content)
