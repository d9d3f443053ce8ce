"""The platform's real processes over the test database, for tests that need them to be real.

Owns starting, killing and waiting. Tests reach it through the `stack` fixture of tests/conftest.py,
which gives every test empty tables, an empty Redis and processes in their usual state.
"""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import psycopg2
from redis import Redis

from carriersim.client import Client
from smsplatform.local import ports, processes
from smsplatform.local.places import ROOT

T = TypeVar("T")

_UP_WITHIN_S = 180
_LOG_SHOWN_BYTES = 6_000

SERVING = ("carriersim", "edge", "web")
BACKGROUND = ("sender", "worker", "beat")

# What waits for minutes in production waits for seconds here, where tests wait for it. Who wants to
# see an answer lost or a lease end starts a worker of their own (tests/faults): on a busy machine
# an answer may well take seconds. A blast is held against the carrier's records by the test that
# wants it, however late, and not by beat before.
FAST = {
    "CARRIER_LIST_DELAY_S": "2",
    "UNDO_S": "0",
}


class Stack:
    """carriersim, edge, web, sender, worker and beat as processes of their own, on free ports.

    Attributes:
        carriersim: Client of the stand-in carrier's control API.
        environment: What every process is started with.
        web_url, edge_url, carrier_url: Where they answer, without a slash at the end.
    """

    def __init__(self, *, database_url: str, logs: Path) -> None:
        self._web_port, self._edge_port, self._carrier_port = (ports.free() for _ in range(3))
        self.web_url = f"http://localhost:{self._web_port}"
        self.edge_url = f"http://localhost:{self._edge_port}"
        self.carrier_url = f"http://127.0.0.1:{self._carrier_port}"
        self.carriersim = Client(self.carrier_url)
        self.environment = {
            **os.environ,
            **FAST,
            "DATABASE_URL": database_url,
            "PUBLIC_URL": self.web_url,
            "EDGE_URL": self.edge_url,
            "LINK_URL": self.edge_url,
            "TWILIO_API_BASE_URL": self.carrier_url,
            "CARRIERSIM_ACCOUNTS": ":".join(
                (os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
            ),
            "CARRIERSIM_SETTINGS": f'{{"speed": 20, "link_prefixes": ["{self.edge_url}/"]}}',
        }
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._shown_from: dict[str, int] = {}
        self._special: set[str] = set()

    def start(self, *names: str, settings: Mapping[str, str] | None = None) -> None:
        """Start processes and wait until those that serve HTTP answer.

        Args:
            names: web, edge, carriersim, sender, worker, beat, beat2; a further worker, which also
                sends, is any longer name that begins with "worker".
            settings: Environment for these processes alone, over the common one.
        """
        for name in names:
            assert name not in self._running, f"{name} is running already"
            if settings:
                self._special.add(name)
            with self._log(name).open("ab") as log:
                self._running[name] = subprocess.Popen(
                    self._command(name),
                    cwd=ROOT,
                    env={
                        **self.environment,
                        "PGAPPNAME": name,
                        **(processes.PHONES_FORWARDED if name == "edge" else {}),
                        **(settings or {}),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for name in names:
            self._wait_for(name)

    def _command(self, name: str) -> list[str]:
        queues = {"sender": "send", "worker": "events,default"}
        if name in queues or name.startswith("worker"):
            command = processes.worker(
                concurrency=1 if name == "sender" else 2,
                queues=queues.get(name, "send,events,default"),
            )
            return [*command, "--hostname", f"{name}@test"]
        return {
            "web": lambda: processes.web(self._web_port),
            "edge": lambda: processes.edge(self._edge_port),
            "carriersim": lambda: processes.carriersim(self._carrier_port),
            "beat": lambda: processes.beat(self._logs / "beat"),
            "beat2": lambda: processes.beat(self._logs / "beat2"),
        }[name]()

    def _wait_for(self, name: str) -> None:
        url = {
            "web": f"http://127.0.0.1:{self._web_port}/auth/login/",
            "edge": f"http://127.0.0.1:{self._edge_port}/healthz",
            "carriersim": f"{self.carrier_url}/sim/healthz",
        }.get(name)
        if url is not None:
            self.wait_until(lambda: self._answers(name, url), timeout_s=_UP_WITHIN_S, what=name)

    def _answers(self, name: str, url: str) -> bool:
        assert self._running[name].poll() is None, f"{name} ended:\n{self.log_tail(name)}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def running(self) -> list[str]:
        """The names of the processes that were started and have not ended."""
        return [name for name, process in self._running.items() if process.poll() is None]

    def refresh(self) -> None:
        """Make ready for the next test: all processes run as they usually do, nothing is queued.

        What the last test killed or started otherwise is started again; the rest goes on.
        """
        self.kill(*(self._special | (set(self._running) - set(self.running()))))
        self.forget_logs()
        self._forget_redis()
        self.start(*(name for name in SERVING if name not in self._running))
        for name in SERVING:
            self._wait_for(name)  # a test that failed may have left one that was just starting
        self.carriersim.reset(settings=True)
        for name in BACKGROUND:
            if name in self._running:
                self.thaw(name)
            else:
                self.start(name)

    def settle(self) -> None:
        """Hold workers and beat, so that the test's tables can be emptied: a sweep locks them.

        They are frozen where they can be used again, since starting one takes seconds.
        """
        self.kill(*(name for name in self._running if name not in (*SERVING, *BACKGROUND)))
        self.kill(*self._special)
        self.hold_background()

    def hold_background(self) -> None:
        """Let nothing be launched, sent, applied or swept: what a test writes by hand stays so."""
        if "beat" in self.running():
            self.freeze("beat")
        workers = [name for name in ("sender", "worker") if name in self.running()]
        self._forget_redis()
        if self._come_to_rest(workers):
            for name in workers:
                self.freeze(name)
        else:
            self.kill(*workers)

    def _forget_redis(self) -> None:
        """Empty Redis but for Celery's bindings, which a running worker declares only once."""
        redis = Redis.from_url(self.environment["REDIS_URL"])
        gone = [key for key in redis.scan_iter() if b"_kombu.binding" not in key]
        if gone:
            redis.delete(*gone)
        redis.close()

    def _come_to_rest(self, names: Sequence[str]) -> bool:
        """Whether the database sessions of `names` are idle for a while, within five seconds."""
        connection = psycopg2.connect(self.environment["DATABASE_URL"])
        connection.autocommit = True
        limit = time.monotonic() + 5
        idle = 0
        with closing(connection), connection.cursor() as cursor:
            while idle < 4 and time.monotonic() < limit:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY(%s)"
                    " AND datname = current_database() AND state <> 'idle'",
                    [list(names)],
                )
                idle = idle + 1 if cursor.fetchone() == (0,) else 0
                time.sleep(0.05)
        return idle >= 4

    def kill(self, *names: str) -> None:
        """End processes with all their children at once, as a power cut would (SIGKILL)."""
        self._end(names, signal.SIGKILL, within_s=10)

    def stop(self, *names: str) -> None:
        """End processes in order (SIGTERM), and outright after ten seconds."""
        self._end(names, signal.SIGTERM, within_s=10)

    def _end(self, names: tuple[str, ...], how: signal.Signals, *, within_s: float) -> None:
        ending = {name: self._running.pop(name) for name in names if name in self._running}
        for process in ending.values():
            _signal_group(process, how)
        for process in ending.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(within_s)
            _signal_group(process, signal.SIGKILL)  # children that outlived it
            process.wait()
        self._special -= ending.keys()

    def restart(self, name: str, settings: Mapping[str, str] | None = None) -> None:
        """Kill a process and start it again."""
        self.kill(name)
        self.start(name, settings=settings)

    def freeze(self, name: str) -> None:
        """Stop a process where it stands, its connections open (SIGSTOP)."""
        self._special.add(name)
        _signal_group(self._running[name], signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on."""
        _signal_group(self._running[name], signal.SIGCONT)

    def end_all(self) -> None:
        """Kill whatever runs."""
        self.kill(*self._running)

    def wait_until(
        self, predicate: Callable[[], T], *, timeout_s: float = 180, what: str = ""
    ) -> T:
        """Ask `predicate` until its answer is true.

        Returns:
            That answer.

        Raises:
            AssertionError: with `what` and the last answer, after `timeout_s`; or at once when a
                process has ended by itself.
        """
        limit = time.monotonic() + timeout_s
        while not (answer := predicate()):
            ended = sorted(set(self._running) - set(self.running()))
            assert not ended, f"Ended by itself while waiting for {what or 'it'}: {ended}"
            if time.monotonic() > limit:
                raise AssertionError(f"{what or 'It'} did not happen in {timeout_s} s: {answer!r}")
            time.sleep(0.1)
        return answer

    def forget_logs(self) -> None:
        """Show from here on only what is written from now on."""
        self._shown_from = {path.stem: path.stat().st_size for path in self._logs.glob("*.log")}

    def log_tail(self, name: str) -> str:
        """The end of what a process wrote in this test."""
        path = self._log(name)
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(self._shown_from.get(name, 0))
            return log.read()[-_LOG_SHOWN_BYTES:].decode(errors="replace")

    def log_tails(self) -> dict[str, str]:
        """What every process wrote in this test, by name."""
        tails = {path.stem: self.log_tail(path.stem) for path in sorted(self._logs.glob("*.log"))}
        return {name: tail for name, tail in tails.items() if tail.strip()}

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def _signal_group(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
