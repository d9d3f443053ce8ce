"""Keyset paging: the same cost on the first and the thousandth page.

Owns `Page` for dashboard lists and `KeysetPagination` for the API, both newest first by id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    """One page, newest first. `older` and `newer` are keys for `?before=` and `?after=`.

    `is_cut`: as many rows were looked at as one look may cost; there may be more behind them.
    """

    rows: Sequence[M]
    older: int | None
    newer: int | None
    is_cut: bool = False


def keyset_page(queryset: QuerySet[M], params: Any, *, size: int = 50, key: str = "pk") -> Page[M]:
    """The page of `queryset` that `?before=<key>` or `?after=<key>` asks for. One query.

    Args:
        queryset: Unordered; paged by descending key.
        params: Query parameters (`request.GET`); anything but digits is ignored.
        size: Rows a page.
        key: A unique whole number of each row that has an index together with what the queryset
            is filtered by; else a page reads every row that lies before it.
    """
    before, after = (_int(params.get(name)) for name in ("before", "after"))
    if after is not None:
        rows = list(queryset.filter(**{f"{key}__gt": after}).order_by(key)[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        newer = getattr(rows[0], key) if more else None
        return Page(rows, getattr(rows[-1], key) if rows else None, newer)
    if before is not None:
        queryset = queryset.filter(**{f"{key}__lt": before})
    rows = list(queryset.order_by(f"-{key}")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(
        rows,
        getattr(rows[-1], key) if more else None,
        getattr(rows[0], key) if rows and before is not None else None,
    )


def bounded_page(
    wanted: QuerySet[M],
    params: Any,
    *,
    among: QuerySet[M] | None,
    most: int,
    size: int = 50,
    key: str = "pk",
) -> Page[M]:
    """A page of what no index finds: a `keyset_page` that reads at most `most` rows. Two queries.

    A page may hold fewer rows than `size`, even none, and still have others behind it; it is then
    `is_cut`, and `older` (`newer`) goes on where it stopped looking.

    Args:
        wanted: Rows of `among` that fit, unordered.
        params: As of `keyset_page`.
        among: What there is to look through, filtered by nothing that its index does not know;
            None where an index finds all that is wanted.
        most: How many rows of `among` may be looked at.
        size: Rows a page.
        key: As of `keyset_page`, with an index over `among`.
    """
    if among is None:
        return keyset_page(wanted, params, size=size, key=key)
    before, after = (_int(params.get(name)) for name in ("before", "after"))
    if after is not None:
        ahead = among.filter(**{f"{key}__gt": after}).order_by(key)
    else:
        ahead = among if before is None else among.filter(**{f"{key}__lt": before})
        ahead = ahead.order_by(f"-{key}")
    end = ahead.values_list(key, flat=True)[most - 1 : most].first()
    if end is None:
        return keyset_page(wanted, params, size=size, key=key)
    side = "lte" if after is not None else "gte"
    page = keyset_page(wanted.filter(**{f"{key}__{side}": end}), params, size=size, key=key)
    if after is None and page.older is None:
        return replace(page, older=end, is_cut=True)
    if after is not None and page.newer is None:
        return replace(page, older=page.older or after + 1, newer=end, is_cut=True)
    return page


def _int(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
