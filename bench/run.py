"""`python -m bench.run bench_send`: sets Django up, then calls `main` of that module of `bench`.

Further arguments are handed on. What is run can import models at its top, as everything else does.
"""

import os
import sys
from importlib import import_module

import django
from django.db import connection

from bench import environment


def main(name: str, *arguments: str) -> None:
    """Run one module of `bench` to its end."""
    os.environ.update(environment.OF.get(name, {}))
    django.setup()
    import_module(f"bench.{name}").main(*arguments)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
