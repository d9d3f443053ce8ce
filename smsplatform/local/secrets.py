"""Secrets of a local installation: made once, kept beside the data they unlock.

Owns the file `env` in the data folder (mode 0600). Production has no such file and no default for
any secret.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

_MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEYS": lambda: Fernet.generate_key().decode(),
    "LINK_KEY": lambda: f"1:{secrets.token_hex(32)}",
    "TWILIO_ACCOUNT_SID": lambda: f"AC{secrets.token_hex(16)}",
    "TWILIO_AUTH_TOKEN": lambda: secrets.token_hex(16),
    "DEMO_PASSWORD": lambda: secrets.token_urlsafe(9),
    "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(24),
    "REDIS_PASSWORD": lambda: secrets.token_urlsafe(24),
}


# What `.env` of a production installation has to hold.
PRODUCTION = ("SECRET_KEY", "ENCRYPTION_KEYS", "LINK_KEY", "POSTGRES_PASSWORD")


def fresh() -> dict[str, str]:
    """New secrets that are written nowhere."""
    return {name: make() for name, make in _MAKERS.items()}


def kept(path: Path) -> dict[str, str]:
    """The secrets of the file `path`; those it lacks are made and added.

    Side effects:
        Writes `path`, readable by its owner alone.
    """
    found = read(path) if path.exists() else {}
    missing = {name: make() for name, make in _MAKERS.items() if name not in found}
    if missing:
        found |= missing
        write(path, found)
    return found


def read(path: Path) -> dict[str, str]:
    """Name to value of a file of ``NAME=value`` lines."""
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name.strip(): value for name, _, value in pairs}


def write(path: Path, values: dict[str, str]) -> None:
    """Replace `path` by ``NAME=value`` lines in one step, mode 0600 from its first byte on."""
    partial = path.with_name(f"{path.name}.new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
