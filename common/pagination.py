"""Keyset paging: the same cost on the first and the thousandth page.

Owns `Page` for dashboard lists and `KeysetPagination` for the API, both newest first by a key: the
id, or up to two columns that have an index together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F, Field, Model, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)
from django.utils.timezone import is_naive
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

M = TypeVar("M", bound=Model)

# More than fit into a whole number of the database.
_MOST_DIGITS: Final = 19


class KeysetPagination(CursorPagination):
    """API lists: `results`, `next`, `previous`; `page_size` up to 1000."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The place that `?cursor=` names.

        Raises:
            NotFound: it is none of ours; every key is a whole number.
        """
        cursor = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        place = str(cursor.position)
        if not (place.isascii() and place.isdigit() and len(place) < _MOST_DIGITS):
            raise NotFound(self.invalid_cursor_message)
        return cursor

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
    older: str | None
    newer: str | None
    is_cut: bool = False


def keyset_page(
    queryset: QuerySet[M], params: Any, *, size: int = 50, key: Sequence[str] = ("pk",)
) -> Page[M]:
    """The page of `queryset` that `?before=<key>` or `?after=<key>` asks for. One query.

    Args:
        queryset: Unordered; paged by descending key.
        params: Query parameters (`request.GET`); what is no key is ignored.
        size: Rows a page.
        key: One or two columns that together are unique, the last of them a whole number, and have
            an index together with what the queryset is filtered by; else a page reads every row
            that lies before it.
    """
    before, after = (_read(queryset, key, params.get(name)) for name in ("before", "after"))
    if after is not None:
        ahead = beyond(queryset, key, ">", after).order_by(*key)
        rows = list(ahead[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        newer = _told(_key_of(rows[0], key)) if more else None
        return Page(rows, _told(_key_of(rows[-1], key)) if rows else None, newer)
    if before is not None:
        queryset = beyond(queryset, key, "<", before)
    rows = list(queryset.order_by(*(f"-{name}" for name in key))[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(
        rows,
        _told(_key_of(rows[-1], key)) if more else None,
        _told(_key_of(rows[0], key)) if rows and before is not None else None,
    )


def bounded_page(
    wanted: QuerySet[M],
    params: Any,
    *,
    among: QuerySet[M] | None,
    most: int,
    size: int = 50,
    key: Sequence[str] = ("pk",),
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
    before, after = (_read(among, key, params.get(name)) for name in ("before", "after"))
    is_back = after is not None
    start = after if is_back else before
    end = look_end(among, key, start=start, is_ascending=is_back, most=most)
    if end is None:
        return keyset_page(wanted, params, size=size, key=key)
    looked_at = beyond(wanted, key, "<=" if is_back else ">=", end)
    page = keyset_page(looked_at, params, size=size, key=key)
    if after is None and page.older is None:
        return replace(page, older=_told(end), is_cut=True)
    if after is not None and page.newer is None:
        *first, last = after
        return replace(
            page, older=page.older or _told((*first, last + 1)), newer=_told(end), is_cut=True
        )
    return page


def look_end(
    among: QuerySet[M],
    key: Sequence[str],
    *,
    start: Sequence[Any] | None,
    is_ascending: bool,
    most: int,
) -> Sequence[Any] | None:
    """The key of the last of the `most` rows that one look behind `start` reads. One query.

    Returns:
        None where there are fewer, so that all of them may be read.
    """
    if start is not None:
        among = beyond(among, key, ">" if is_ascending else "<", start)
    order = key if is_ascending else [f"-{name}" for name in key]
    return among.order_by(*order).values_list(*key)[most - 1 : most].first()


_SIDES: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    "<": ("lt", TupleLessThan),
    "<=": ("lte", TupleLessThanOrEqual),
    ">": ("gt", TupleGreaterThan),
    ">=": ("gte", TupleGreaterThanOrEqual),
}


def beyond(
    queryset: QuerySet[M], key: Sequence[str], side: str, value: Sequence[Any]
) -> QuerySet[M]:
    """The rows on one side (`<`, `<=`, `>`, `>=`) of a key."""
    lookup, of_pair = _SIDES[side]
    if len(key) == 1:
        return queryset.filter(**{f"{key[0]}__{lookup}": value[0]})
    return queryset.filter(of_pair(Tuple(*map(F, key)), tuple(value)))


def _key_of(row: Model, key: Sequence[str]) -> Sequence[Any]:
    return [getattr(row, name) for name in key]


def _told(value: Sequence[Any]) -> str:
    return "_".join(map(str, value))


def _read(queryset: QuerySet[M], key: Sequence[str], text: str | None) -> Sequence[Any] | None:
    """The key that an address names; None for what is none."""
    parts = (text or "").split("_")
    if len(parts) != len(key) or not (parts[-1].isascii() and parts[-1].isdigit()):
        return None
    if any(part.isdigit() and len(part) >= _MOST_DIGITS for part in parts):
        return None
    try:
        found = [
            _field(queryset, name).to_python(part) for name, part in zip(key, parts, strict=True)
        ]
        if any(isinstance(one, datetime) and is_naive(one) for one in found):
            return None
        # PostgreSQL knows fewer zones than Python.
        return [one.astimezone(UTC) if isinstance(one, datetime) else one for one in found]
    except (ValidationError, OverflowError):
        return None


def _field(queryset: QuerySet[M], name: str) -> "Field[Any, Any]":
    meta = queryset.model._meta
    found = meta.pk if name == "pk" else meta.get_field(name)
    assert isinstance(found, Field)
    return found
