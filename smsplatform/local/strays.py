"""Processes of this clone that outlived their `make run` or `make test`: how to find and end them.

Owns the mark in the environment by which every process started here (and its children) is known.
PostgreSQL and Redis overwrite that part of their memory, so those two are known by the folder they
work in. Nothing is ever ended by its name alone.
"""

import hashlib
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "TEXTLEDGER_RUN"


def mark_of(folder: Path) -> str:
    """The mark of the run whose data is in `folder`; two clones never share one."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def marked(mark: str) -> list[psutil.Process]:
    """All processes started under `mark`, except this one and those above it."""
    own = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _mark_of(process) == mark
    ]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def working_in(folder: Path, program: str) -> list[psutil.Process]:
    """All processes called `program` whose working directory is `folder`."""
    place = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter()
        if _name_of(process) == program and _directory_of(process) == place
    ]


def _name_of(process: psutil.Process) -> str | None:
    try:
        return process.name()
    except psutil.Error:
        return None


def _directory_of(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return None


def end(
    processes: Iterable[psutil.Process],
    *,
    grace_s: float = 10,
    ask: signal.Signals = signal.SIGTERM,
) -> int:
    """Ask each process to stop with the signal `ask`, and kill what is left after `grace_s`.

    Returns:
        How many there were.
    """
    asked = []
    for process in processes:
        try:
            process.send_signal(ask)
        except psutil.NoSuchProcess:
            continue
        asked.append(process)
    for process in _alive_after(asked, grace_s):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _alive_after(asked, 5)
    return len(asked)


def _alive_after(processes: list[psutil.Process], limit_s: float) -> list[psutil.Process]:
    """Those of `processes` that still run when all have ended or `limit_s` is over.

    An ended process whose parent has not asked for it yet counts as ended: the parent of a stray is
    the system's first process, which in a container may be slow about it.
    """
    limit = time.monotonic() + limit_s
    while (left := [p for p in processes if _runs(p)]) and time.monotonic() < limit:
        time.sleep(0.02)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
