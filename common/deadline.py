"""Reading that may not take longer than somebody waits for a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg2.errors import QueryCanceled

# What holds for statements at this moment, in milliseconds; None for what the database says.
_HOLDS_MS: Final[ContextVar[int | None]] = ContextVar("deadline_ms", default=None)


class TimeUp(Exception):
    """A statement took longer than it may."""


@contextmanager
def within(seconds: float | None, *, late: type[Exception] = TimeUp) -> Iterator[None]:
    """Each statement inside is given up after so long; None for no limit of its own.

    Inside another one the shorter limit holds, and afterwards the outer one again. Only for
    reading: what was written inside is rolled back when the time is up.

    Raises:
        TimeUp: one took longer; or what `late` says instead.
    """
    if seconds is None:
        yield
        return
    outer_ms = _HOLDS_MS.get()
    own_ms = max(1, int(seconds * 1000))
    held = _HOLDS_MS.set(own_ms if outer_ms is None else min(own_ms, outer_ms))
    try:
        # Rolling back takes the limit back too.
        with transaction.atomic():
            _limit(_HOLDS_MS.get())
            yield
            _limit(outer_ms)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise late from error
        raise
    finally:
        _HOLDS_MS.reset(held)


def _limit(ms: int | None) -> None:
    with connection.cursor() as cursor:
        if ms is None:
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
        else:
            cursor.execute("SET LOCAL statement_timeout = %s", [ms])
