"""A real edge process over the test database, and a client that signs as Twilio does."""

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as django_settings
from twilio.request_validator import RequestValidator

from messaging.models import CarrierAccount
from smsplatform.local import ports, processes
from smsplatform.local.places import ROOT
from tests.conftest import _database_url


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class EdgeClient:
    """Speaks to one edge process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(_NoRedirect)

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request; redirects are not followed, errors not raised."""
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers=headers or {}
        )
        try:
            with self._opener.open(request, timeout=20) as answer:
                return Reply(answer.status, answer.read().decode(), dict(answer.headers.items()))
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read().decode(), dict(error.headers.items()))

    def post_form(
        self,
        path: str,
        fields: dict[str, Any] | list[tuple[str, str]],
        *,
        token: str | None = None,
        signature: str | None = None,
        signed_url: str | None = None,
    ) -> Reply:
        """A form signed with `token` (the platform's by default) as Twilio's SDK signs it."""
        pairs = list(fields.items()) if isinstance(fields, dict) else fields
        if signature is None:
            signature = RequestValidator(
                django_settings.TWILIO_AUTH_TOKEN if token is None else token
            ).compute_signature(signed_url or self.url + path, _Multi(pairs))
        return self.request(
            path,
            method="POST",
            body=urlencode(pairs).encode(),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": signature,
            },
        )

    def post_json(self, path: str, value: Any, *, tampered: bytes = b"") -> Reply:
        """A JSON body under `bodySHA256`; `tampered` is added after signing."""
        return self.post_raw_json(path, json.dumps(value).encode(), tampered=tampered)

    def post_raw_json(self, path: str, body: bytes, *, tampered: bytes = b"") -> Reply:
        """The same with a body that may be anything."""
        path = f"{path}?bodySHA256={sha256(body).hexdigest()}"
        signature = RequestValidator(django_settings.TWILIO_AUTH_TOKEN).compute_signature(
            self.url + path, {}
        )
        return self.request(
            path,
            method="POST",
            body=body + tampered,
            headers={"Content-Type": "application/json", "X-Twilio-Signature": signature},
        )

    def health(self) -> dict[str, Any]:
        """The counters."""
        return dict(json.loads(self.request("/healthz").body))


class _Multi(dict[str, Any]):
    """Repeated names as the SDK reads them (`getlist`)."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name: str) -> list[str]:
        return [value for held, value in self._pairs if held == name]


class EdgeProcess:
    """An edge process that can be killed and started again on the same port."""

    def __init__(self, log: Path) -> None:
        self.port = ports.free()
        self.url = f"http://localhost:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                processes.edge(self.port),
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": _database_url(),
                    "EDGE_URL": self.url,
                    "LINK_URL": self.url,
                    **environment,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < limit, self._log.read_text()[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """End it and its children at once."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait(10)

    def stop(self) -> None:
        """Ask it to end (SIGTERM)."""
        assert self._process is not None
        self._process.terminate()

    def ended(self, *, within_s: float) -> bool:
        """Whether it has ended, or does within so long."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return self._process.poll() is not None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        try:
            return EdgeClient(self.url).request("/healthz").status == 200
        except OSError:
            return False


@pytest.fixture(scope="session")
def _edge_process(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EdgeProcess]:
    process = EdgeProcess(tmp_path_factory.mktemp("edge") / "log")
    process.start()
    yield process
    process.kill()


@pytest.fixture
def edge(transactional_db: None, _edge_process: EdgeProcess, settings: Any) -> EdgeClient:
    """A client of the shared edge process, whose caches may hold what a test before it made."""
    settings.EDGE_URL = settings.LINK_URL = _edge_process.url
    return EdgeClient(_edge_process.url)


@pytest.fixture
def own_edge(
    transactional_db: None, tmp_path: Path, settings: Any
) -> Iterator[tuple[EdgeProcess, EdgeClient]]:
    """An edge process of the test's own, to be killed or to start with other settings."""
    process = EdgeProcess(tmp_path / "log")
    settings.EDGE_URL = settings.LINK_URL = process.url
    yield process, EdgeClient(process.url)
    process.kill()


@pytest.fixture
def status_path(carrier: CarrierAccount) -> str:
    """The path of a status callback for message 41, attempt 1."""
    return f"/webhooks/twilio/{carrier.pk}/status/41-1"
