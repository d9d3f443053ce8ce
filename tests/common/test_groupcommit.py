"""Group commit: everybody is answered, rightly, whatever their neighbours or PostgreSQL do."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
import pytest
from django.db import connection
from psycopg2.extensions import cursor as Cursor

from common.groupcommit import GroupCommit, Unavailable, Unstorable
from tests.edge.gate import Gate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE group_commit_test (n integer CHECK (n <> 13))")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE group_commit_test")


def stored() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n FROM group_commit_test ORDER BY n")
        return [row[0] for row in cursor.fetchall()]


class Writer:
    """Writes numbers and remembers how many a statement took."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, cursor: Cursor, rows: Sequence[int]) -> None:
        self.sizes.append(len(rows))
        cursor.execute("INSERT INTO group_commit_test SELECT unnest(%s)", [list(rows)])


def group(writer: Writer, dsn: dict[str, Any] | None = None, **more: Any) -> GroupCommit[int]:
    given = connection.get_connection_params()
    own = {name: given[name] for name in ("host", "port", "user", "password", "dbname")}
    return GroupCommit(dsn=dsn or own, write=writer, **{"patience_s": 5.0, **more})


async def outcomes(commit: GroupCommit[int], rows: Sequence[int]) -> list[str]:
    answers = await asyncio.gather(*(commit.submit(row) for row in rows), return_exceptions=True)
    return ["stored" if answer is None else type(answer).__name__ for answer in answers]


def test_rows_that_come_together_share_a_commit() -> None:
    writer = Writer()
    flushes: list[int] = []

    async def run() -> list[str]:
        commit = group(writer, flushed=lambda: flushes.append(1))
        commit.start()
        answers = await outcomes(commit, range(100, 600))
        await commit.stop()
        assert commit.counts.stored == 500
        return answers

    assert asyncio.run(run()) == ["stored"] * 500
    assert stored() == list(range(100, 600))
    assert writer.sizes == [500]
    assert len(flushes) == 1


def test_one_refused_row_does_not_take_its_neighbours_along() -> None:
    async def run() -> list[str]:
        commit = group(Writer())
        commit.start()
        answers = await outcomes(commit, range(1, 41))
        after = await outcomes(commit, [50])
        await commit.stop()
        assert (commit.counts.stored, commit.counts.unstorable) == (40, 1)
        return answers + after

    expected = ["stored"] * 12 + ["Unstorable"] + ["stored"] * 28
    assert asyncio.run(run()) == expected
    assert stored() == [*range(1, 13), *range(14, 41), 50]
    assert issubclass(Unstorable, Exception)


def test_a_frozen_database_keeps_nobody_waiting_beyond_patience() -> None:
    blocker = psycopg2.connect(
        **{
            name: value
            for name, value in connection.get_connection_params().items()
            if name in ("host", "port", "user", "password", "dbname")
        }
    )

    async def run() -> tuple[list[str], list[str], list[str]]:
        commit = group(Writer(), patience_s=0.3)
        commit.start()
        await outcomes(commit, [1])
        with blocker.cursor() as cursor:
            cursor.execute("LOCK TABLE group_commit_test IN EXCLUSIVE MODE")
        slow = await outcomes(commit, [2, 3])
        at_once = await asyncio.wait_for(outcomes(commit, [4]), 0.05)
        blocker.rollback()
        while commit.is_away:
            await asyncio.sleep(0.01)
        again = await outcomes(commit, [5])
        await commit.stop()
        return slow, at_once, again

    slow, at_once, again = asyncio.run(asyncio.wait_for(run(), 20))

    blocker.close()
    assert slow == ["Unavailable", "Unavailable"]
    assert at_once == ["Unavailable"]
    assert again == ["stored"]
    assert stored() == [1, 2, 3, 5]


def test_rows_within_keep_are_stored_when_the_database_is_back_and_the_rest_counted() -> None:
    with Gate() as gate:
        dsn = {"dsn": gate.database_url}

        async def run() -> None:
            commit = group(Writer(), dsn, keep=10)
            commit.start()
            assert await outcomes(commit, [100]) == ["stored"]
            gate.close()
            assert await outcomes(commit, range(15)) == ["Unavailable"] * 15
            assert (commit.counts.held, commit.counts.lost) == (10, 5)
            assert commit.is_away
            gate.open()
            while commit.counts.stored < 11:
                await asyncio.sleep(0.02)
            assert commit.counts.held == 0
            await commit.stop()

        asyncio.run(asyncio.wait_for(run(), 20))

    assert stored() == [*range(10), 100]
    assert issubclass(Unavailable, Exception)


def test_a_server_restarted_while_nothing_happened_costs_nobody_an_answer() -> None:
    with Gate() as gate:

        async def run() -> list[str]:
            commit = group(Writer(), {"dsn": gate.database_url})
            commit.start()
            await outcomes(commit, [1])
            gate.close()
            gate.open()
            answers = await outcomes(commit, [2, 3])
            await commit.stop()
            return answers

        assert asyncio.run(asyncio.wait_for(run(), 20)) == ["stored", "stored"]

    assert stored() == [1, 2, 3]
