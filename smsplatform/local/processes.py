"""The processes of one machine: what each is started with, and how all stop together.

Owns the commands of `make run`. docker-compose.yml starts the same ones in production.
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from honcho.manager import Manager

from smsplatform.local.environment import Ports, for_carriersim
from smsplatform.local.places import ROOT
from smsplatform.local.ports import LOOPBACK

# Beat's and the workers' own start-up chatter about clocks and neighbours is of no use on one host.
_CELERY = ["celery", "--quiet", "-A", "smsplatform"]
_ALONE = ["--without-gossip", "--without-mingle"]
# True for root in a container or CI, where nothing else can be done about it.
_SILENT = "ignore:You're running the worker with superuser privileges"


def wsgi(target: str, *, port: int) -> list[str]:
    """The command that serves a WSGI application on `port` of loopback: one process, 4 threads."""
    return module(
        "granian", target, "--interface", "wsgi", "--host", LOOPBACK, "--port", str(port),
        "--workers", "1", "--blocking-threads", "4", "--no-access-log", "--log-level", "warning",
    )  # fmt: skip


# All phones of carriersim tap from this machine; each names an address of its own, as if behind a
# proxy, so that the edge can tell them apart.
PHONES_FORWARDED = {"TRUSTED_PROXY_COUNT": "1"}


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this Python."""
    return [sys.executable, "-m", name, *arguments]


def web(port: int) -> list[str]:
    """The dashboard and the REST API."""
    return wsgi("smsplatform.wsgi:application", port=port)


def edge(port: int, *target: str) -> list[str]:
    """Carrier webhooks and short links; or another ASGI application, served in the same way."""
    return module("smsplatform.edge", *target, "--host", LOOPBACK, "--port", str(port))


def carriersim(port: int) -> list[str]:
    """The stand-in carrier."""
    return module("carriersim", "--host", LOOPBACK, "--port", str(port))


def worker(*, concurrency: int, queues: str = "send,events,default") -> list[str]:
    """A Celery worker on these queues."""
    return [
        sys.executable, "-W", _SILENT, "-m", *_CELERY, "worker", "-Q", queues,
        "--concurrency", str(concurrency), "--loglevel", "WARNING", *_ALONE,
    ]  # fmt: skip


def beat(folder: Path) -> list[str]:
    """Celery beat, which remembers in `folder` what it last did."""
    folder.mkdir(parents=True, exist_ok=True)
    schedule = str(folder / "celerybeat-schedule")
    return module(*_CELERY, "beat", "--schedule", schedule, "--pidfile=", "--loglevel", "WARNING")


def manage(*arguments: str) -> list[str]:
    """A management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def run_once(command: list[str], environment: Mapping[str, str]) -> None:
    """Run `command` to its end.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    subprocess.run(command, cwd=ROOT, env=dict(environment), check=True)


def manager(
    environment: dict[str, str], *, listen: Ports, folder: Path, with_carriersim: bool
) -> Manager:
    """All processes of `make run`, not started yet; when one ends, honcho stops the others."""
    runner = Manager()
    commands = {
        "web": web(listen.web),
        "edge": edge(listen.edge),
        # Receipts, STOPs and the breaker never wait behind a shift of sending.
        "sender": [*worker(concurrency=2, queues="send"), "--hostname", "sender@%h"],
        "worker": worker(concurrency=2, queues="events,default"),
        "beat": beat(folder),
    }
    for name, command in commands.items():
        simulated = PHONES_FORWARDED if name == "edge" and with_carriersim else {}
        runner.add_process(name, _shell(command), env=environment | simulated, cwd=str(ROOT))
    if with_carriersim:
        runner.add_process(
            "carriersim",
            _shell(carriersim(listen.carriersim)),
            env=for_carriersim(environment, folder=folder),
            cwd=str(ROOT),
        )
    return runner


def _shell(command: list[str]) -> str:
    """As a line for honcho's shell, which gives its place to the command itself."""
    return f"exec {shlex.join(command)}"
