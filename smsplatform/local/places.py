"""Where the embedded parts keep their data, and as whom PostgreSQL runs.

Owns the rule; starts nothing. PostgreSQL refuses to run as root, so root starts it as an
unprivileged user, and that user must be able to reach the data. The permissions of folders that
this project did not make are never changed: where the user cannot reach the clone, the data lives
elsewhere, and `make run` says where.
"""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCAL = ROOT / ".local"
UNPRIVILEGED_USER = "nobody"
NAME = "textledger"


class PlaceError(Exception):
    """No folder can hold the data; the message says which was tried and what to do."""


@dataclass(frozen=True)
class Owner:
    """The operating-system user that PostgreSQL runs as.

    Attributes:
        uid: User id.
        gid: Group id.
        drop: True where the current user is root and has to change to this one.
    """

    uid: int
    gid: int
    drop: bool


def database_owner() -> Owner:
    """The current user, or for root the system's unprivileged one."""
    if os.geteuid() != 0:
        return Owner(uid=os.geteuid(), gid=os.getegid(), drop=False)
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    return Owner(uid=user.pw_uid, gid=user.pw_gid, drop=True)


def clone_id(root: Path = ROOT) -> str:
    """Eight hex digits that differ between two folders on one machine."""
    return hashlib.sha256(str(root).encode()).hexdigest()[:8]


def can_reach(path: Path, owner: Owner) -> bool:
    """Whether `owner` may enter `path` and every folder above it, as permissions stand.

    Folders that do not exist yet are judged by the nearest one that does: what is made below it is
    made by us, and open to its owner.
    """
    resolved = path.resolve()
    return all(
        _may_enter(folder.stat(), owner)
        for folder in (resolved, *resolved.parents)
        if folder.exists()
    )


def _may_enter(found: os.stat_result, owner: Owner) -> bool:
    if found.st_uid == owner.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == owner.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def data_root(*, local: Path = LOCAL, owner: Owner | None = None) -> Path:
    """The folder for databases, secrets and logs of this clone; made if missing.

    `.local/` in the clone; for root whose unprivileged user cannot get there, a folder under
    /var/tmp; for a user whose file system cannot hold a private folder (read-only, or without Unix
    permissions), one under XDG_DATA_HOME.

    Raises:
        PlaceError: if the folder belongs to somebody else or cannot be made.
    """
    owner = owner or database_owner()
    if owner.drop:
        if can_reach(local, owner):
            return _made(local)
        return _private(Path("/var/tmp") / f"{NAME}-{clone_id(local.parent)}", mode=0o711)
    if _holds_private_folders(local):
        return local
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return _private(home / NAME / clone_id(local.parent), mode=0o700)


def _made(folder: Path) -> Path:
    if not folder.exists():
        folder.mkdir()
        folder.chmod(0o711)  # whatever the umask: the unprivileged user passes through
    return folder


def _holds_private_folders(local: Path) -> bool:
    probe = local / f".probe-{os.getpid()}"
    try:
        local.mkdir(exist_ok=True)
        probe.mkdir(mode=0o700)
    except OSError:
        return False
    try:
        found = probe.stat()
        return stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid()
    finally:
        probe.rmdir()


def _private(folder: Path, *, mode: int) -> Path:
    """Make `folder`, refusing one that somebody else prepared in a place everybody may write to."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=mode, exist_ok=True)
    except OSError as error:
        raise PlaceError(f"The data folder {folder} could not be made: {error}.") from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PlaceError(
            f"The data folder {folder} belongs to somebody else or others may write to it. "
            "Nothing was changed. Move it away and start again."
        )
    return folder
