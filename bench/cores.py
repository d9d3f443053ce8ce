"""Who runs where while a server is measured.

On few cores the load generator and PostgreSQL else push the server aside in the middle of a
request, a server that stores more often than one that does not: what is measured then is the
scheduler. A real load comes from other machines.
"""

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager

from django.db import connection


@contextmanager
def server_apart() -> Iterator[Set[int] | None]:
    """Keep one core for servers; this process, its children and PostgreSQL have the others.

    Yields the servers' core, or None where there is only one, or no way to choose.
    """
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        yield None
        return
    every = os.sched_getaffinity(0)
    first = min(every)
    _keep_to(every - {first})
    try:
        yield {first}
    finally:
        _keep_to(every)


def _keep_to(cores: Set[int]) -> None:
    """New connections of PostgreSQL follow its first process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity UNION"
            " SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer"
        )
        for process in (os.getpid(), *(pid for (pid,) in cursor.fetchall())):
            os.sched_setaffinity(process, cores)
