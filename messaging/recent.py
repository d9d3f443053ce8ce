"""Rows of a query over a large audience, kept for half a minute while somebody types.

Only for what is shown beside a draft, never for what is charged or sent.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from common.sql import Sql

# Asking about so many people takes a second; what is small is always asked anew.
LARGE: Final = 20_000
KEPT_S: Final = 30
KEPT_ROWS: Final = 5_000

Rows = list[tuple[Any, ...]]


def rows_of(query: Sql) -> Rows:
    """The rows of a query, asked now."""
    with connection.cursor() as cursor:
        cursor.execute(query.text, query.params)
        return cursor.fetchall()


def rows_recent(query: Sql, people: Callable[[Rows], int]) -> Rows:
    """As `rows_of`, or as they were within `KEPT_S` where they are about many.

    Args:
        query: The same text and parameters find what was kept.
        people: How many people an answer is about.
    """
    digest = hashlib.sha256(repr((query.text, query.params)).encode()).hexdigest()
    key = f"audience:{digest}"
    kept: Rows | None = None
    with suppress(RedisError):
        kept = cache.get(key)
    if kept is not None:
        return kept
    rows = rows_of(query)
    if len(rows) <= KEPT_ROWS and people(rows) >= LARGE:
        with suppress(RedisError):
            cache.set(key, rows, KEPT_S)
    return rows
