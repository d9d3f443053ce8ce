"""A running carriersim, a receiver of its webhooks, and Twilio's own SDK pointed at it."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client as TwilioClient

from carriersim.client import Client
from carriersim.process import running

SID, TOKEN = "AC" + "a1" * 16, "alice-token"
OTHER_SID, OTHER_TOKEN = "AC" + "b2" * 16, "bob-token"
OUR_NUMBER = "+12025550190"
PHONE = "+14155550100"

# Quick, but each step later than the one before.
SETTINGS: dict[str, Any] = {
    "delays": {
        "sent": [0.02, 0.03],
        "final": [0.02, 0.03],
        "preview": [0.02, 0.03],
        "click": [0.05, 0.06],
        "reply": [0.02, 0.03],
    }
}


class LocalHttpClient(TwilioHttpClient):
    """The SDK's HTTP client with Twilio's host replaced by ours."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Send to the stand-in instead."""
        local = url.replace("https://api.twilio.com", self._base_url)
        return super().request(method, local, *args, **kwargs)


@dataclass
class Received:
    """One request that the receiver got."""

    method: str
    path: str
    headers: dict[str, str]
    params: dict[str, str]
    port: int


@dataclass
class Receiver:
    """What our edge would be: keeps every request, answers what it is told to."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def answer(self, path: str, *answers: tuple[int, str]) -> None:
        """Answer so at a path, one after the other, then 200."""
        self.answers[path] = list(answers)

    def at(self, path: str) -> list[Received]:
        """The requests to a path, in order of arrival."""
        return [one for one in self.requests if one.path == path]

    def statuses(self, path: str) -> list[str]:
        """The MessageStatus of each callback to a path."""
        return [one.params["MessageStatus"] for one in self.at(path)]


@pytest.fixture(scope="session")
def server() -> Iterator[Client]:
    """One server for all tests; `carrier` resets it."""
    with running(accounts={SID: TOKEN, OTHER_SID: OTHER_TOKEN}, settings=SETTINGS) as client:
        yield client


@pytest.fixture
def carrier(server: Client) -> Client:
    """The control client of a server with nothing but accounts and the tests' settings."""
    server.reset(settings=True, numbers=True)
    return server


@pytest.fixture
def twilio(carrier: Client) -> TwilioClient:
    """Alice's Twilio client."""
    return TwilioClient(SID, TOKEN, http_client=LocalHttpClient(carrier.base_url))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server that plays our edge."""
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            params = dict(parse_qsl(body, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.command, self.path, headers, params, self.client_address[1])
            known.requests.append(received)
            waiting = known.answers.get(self.path)
            status, text = waiting.pop(0) if waiting else (200, "")
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_POST = do_GET = do_HEAD = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}).start()
    known.url = f"http://127.0.0.1:{web.server_port}"
    yield known
    web.shutdown()
    web.server_close()


@pytest.fixture
def settled(carrier: Client) -> Callable[[], dict[str, Any]]:
    """Waits, without hurrying anything, until the carrier has nothing outstanding."""

    def wait() -> dict[str, Any]:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            stats = carrier.stats()
            if stats["idle"]:
                return stats
            time.sleep(0.01)
        raise AssertionError(f"still outstanding: {stats}")

    return wait
