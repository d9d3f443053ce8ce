"""The environment that locally started processes get, and the settings that a person may give.

Owns the defaults of `make run` and `make test`. What is set outside wins, except where a test run
must not touch the real thing.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from smsplatform.local import ports
from smsplatform.local.strays import MARK

PORT = 8000
EDGE_PORT = 8001
CARRIERSIM_PORT = 8002
DEMO_EMAIL = "demo@example.com"

# How the stand-in carrier's phones behave towards the visitor's own blasts: most get the text, some
# cannot, some tap, some answer. Delays are short enough to watch.
CARRIERSIM_BEHAVIOUR = {
    "profile": {
        "outcomes": {"landline": 0.02, "unreachable": 0.02, "filtered": 0.005},
        "refusals": {"21211": 0.005},
        "reply_share": 0.05,
        "click_share": 0.2,
        "preview_share": 0.1,
    },
    "delays": {"click": [3, 60], "reply": [5, 60]},
    # With the carrier's own block, who texts STOP would not get our confirmation, and nobody could
    # see that it is the platform which keeps to it.
    "opt_out_block": False,
}

# Only of use to the supervisor itself.
_PRIVATE = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}


@dataclass(frozen=True)
class Ports:
    """Where the processes of one run listen, all on loopback."""

    web: int
    edge: int
    carriersim: int


def wanted_ports(given: Mapping[str, str] = os.environ) -> Ports:
    """PORT and EDGE_PORT as set, or 8000 and 8001; carriersim beside them."""
    return Ports(
        web=int(given.get("PORT") or PORT),
        edge=int(given.get("EDGE_PORT") or EDGE_PORT),
        carriersim=CARRIERSIM_PORT,
    )


def chosen_ports(given: Mapping[str, str] = os.environ) -> Ports:
    """The ports of `make run`; carriersim takes another where its own is not free.

    Raises:
        ports.PortTaken: if PORT or EDGE_PORT is not free.
    """
    wanted = wanted_ports(given)
    ports.require(wanted.web, variable="PORT")
    ports.require(wanted.edge, variable="EDGE_PORT")
    return replace(wanted, carriersim=ports.free(wanted.carriersim))


def common(
    *, mark: str, secrets: Mapping[str, str], database_url: str, redis_url: str
) -> dict[str, str]:
    """What every locally started process needs, whatever it is for."""
    return {
        **{name: value for name, value in secrets.items() if name not in _PRIVATE},
        MARK: mark,
        "DJANGO_SETTINGS_MODULE": "smsplatform.settings",
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }


def for_run(
    *,
    mark: str,
    secrets: Mapping[str, str],
    database_url: str,
    redis_url: str,
    listen: Ports,
    folder: Path,
    given: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The whole environment of `make run`'s processes.

    Without TWILIO_API_BASE_URL the carrier is carriersim on this machine, and mail goes to the
    local mailbox page.
    """
    defaults = {
        **common(mark=mark, secrets=secrets, database_url=database_url, redis_url=redis_url),
        "DEBUG": "0",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PORT": str(listen.web),
        "EDGE_PORT": str(listen.edge),
        "PUBLIC_URL": f"http://localhost:{listen.web}",
        "EDGE_URL": f"http://localhost:{listen.edge}",
        "LINK_URL": f"http://localhost:{listen.edge}",
        "TWILIO_API_BASE_URL": f"http://{ports.LOOPBACK}:{listen.carriersim}",
        "EMAIL_URL": f"mailbox://{quote(str(folder / 'mail'))}",
        "SIGNUP": "open",
        "MEDIA_ROOT": str(folder / "media"),
        "DEMO_EMAIL": DEMO_EMAIL,
    }
    set_outside = {name: value for name, value in given.items() if value != ""}
    return {**defaults, **set_outside, MARK: mark}


def for_carriersim(run: Mapping[str, str], *, folder: Path) -> dict[str, str]:
    """What the stand-in carrier needs beside the environment `run` of `make run`."""
    return {
        **run,
        "CARRIERSIM_ACCOUNTS": f"{run['TWILIO_ACCOUNT_SID']}:{run['TWILIO_AUTH_TOKEN']}",
        "CARRIERSIM_DATA": str(folder / "carriersim"),
        "CARRIERSIM_SETTINGS": json.dumps(
            {**CARRIERSIM_BEHAVIOUR, "link_prefixes": [f"{run['LINK_URL'].rstrip('/')}/"]}
        ),
    }


def for_test(
    *, mark: str, secrets: Mapping[str, str], database_url: str, redis_url: str
) -> dict[str, str]:
    """The whole environment of a test run or a benchmark; nothing set outside reaches a carrier.

    DEBUG serves static files without collecting them; pytest-django turns it off inside tests.
    """
    return {
        **os.environ,
        **common(mark=mark, secrets=secrets, database_url=database_url, redis_url=redis_url),
        "DEBUG": "1",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "PUBLIC_URL": f"http://localhost:{PORT}",
        "EDGE_URL": f"http://localhost:{EDGE_PORT}",
        "LINK_URL": f"http://localhost:{EDGE_PORT}",
        "TWILIO_API_BASE_URL": f"http://{ports.LOOPBACK}:{CARRIERSIM_PORT}",
        "EMAIL_URL": "memorymail://",
        "SIGNUP": "open",
    }
