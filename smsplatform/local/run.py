"""`make run`: everything on this machine, from an empty clone to a served demo account.

Owns the order of things and what is printed; the parts are in the modules beside this one.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import NoReturn

from smsplatform.local import assets, environment, places, processes, services, static, strays
from smsplatform.local import secrets as local_secrets
from smsplatform.local.environment import Ports
from smsplatform.local.lock import Held

_ANSWER_WITHIN_S = 120


class _Stopped(Exception):
    """A person (or the service manager) asked to stop before everything was up."""


def run(*, local: Path = places.LOCAL, stop_with_parent: bool = False) -> int:
    """Serve until Ctrl-C or SIGTERM; then stop all that was started, PostgreSQL and Redis too.

    Args:
        local: Where data is wanted; `places.data_root` has the last word.
        stop_with_parent: Also stop when the process that started this one is gone (make).

    Returns:
        The exit code: 0 after a person's stop, else that of the process that ended.

    Raises:
        PortTaken, PlaceError, PostgresFailed, RedisFailed, AssetError: with a sentence each.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    folder = _data_folder(local)
    try:
        with services.claim(folder, folder / "run.lock"):
            listen = environment.chosen_ports()
            assets.ensure()
            with services.kept(folder) as parts:
                try:
                    return _serve(parts, listen=listen, stop_with_parent=stop_with_parent)
                finally:
                    _ignore_signals()
                    strays.end(strays.marked(parts.mark))  # the demo's filling, and grandchildren
                    (folder / "run.env").unlink(missing_ok=True)
                    print("Stopping PostgreSQL and Redis ...", flush=True)
    except Held as held:
        print(_already_running(folder, held.pid), file=sys.stderr)
        return 1
    except _Stopped:
        return 0


def services_only(*, local: Path = places.LOCAL) -> int:
    """Start PostgreSQL and Redis alone, print their environment, and wait for Ctrl-C."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    folder = _data_folder(local)
    try:
        with services.claim(folder, folder / "run.lock"), services.kept(folder) as parts:
            settings = _ours(_settings(parts, listen=environment.wanted_ports()))
            print("\n".join(f"{name}={value}" for name, value in settings.items()), flush=True)
            try:
                signal.pause()
            finally:
                _ignore_signals()
    except Held as held:
        print(_already_running(folder, held.pid), file=sys.stderr)
        return 1
    except _Stopped:
        pass
    return 0


def _data_folder(local: Path) -> Path:
    folder = places.data_root(local=local)
    if folder != local:
        print(
            f"Data is kept in {folder}, because {local} cannot be entered by the user that "
            "PostgreSQL runs as, or cannot hold a private folder.",
            flush=True,
        )
    return folder


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    raise _Stopped


def _ignore_signals() -> None:
    """A second Ctrl-C does not keep PostgreSQL from stopping in order."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _already_running(folder: Path, pid: str) -> str:
    return (
        f"make run of this clone is already running (process {pid}); its address is in "
        f"{folder / 'run.env'}. Stop it with Ctrl-C there, or with: kill {pid}"
    )


def _serve(parts: services.Services, *, listen: Ports, stop_with_parent: bool) -> int:
    settings = _settings(parts, listen=listen)
    for name in ("mail", "media", "carriersim"):
        (parts.folder / name).mkdir(mode=0o700, exist_ok=True)
    local_secrets.write(parts.folder / "run.env", _ours(settings))
    print("Preparing the database ...", flush=True)
    processes.run_once(processes.manage("migrate", "--verbosity", "0"), settings)
    static.ensure(settings, folder=parts.folder)
    with_carriersim = "TWILIO_API_BASE_URL" not in os.environ
    runner = processes.manager(
        settings, listen=listen, folder=parts.folder, with_carriersim=with_carriersim
    )
    herald = threading.Thread(
        target=_announce, args=(settings,), kwargs={"demo": parts.embedded and with_carriersim},
        daemon=True,
    )  # fmt: skip
    herald.start()
    if stop_with_parent:
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    runner.loop()
    if runner.returncode in {130, 143}:
        return 0
    print("One process ended by itself, so all were stopped; its last words are above.", flush=True)
    return int(runner.returncode or 1)


def _settings(parts: services.Services, *, listen: Ports) -> dict[str, str]:
    return environment.for_run(
        mark=parts.mark,
        secrets=parts.secrets,
        database_url=parts.database_url,
        redis_url=parts.redis_url,
        listen=listen,
        folder=parts.folder,
    )


def _ours(settings: dict[str, str]) -> dict[str, str]:
    """The part of the environment that a management command needs beside this run.

    Without the mark: what a person starts in that shell is theirs, and not ended with the run.
    """
    return {
        name: value
        for name, value in settings.items()
        if name != strays.MARK
        and (os.environ.get(name) != value or name in {"DATABASE_URL", "REDIS_URL"})
    }


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(settings: dict[str, str], *, demo: bool) -> None:
    """Once the site answers, say where it is; then fill the demo account."""
    if not _answers(f"http://127.0.0.1:{settings['PORT']}/auth/login/", settings):
        return
    processes.run_once(processes.manage("bootstrap_platform"), settings)
    lines = [f"Textledger is at {settings['PUBLIC_URL']}"]
    if demo:
        lines.append(f"The phones it texts are at {settings['TWILIO_API_BASE_URL']}/sim/phones")
        lines.append(f"Log in as {settings['DEMO_EMAIL']} with {settings['DEMO_PASSWORD']}")
        lines.append(
            "Its four weeks of history are filled in at the first start; look around meanwhile."
        )
    lines.append("Ctrl-C stops everything.")
    _say(*lines)
    if demo:
        done = subprocess.run(
            processes.manage("demo"),
            cwd=places.ROOT,
            env=settings,
            check=False,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to pass on
        )
        if done.returncode == 0:
            _say("The demo account's history is complete.")
        elif done.returncode > 0:  # below zero it was ended by the stop itself
            _say("The demo account could not be filled; the reason is above. The rest works.")


def _say(*lines: str) -> None:
    text = "\n".join(f"  {line}" for line in lines)
    print(f"\n{text}\n", flush=True)


def _answers(url: str, settings: dict[str, str]) -> bool:
    host = settings["ALLOWED_HOSTS"].split(",")[0]
    request = urllib.request.Request(url, headers={"Host": host.replace("*", "localhost")})
    limit = time.monotonic() + _ANSWER_WITHIN_S
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.2)
    return False
