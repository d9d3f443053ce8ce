"""Cleans up after a supervisor that was killed outright.

Owns nothing else: it waits until the process that started it is gone, then ends what that process
had started. A supervisor that stops in order ends its guardian last.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from smsplatform.local import postgres, strays
from smsplatform.local import redis as embedded_redis

_LOOK_EVERY_S = 0.2


def start(*, mark: str, services: Path) -> subprocess.Popen[bytes]:
    """Start a guardian over this process.

    Args:
        mark: Of the processes to end.
        services: The folder with the data of PostgreSQL and Redis.
    """
    environment = {name: value for name, value in os.environ.items() if name != strays.MARK}
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid()), mark, str(services)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def replace(*, mark: str) -> None:
    """End the guardian of a killed run, which would take the next run's processes for strays."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if __name__ in command and mark in command:
            strays.end([process], ask=signal.SIGKILL)


def clean(*, mark: str, services: Path) -> None:
    """End all processes under `mark`, then the two servers over `services`."""
    strays.end(strays.marked(mark))
    postgres.end_strays(services / "postgres")
    strays.end(strays.working_in(services / "redis", embedded_redis.PROGRAM))


def _watch() -> None:
    parser = argparse.ArgumentParser(prog="guardian")
    parser.add_argument("parent", type=int)
    parser.add_argument("mark")
    parser.add_argument("services", type=Path)
    arguments = parser.parse_args()
    while os.getppid() == arguments.parent:
        time.sleep(_LOOK_EVERY_S)
    clean(mark=arguments.mark, services=arguments.services)


if __name__ == "__main__":
    _watch()
