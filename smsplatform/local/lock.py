"""One `make run` (and one `make test`) per clone at a time."""

import fcntl
import os
from pathlib import Path


class Held(Exception):
    """Another process of this clone holds the lock; `pid` is its id."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


class Lock:
    """A record lock on a file, held until the process ends, however it ends.

    It is a POSIX record lock because that belongs to the process alone: with flock, children that
    were forked from a killed `make run` would go on holding it.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            Held: if another process has it.
        """
        self._file = path.open("a+")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            pid = self._file.read().strip()
            self._file.close()
            raise Held(pid) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()
