"""`make test`, `make bench-...` and `make check`: commands over services that are thrown away."""

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from smsplatform.local import assets, environment, places, processes, services, static
from smsplatform.local import secrets as local_secrets
from smsplatform.local.lock import Held
from smsplatform.local.places import ROOT

# Production as `check --deploy` wants to see it; the values are only ever looked at.
_PRODUCTION = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "app.example.com",
    "PUBLIC_URL": "https://app.example.com",
    "EDGE_URL": "https://edge.example.com",
    "LINK_URL": "https://l.example.com",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
}


def test(arguments: list[str]) -> int:
    """Run pytest with `arguments` over a fresh PostgreSQL and Redis; returns its exit code."""
    assets.ensure()
    (places.LOCAL / "static").mkdir(parents=True, exist_ok=True)  # WhiteNoise warns without it
    return _over_services("test", processes.module("pytest", *arguments), durable=False)


def bench(name: str) -> int:
    """Run the benchmark `bench/bench_<name>.py` over a fresh, durable PostgreSQL and Redis."""
    module = f"bench_{name.replace('-', '_')}"
    if not (ROOT / "bench" / f"{module}.py").exists():
        known = ", ".join(benchmarks()) or "none yet"
        print(f"There is no benchmark {name}. There are: {known}.", file=sys.stderr)
        return 2
    assets.ensure()
    return _over_services("bench", processes.module("bench.run", module), durable=True)


def benchmarks() -> list[str]:
    """The names of all benchmarks, as `make bench-<name>` takes them."""
    found = sorted((ROOT / "bench").glob("bench_*.py"))
    return [path.stem.removeprefix("bench_").replace("_", "-") for path in found]


def bench_all() -> int:
    """Run every benchmark, one after the other; the first failure's exit code."""
    codes = [bench(name) for name in benchmarks()]
    return next((code for code in codes if code != 0), 0)


def _over_services(name: str, command: list[str], *, durable: bool) -> int:
    signal.signal(signal.SIGTERM, _stop)
    try:
        with services.passing(name, durable=durable) as parts:
            settings = environment.for_test(
                mark=parts.mark,
                secrets=parts.secrets,
                database_url=parts.database_url,
                redis_url=parts.redis_url,
            )
            settings["TEST_LOGS"] = str(_made(parts.folder / "logs"))
            settings["MEDIA_ROOT"] = str(_made(parts.folder / "media"))
            if durable:
                # What is measured runs as in production: DEBUG copies every statement it sends.
                settings["DEBUG"] = "0"
                static.ensure(settings, folder=parts.folder)
            child = subprocess.Popen(command, cwd=ROOT, env=settings)
            try:
                return child.wait()
            except KeyboardInterrupt:
                return child.wait()  # the terminal told it too; it reports what it has
            finally:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
    except Held as held:
        print(
            f"make {name} of this clone is already running (process {held.pid}).", file=sys.stderr
        )
        return 1


def _stop(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def check() -> int:
    """Run every check that needs no database; all of them, so that one run shows everything."""
    settings = environment.for_test(
        mark="check",
        secrets=local_secrets.fresh(),
        database_url="postgres://nobody@127.0.0.1:1/none",
        redis_url="redis://127.0.0.1:1/0",
    )
    quiet = {**settings, "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration"}
    commands = [
        (processes.module("ruff", "check", "--output-format", "concise"), settings),
        (processes.module("ruff", "format", "--check", "--quiet"), settings),
        (processes.module("mypy", "."), settings),
        ([str(Path(sys.executable).with_name("lint-imports"))], settings),
        (processes.manage("makemigrations", "--check", "--dry-run"), quiet),
        (
            processes.manage("check", "--deploy", "--fail-level", "WARNING"),
            {**settings, **_PRODUCTION},
        ),
    ]
    failed = []
    for command, variables in commands:
        shown = " ".join([Path(command[0]).name, *command[1:]])
        print(f"--- {shown}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode != 0:
            failed.append(shown)
    for shown in failed:
        print(f"FAILED: {shown}", file=sys.stderr)
    return 1 if failed else 0
