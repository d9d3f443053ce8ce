"""Group commit: many small inserts share one transaction, and each is answered after it.

Owns a connection to PostgreSQL inside an event loop. What arrives while the last commit runs is
collected, written in one statement, and everybody answered at once: 15 times the throughput of a
transaction per row at the same latency, because the disk is waited for once. Knows nothing of what
the rows mean: the caller gives the function that writes a list of them.

The connection is psycopg2's asynchronous kind, in the loop itself. A flusher thread was measured
too: it waits for the interpreter's lock longer than for the commit
(docs/adr/0006-group-commit-in-the-loop.md).

When PostgreSQL is away rows are answered `Unavailable` at once (and held, see `keep`), and
connecting is tried again and again, so the owner recovers by itself. When it is there but does not
answer, nobody waits longer than `patience_s`.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

log = logging.getLogger(__name__)

Row = TypeVar("Row")

# A commit begins at once when none is under way; this only bounds one statement's size.
MOST_ROWS: Final = 2000
RECONNECT_EVERY_S: Final = 0.25
CONNECT_WITHIN_S: Final = 2.0
# A server that vanished without closing the connection must not hold answers for the 15 minutes
# TCP would take; a statement this old has lost its server, or the server its disk.
DEAD_AFTER_S: Final = 4.0


class Unavailable(Exception):
    """It is not committed, and the asker should not wait for it."""


class Unstorable(Exception):
    """PostgreSQL refuses this row whenever it is tried."""


@dataclass(slots=True)
class Counts:
    """What became of the rows so far. `held` wait for PostgreSQL, `lost` are nowhere."""

    stored: int = 0
    unavailable: int = 0
    unstorable: int = 0
    held: int = 0
    lost: int = 0


class GroupCommit(Generic[Row]):
    """The rows of one kind in one event loop.

    Args:
        dsn: Arguments of `psycopg2.connect`.
        prepare: Executed on every new connection, for `write` to build on.
        write: Executes one statement that stores the rows it is given.
        patience_s: The longest an asker waits.
        keep: How many rows to hold while PostgreSQL is away; with 0 they are the asker's to repeat.
        flushed: Called after each commit; must not block.
    """

    def __init__(
        self,
        *,
        dsn: dict[str, Any],
        prepare: str = "",
        write: Callable[[Cursor, Sequence[Row]], None],
        patience_s: float,
        keep: int = 0,
        flushed: Callable[[], None] | None = None,
    ) -> None:
        self.counts = Counts()
        self._dsn = dsn
        self._prepare = prepare
        self._write = write
        self._patience_s = patience_s
        self._keep = keep
        self._flushed = flushed
        self._waiting: deque[tuple[Row, asyncio.Future[None] | None]] = deque()
        self._deadlines: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._away = False
        self._failures = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self._run()),
            self._loop.create_task(self._tick()),
        ]

    async def stop(self) -> None:
        """Write what waits, if PostgreSQL takes it within DEAD_AFTER_S, then end."""
        limit_s = time.monotonic() + DEAD_AFTER_S
        while (self._waiting or self._deadlines) and time.monotonic() < limit_s:
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_away(self) -> bool:
        """Whether PostgreSQL did not take the last rows, nor a connection since."""
        return self._away

    def submit(self, row: Row) -> "asyncio.Future[None]":
        """Store a row; the future is done once it is committed.

        Raises (through the future):
            Unavailable: PostgreSQL is away or too slow. Rows within `keep` are held all the same.
            Unstorable: it will never take this row.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        if self._away:
            self._submit_away(row, future)
            return future
        self._waiting.append((row, future))
        self._deadlines.append((time.monotonic() + self._patience_s, future))
        if not self._wake.is_set():
            self._wake.set()
        return future

    def _submit_away(self, row: Row, future: "asyncio.Future[None]") -> None:
        if len(self._waiting) < self._keep:
            self._waiting.append((row, None))
            self.counts.held = len(self._waiting)
        elif self._keep:
            self.counts.lost += 1
        self.counts.unavailable += 1
        future.set_exception(Unavailable())

    async def _tick(self) -> None:
        """Answer whoever has waited long enough, and assume the database away until a commit."""
        while True:
            await asyncio.sleep(min(0.05, self._patience_s))
            now_s = time.monotonic()
            while self._deadlines and (
                self._deadlines[0][1].done() or self._deadlines[0][0] <= now_s
            ):
                _, future = self._deadlines.popleft()
                if not future.done():
                    self._away = True
                    self.counts.unavailable += 1
                    future.set_exception(Unavailable())

    # ---- writing ----

    async def _run(self) -> None:
        while True:
            connection: Connection | None = None
            try:
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    connection = psycopg2.connect(**self._dsn, **_LIVELINESS, async_=True)
                    await _settled(connection)
                    if self._prepare:
                        with connection.cursor() as cursor:
                            cursor.execute(self._prepare)
                            await _settled(connection)
                self._connected()
                while True:
                    self._wake.clear()
                    if not self._waiting:
                        await self._wake.wait()
                    count = min(len(self._waiting), MOST_ROWS)
                    await self._flush(connection, [self._waiting.popleft() for _ in range(count)])
            except (psycopg2.Error, TimeoutError, OSError) as error:
                await self._failed(error)
            except Exception as error:
                log.exception("storing failed in a way nobody thought of")
                await self._failed(error)
            finally:
                if connection is not None:
                    with suppress(psycopg2.Error):
                        connection.close()

    def _connected(self) -> None:
        if self._away:
            log.warning("PostgreSQL is back; %s rows were held", len(self._waiting))
        self._away = False

    async def _failed(self, error: Exception) -> None:
        """A first failure is tried again at once: the server may only have been restarted."""
        self._failures += 1
        if self._failures == 1:
            return
        if not self._away:
            log.warning("PostgreSQL is away: %s", error)
        self._away = True
        self._turn_away()
        await asyncio.sleep(RECONNECT_EVERY_S)

    def _turn_away(self) -> None:
        """Answer whoever waits; with `keep` their rows stay."""
        waiters = list(self._waiting)
        self._waiting.clear()
        self._waiting.extend((row, None) for row, _ in waiters[: self._keep])
        self.counts.held = len(self._waiting)
        if self._keep:
            self.counts.lost += len(waiters) - len(self._waiting)
        self._answer(waiters, Unavailable())

    async def _flush(
        self, connection: Connection, waiters: list[tuple[Row, "asyncio.Future[None] | None"]]
    ) -> None:
        """Write rows in a transaction of their own.

        Raises:
            psycopg2.Error, TimeoutError: the connection is of no more use; the rows wait again.
        """
        try:
            with connection.cursor() as cursor:
                self._write(cursor, [row for row, _ in waiters])
                async with asyncio.timeout(DEAD_AFTER_S):
                    await _settled(connection)
        except (psycopg2.DataError, psycopg2.IntegrityError, ValueError) as error:
            await self._divide(connection, waiters, error)
            return
        except BaseException:
            # A row of a commit whose answer was lost may be stored, and is then stored twice: the
            # lesser harm, since events are applied once and hits are many.
            self._waiting.extendleft(reversed(waiters))
            raise
        self._failures = 0
        self._away = False
        self.counts.stored += len(waiters)
        self.counts.held = 0
        self._answer(waiters, None)
        if self._flushed is not None:
            self._flushed()

    async def _divide(
        self,
        connection: Connection,
        waiters: list[tuple[Row, "asyncio.Future[None] | None"]],
        error: Exception,
    ) -> None:
        """One row that PostgreSQL refuses must not take its neighbours with it."""
        if len(waiters) == 1:
            log.error("a row cannot be stored: %s", error)
            self.counts.unstorable += 1
            self._answer(waiters, Unstorable(str(error)))
            return
        half = len(waiters) // 2
        try:
            await self._flush(connection, waiters[:half])
        except BaseException:
            self._waiting.extend(waiters[half:])
            raise
        await self._flush(connection, waiters[half:])

    def _answer(
        self,
        waiters: Sequence[tuple[Row, "asyncio.Future[None] | None"]],
        error: Exception | None,
    ) -> None:
        for _, future in waiters:
            if future is None or future.done():  # held, gone, or answered since it took too long
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


_LIVELINESS: Final[dict[str, Any]] = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": int(DEAD_AFTER_S * 1000),
    "options": f"-c statement_timeout={int(DEAD_AFTER_S * 1000)}",
}


async def _settled(connection: Connection) -> None:
    """Wait until an asynchronous connection has done what it was told.

    Raises:
        psycopg2.Error: what went wrong with it.
    """
    loop = asyncio.get_running_loop()
    while (state := connection.poll()) != POLL_OK:
        ready: asyncio.Future[None] = loop.create_future()
        descriptor = connection.fileno()
        add, remove = (
            (loop.add_reader, loop.remove_reader)
            if state == POLL_READ
            else (loop.add_writer, loop.remove_writer)
        )
        add(descriptor, _done, ready)
        try:
            await ready
        finally:
            remove(descriptor)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
