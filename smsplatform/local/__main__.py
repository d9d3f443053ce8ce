"""`python -m smsplatform.local`: what the Makefile calls."""

import argparse
import subprocess
import sys
from pathlib import Path

from smsplatform.local import assets, places, run, secrets, testing
from smsplatform.local.assets import AssetError
from smsplatform.local.places import PlaceError
from smsplatform.local.ports import PortTaken
from smsplatform.local.postgres import PostgresFailed
from smsplatform.local.redis import RedisFailed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smsplatform.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("run", help="serve everything on this machine until Ctrl-C")
    serve.add_argument("--data", type=Path, default=places.LOCAL, help="where data is kept")
    serve.add_argument("--stop-with-parent", action="store_true", help="stop when make is gone")
    only = commands.add_parser("services", help="only PostgreSQL and Redis, until Ctrl-C")
    only.add_argument("--data", type=Path, default=places.LOCAL, help="where data is kept")
    commands.add_parser("test", help="run pytest; all further arguments are pytest's")
    commands.add_parser("check", help="run all checks")
    commands.add_parser("assets", help="fetch the front-end files")
    commands.add_parser("secrets", help="print new secrets for a production installation")
    bench = commands.add_parser("bench", help="run one benchmark, or all")
    bench.add_argument("name", nargs="?")
    return parser


def main() -> int:
    """Carry out one command; returns its exit code."""
    arguments, rest = _parser().parse_known_args()
    if rest and arguments.command != "test":
        _parser().error(f"unknown arguments: {' '.join(rest)}")
    try:
        match arguments.command:
            case "run":
                return run.run(local=arguments.data, stop_with_parent=arguments.stop_with_parent)
            case "services":
                return run.services_only(local=arguments.data)
            case "test":
                return testing.test(rest)
            case "check":
                return testing.check()
            case "bench":
                return testing.bench(arguments.name) if arguments.name else testing.bench_all()
            case "secrets":
                made = secrets.fresh()
                print("\n".join(f"{name}={made[name]}" for name in secrets.PRODUCTION))
                return 0
            case _:
                assets.ensure()
                return 0
    except (AssetError, PlaceError, PortTaken, PostgresFailed, RedisFailed) as error:
        print(error, file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"Stopped: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
