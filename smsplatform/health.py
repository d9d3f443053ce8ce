"""Whether a process of this host answers: `python -m smsplatform.health web 8000`.

Owns the health checks of docker-compose.yml. Asks over loopback, as the proxy in front would.
"""

import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

PATHS = {"web": "/auth/login/", "edge": "/healthz"}
_TIMEOUT_S = 8


def answers(process: str, port: int) -> bool:
    """Whether `process` (web or edge) answers on `port` of loopback with a success."""
    public = urlsplit(os.environ["PUBLIC_URL" if process == "web" else "EDGE_URL"])
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{PATHS[process]}",
        headers={"Host": public.netloc, "X-Forwarded-Proto": public.scheme},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return True
    except OSError as error:
        print(error, file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1], int(sys.argv[2])) else 1)
