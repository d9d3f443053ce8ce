"""The edge process: `python -m smsplatform.edge --port 8001`.

Owns how it is served: uvicorn with one event loop a process. Why not the web's server:
docs/adr/0033-the-edge-in-one-thread.md.
"""

import argparse
from typing import Final

import uvicorn

from smsplatform.edge.protocol import EdgeProtocol

# Longer than proxies keep their idle connections (60 s is usual), so that none is closed in the
# instant a proxy uses it.
_KEEP_ALIVE_S: Final = 75
# What waits for PostgreSQL is answered by then (`edge.EVENT_PATIENCE_S`).
_END_WITHIN_S: Final = 10


def main() -> None:
    """Serve until SIGTERM, then answer what is under way, commit what waits, and end."""
    parser = argparse.ArgumentParser(prog="python -m smsplatform.edge", description=__doc__)
    parser.add_argument("app", nargs="?", default="smsplatform.edge.app:app")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--workers", type=int, default=1, help="processes; about one a core")
    asked = parser.parse_args()
    uvicorn.run(
        asked.app,
        host=asked.host,
        port=asked.port,
        workers=asked.workers,
        loop="uvloop",
        http=EdgeProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="error",
        proxy_headers=False,  # whose addresses are believed is `redirects.py`'s
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_END_WITHIN_S,
    )


if __name__ == "__main__":
    main()
