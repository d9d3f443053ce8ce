"""Keyset paging: the same cost on the first and the thousandth page.

Owns `Page` for dashboard lists and `KeysetPagination` for the API, both newest first by id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.pagination import CursorPagination

M = TypeVar("M", bound=Model)


class KeysetPagination(CursorPagination):
    """API lists: `results`, `next`, `previous`; `page_size` up to 1000."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A page in the OpenAPI document; the addresses are null at either end."""
        address = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": address, "previous": address, "results": schema}
        return {"type": "object", "properties": properties, "required": list(properties)}


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page, newest first. `older` and `newer` are ids for `?before=` and `?after=`."""

    rows: Sequence[M]
    older: int | None
    newer: int | None


def keyset_page(queryset: QuerySet[M], params: Any, *, size: int = 50) -> Page[M]:
    """The page of `queryset` that `?before=<id>` or `?after=<id>` asks for. One query.

    Args:
        queryset: Unordered; paged by descending primary key.
        params: Query parameters (`request.GET`); anything but digits is ignored.
        size: Rows a page.
    """
    before, after = (_int(params.get(name)) for name in ("before", "after"))
    if after is not None:
        rows = list(queryset.filter(pk__gt=after).order_by("pk")[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        newer = rows[0].pk if more else None
        return Page(rows, rows[-1].pk if rows else None, newer)
    if before is not None:
        queryset = queryset.filter(pk__lt=before)
    rows = list(queryset.order_by("-pk")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(
        rows,
        rows[-1].pk if more else None,
        rows[0].pk if rows and before is not None else None,
    )


def _int(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
