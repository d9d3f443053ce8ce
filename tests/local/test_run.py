"""`make run`: what it leaves behind when it is stopped, killed, or cannot start."""

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from smsplatform.local import ports, secrets
from smsplatform.local.places import ROOT
from tests.local.conftest import PLAIN_ENVIRONMENT, Supervisor, running, wait_until_none_runs

Supervise = Callable[..., Supervisor]


def _settings() -> dict[str, str]:
    """Free ports; DEBUG so that no static files are collected under a live installation."""
    return {"PORT": str(ports.free()), "EDGE_PORT": str(ports.free()), "DEBUG": "1"}


def _serves(settings: dict[str, str]) -> bool:
    pages = (f"{settings['PORT']}/auth/login/", f"{settings['EDGE_PORT']}/healthz")
    answers = [urllib.request.urlopen(f"http://127.0.0.1:{page}", timeout=10) for page in pages]
    return [answer.status for answer in answers] == [200, 200]


def test_killed_outright_it_leaves_nothing_and_starts_again_on_the_same_data(
    supervise: Supervise, folder: Path
) -> None:
    settings = _settings()
    first = supervise("run", **settings)
    first.wait_for(f"Textledger is at http://localhost:{settings['PORT']}")
    assert _serves(settings)
    password = secrets.read(folder / "env")["DEMO_PASSWORD"]
    assert f"with {password}" in first.printed

    first.send(signal.SIGKILL)
    first.wait()

    second = supervise("run", **settings)
    second.wait_for(f"Textledger is at http://localhost:{settings['PORT']}")
    assert _serves(settings)
    assert f"with {password}" in second.printed
    second.send(signal.SIGINT)
    assert second.wait() == 0
    wait_until_none_runs(folder)
    assert not (folder / "run.env").exists()


def test_it_stops_when_make_is_killed(folder: Path) -> None:
    settings = _settings()
    command = ["make", "run", f"ARGS=--data {folder}", f"PORT={settings['PORT']}"]
    make = Supervisor(command, folder / "make.log", {**PLAIN_ENVIRONMENT, **settings})
    make.wait_for("Textledger is at")

    make.send(signal.SIGKILL)
    make.wait()

    wait_until_none_runs(folder)
    assert ports.is_free(int(settings["PORT"]))


@pytest.mark.parametrize("variable", ["PORT", "EDGE_PORT"])
def test_a_taken_port_is_named_with_its_holder_and_nothing_is_started(
    supervise: Supervise, folder: Path, variable: str
) -> None:
    settings = _settings()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        run = supervise("run", **{**settings, variable: str(taken)})

        assert run.wait() == 1

    me = psutil.Process()
    assert f"Port {taken} is taken by {me.name()} (process {os.getpid()})" in run.printed
    assert f"{variable}=" in run.printed
    assert running(folder) == []
    assert not (folder / "postgres").exists()


def test_an_older_python_gets_one_clear_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text(
        "#!/bin/sh\n"
        "exec python3 -c \"import sys; sys.version_info = (3, 9); sys.version = '3.9.1 x'; $2\"\n"
    )
    old.chmod(0o755)

    done = subprocess.run(
        ["make", "check", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        env=PLAIN_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "Textledger needs Python 3.11 or newer; this is 3.9.1" in done.stderr
    assert not (tmp_path / "venv").exists()
