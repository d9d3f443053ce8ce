"""Reading that may not take longer than somebody waits for a page."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg2.errors import QueryCanceled


class TimeUp(Exception):
    """A statement took longer than it may."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Each statement inside is given up after so long; None for no limit.

    Only for reading: what was written inside is rolled back when the time is up.

    Raises:
        TimeUp: one took longer.
    """
    if seconds is None:
        yield
        return
    try:
        with transaction.atomic():
            _limit("%s", int(seconds * 1000))
            yield
            _limit("DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TimeUp from error
        raise


def _limit(to: str, *params: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {to}", params)
