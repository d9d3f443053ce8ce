"""The embedded PostgreSQL and Redis of one run, with the guardian that outlives a killed one.

Owns their common life: start both, or use those that DATABASE_URL and REDIS_URL name.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from smsplatform.local import guardian, places, ports, strays
from smsplatform.local import secrets as local_secrets
from smsplatform.local.lock import Lock
from smsplatform.local.places import NAME
from smsplatform.local.postgres import EmbeddedPostgres
from smsplatform.local.redis import EmbeddedRedis


@dataclass(frozen=True)
class Services:
    """What a run works on.

    Attributes:
        folder: Where its data, logs and secrets are.
        mark: By which its processes are known.
        secrets: Name to value.
        database_url: PostgreSQL.
        redis_url: Redis.
        embedded: True where both are ours.
    """

    folder: Path
    mark: str
    secrets: dict[str, str]
    database_url: str
    redis_url: str
    embedded: bool


def claim(folder: Path, lock_path: Path) -> Lock:
    """Make this process the only one that works on `folder`; ends what a killed one left there.

    Raises:
        lock.Held: if another run on the same data is alive.
    """
    lock = Lock(lock_path)
    guardian.replace(mark=strays.mark_of(folder))
    guardian.clean(mark=strays.mark_of(folder), services=folder)
    return lock


@contextmanager
def kept(folder: Path) -> Iterator[Services]:
    """Services whose data is found again next time (`make run`).

    Args:
        folder: The data folder, claimed by this process.

    Raises:
        PostgresFailed, RedisFailed: if a part cannot be had.
    """
    with _running(folder, local_secrets.kept(folder / "env"), durable=True) as services:
        yield services


@contextmanager
def passing(name: str, *, durable: bool) -> Iterator[Services]:
    """Services that start empty and are thrown away (`make test`, `make bench`).

    Args:
        name: Of the folder and of the lock: one at a time per clone.
        durable: Whether a commit must survive a power cut, as in what a benchmark measures.

    Raises:
        lock.Held: if the same is running in this clone.
        PlaceError, PostgresFailed, RedisFailed: if a part cannot be had.
    """
    root = places.data_root()
    folder = root / name
    if not folder.exists():
        folder.mkdir()
        folder.chmod(0o711)
    with claim(folder, root / f"{name}.lock"):
        _throw_away(folder)
        try:
            with _running(folder, local_secrets.fresh(), durable=durable) as services:
                yield services
        finally:
            _throw_away(folder)


def _throw_away(folder: Path) -> None:
    for part in ("postgres", "redis", "media"):
        shutil.rmtree(folder / part, ignore_errors=True)


@contextmanager
def _running(folder: Path, secrets: dict[str, str], *, durable: bool) -> Iterator[Services]:
    mark = strays.mark_of(folder)
    watcher = guardian.start(mark=mark, services=folder)
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    embedded = not database_url and not redis_url
    postgres = redis = None
    try:
        if not database_url:
            postgres = EmbeddedPostgres(
                folder / "postgres",
                password=secrets["POSTGRES_PASSWORD"],
                port=ports.free(),
                durable=durable,
            )
            postgres.start()
            postgres.create_database(NAME)
            database_url = postgres.url(NAME)
        if not redis_url:
            redis = EmbeddedRedis(
                folder / "redis", password=secrets["REDIS_PASSWORD"], port=ports.free()
            )
            redis.start()
            redis_url = redis.url
        yield Services(
            folder=folder,
            mark=mark,
            secrets=secrets,
            database_url=database_url,
            redis_url=redis_url,
            embedded=embedded,
        )
    finally:
        if redis is not None:
            redis.stop()
        if postgres is not None:
            postgres.stop()
        with suppress(ProcessLookupError):
            watcher.kill()
        watcher.wait()
