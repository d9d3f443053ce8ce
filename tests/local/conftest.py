"""A data folder of its own, and the supervisor as a process that a test may kill."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from smsplatform.local import guardian, redis, strays
from smsplatform.local.places import ROOT

# What a person's shell has; nothing of the test run's own services.
PLAIN_ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
    "PYTHONUNBUFFERED": "1",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that root's unprivileged user can reach; all that ran there is ended."""
    place = Path(tempfile.mkdtemp(prefix="textledger-test-", dir="/var/tmp"))
    place.chmod(0o711)
    yield place
    guardian.replace(mark=strays.mark_of(place))
    guardian.clean(mark=strays.mark_of(place), services=place)
    shutil.rmtree(place)


class Supervisor:
    """`python -m smsplatform.local ...` and what it printed so far."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, words: str, *, timeout_s: float = 150) -> None:
        limit = time.monotonic() + timeout_s
        while words not in self.printed:
            assert self.process.poll() is None, f"It ended before {words!r}:\n{self.printed}"
            assert time.monotonic() < limit, f"No {words!r} in {timeout_s} s:\n{self.printed}"
            time.sleep(0.1)

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def wait(self, timeout_s: float = 60) -> int:
        return self.process.wait(timeout_s)


@pytest.fixture
def supervise(folder: Path) -> Iterator[Callable[..., Supervisor]]:
    """`supervise("services", PORT="8000")` starts the command over `folder`."""
    started: list[Supervisor] = []

    def _supervise(command: str, **settings: str) -> Supervisor:
        return _start([sys.executable, "-m", "smsplatform.local", command, "--data", str(folder)],
                      settings)  # fmt: skip

    def _start(command: list[str], settings: dict[str, str]) -> Supervisor:
        log = folder / f"printed-{len(started)}.log"
        started.append(Supervisor(command, log, {**PLAIN_ENVIRONMENT, **settings}))
        return started[-1]

    yield _supervise
    for supervisor in started:
        if supervisor.process.poll() is None:
            supervisor.process.kill()
            supervisor.process.wait()


def running(folder: Path) -> list[str]:
    """Every process that a run over `folder` started and that is alive, as name and id."""
    mark = strays.mark_of(folder)
    found = [
        *strays.marked(mark),
        *strays.working_in(folder / "postgres", "postgres"),
        *strays.working_in(folder / "redis", redis.PROGRAM),
        *(process for process in psutil.process_iter() if mark in _command_of(process)),
    ]
    shown = []
    for process in found:
        with suppress(psutil.NoSuchProcess):  # it ended while we looked
            shown.append(f"{process.name()} {process.pid}")
    return shown


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until_none_runs(folder: Path, *, timeout_s: float = 45) -> None:
    """Fail unless all processes over `folder` end by themselves."""
    limit = time.monotonic() + timeout_s
    while left := running(folder):
        assert time.monotonic() < limit, f"Still running: {left}"
        time.sleep(0.2)
