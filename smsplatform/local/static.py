"""Collected static files for `make run`: hashed and compressed again only when one has changed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from smsplatform.local import processes
from smsplatform.local.places import ROOT


def ensure(environment: Mapping[str, str], *, folder: Path) -> None:
    """Run collectstatic unless the files and packages are those of last time.

    With DEBUG on, static files are served from where they lie, and nothing is collected.
    """
    if environment["DEBUG"].lower() in {"1", "true", "yes", "on"}:
        return
    stamp = folder / "static.stamp"
    wanted = _fingerprint()
    collected = ROOT / ".local" / "static" / "staticfiles.json"
    if collected.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print("Collecting static files ...", flush=True)
    processes.run_once(
        processes.manage("collectstatic", "--noinput", "--clear", "--verbosity", "0"), environment
    )
    stamp.write_text(wanted)


def _fingerprint() -> str:
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for folder in (ROOT / "static", *sorted(ROOT.glob("[!.]*/static"))):
        for path in sorted(folder.rglob("*")):
            found = path.stat()
            digest.update(f"{path}{found.st_size}{found.st_mtime_ns}".encode())
    return digest.hexdigest()
