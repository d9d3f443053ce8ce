"""Servers of a benchmark: started as in production, one worker process, on a free local port."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from smsplatform.local import ports, processes
from smsplatform.local.places import ROOT


@contextmanager
def serving(
    target: str,
    *,
    is_wsgi: bool = False,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Serve `target` as the edge is served, or as the web is, until the block ends.

    Yields the port once it answers.
    """
    port = port or ports.free()
    command = processes.wsgi(target, port=port) if is_wsgi else processes.edge(port, target)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        _wait(port, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + 30
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if probe.recv(12):
                    return
        except OSError:
            if time.monotonic() > limit:
                raise
        time.sleep(0.05)
