"""Starts and stops a carriersim server: the command line's, and one on a free port for tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from carriersim.client import Client

_START_S = 20.0
_ROOT = Path(__file__).resolve().parent.parent


def command(*, host: str, port: int) -> list[str]:
    """The granian command: one worker, since all state is in its memory."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1"),
        *("--http", "1", "--no-ws", "--host", host, "--port", str(port)),
        # Every answer that is held back on purpose occupies a place.
        *("--backlog", "4096", "--backpressure", "4096", "--log-level", "warning"),
        # And would hold up the stop.
        *("--workers-kill-timeout", "2"),
        "carriersim.app:app",
    ]


@contextmanager
def running(
    *,
    accounts: Mapping[str, str],
    settings: Mapping[str, Any] | None = None,
    data_dir: str | Path | None = None,
    port: int = 0,
) -> Iterator[Client]:
    """A server for the length of a `with` block, stopped by its own process id.

    Args:
        accounts: auth token by account sid.
        settings: changes to the default settings.
        data_dir: folder of the record; None for memory only.
        port: 0 for a free one.

    Raises:
        RuntimeError: it did not start; with what it printed.
    """
    port = port or free_port()
    environment = {
        **os.environ,
        "CARRIERSIM_ACCOUNTS": ",".join(f"{sid}:{token}" for sid, token in accounts.items()),
        "CARRIERSIM_SETTINGS": json.dumps(dict(settings or {})),
        "CARRIERSIM_DATA": str(data_dir or ""),
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command(host="127.0.0.1", port=port),
            cwd=_ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        client = Client(f"http://127.0.0.1:{port}")
        try:
            end = time.monotonic() + _START_S
            while not client.is_up():
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    printed = log.read().decode(errors="replace")
                    raise RuntimeError(f"carriersim did not start:\n{printed}")
                time.sleep(0.05)
            yield client
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
