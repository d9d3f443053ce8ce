"""Links of a draft are asked in the background: dead and slow ones are told, private ones never."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from accounts.models import Account
from campaigns.selectors import blast_advice
from common.clock import now
from tracking import destinations, probing
from tracking.destinations import destinations_ask, destinations_check, destinations_known
from tracking.locations import location
from tracking.models import Destination
from tracking.probing import is_public, probe

asked: list[tuple[str, str]] = []


class Pages(BaseHTTPRequestHandler):
    """`/404` and the like answer so; `/no-head` knows only GET; `/away` leads to a private one."""

    def do_HEAD(self) -> None:
        asked.append(("HEAD", self.path))
        if self.path == "/no-head":
            self._answer(405)
        elif self.path == "/away":
            self._answer(302, "http://10.0.0.1/")
        elif self.path == "/moved":
            self._answer(301, "/200")
        else:
            self._answer(int(self.path[1:4]))

    def do_GET(self) -> None:
        asked.append(("GET", self.path))
        self._answer(200 if self.path == "/no-head" else int(self.path[1:]))
        self.wfile.write(b"x" * 100_000)

    def _answer(self, status: int, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def everybody(address: str) -> bool:
    return address == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/200", 200, ""),
        ("/moved", 200, ""),
        ("/no-head", 200, ""),
        ("/404", 404, "dead"),
        ("/500", 500, "dead"),
        ("/403", 403, ""),
        ("/429", 429, ""),
    ],
)
def test_what_an_answer_means(pages: str, path: str, status: int, problem: str) -> None:
    answer = probe(pages + path, allows=everybody)

    assert (answer.status, answer.problem) == (status, problem)


def test_nobody_there_is_dead() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused at once

        answer = probe(f"http://127.0.0.1:{held.getsockname()[1]}/", allows=everybody)

    assert (answer.status, answer.problem) == (0, "dead")


def test_a_page_that_never_answers_is_dead() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # connects, and is never accepted
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        answer = probe(url, allows=everybody, timeout_s=0.3)

    assert (answer.status, answer.problem) == (0, "dead")


def test_an_address_in_another_alphabet_is_asked_as_a_browser_asks(pages: str) -> None:
    asked.clear()

    answer = probe(f"{pages}/200?q=bücher", allows=everybody)

    assert (answer.status, asked) == (200, [("HEAD", "/200?q=b%C3%BCcher")])
    assert location("https://bücher.example:8443/ä b\n") == (
        b"https://xn--bcher-kva.example:8443/%C3%A4b"
    )


def test_a_late_answer_is_slow(pages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "SLOW_S", -1.0)

    assert probe(f"{pages}/200", allows=everybody).problem == "slow"


def test_private_addresses_are_never_connected_to(pages: str) -> None:
    asked.clear()

    direct = probe(f"{pages}/200")
    redirected = probe(f"{pages}/away", allows=everybody)

    assert (direct.problem, redirected.problem) == ("refused", "refused")
    assert asked == [("HEAD", "/away")]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("172.16.0.9", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.django_db
def test_a_draft_is_told_what_its_links_answered(account: Account, pages: str) -> None:
    body = f"Tulips {pages}/404 and {pages}/200 from Alice's Flowers, reply STOP to end"
    urls = [f"{pages}/404", f"{pages}/200"]

    destinations_ask(account=account, urls=urls)
    assert [page.waits for page in destinations_known(account=account, urls=urls)] == [True, True]
    assert destinations_check() == 2
    destinations_ask(account=account, urls=urls)

    assert destinations_check() == 0
    advice = [one for one in blast_advice(account=account, body=body) if "destin" in one.code]
    assert [(one.code, one.sentence) for one in advice] == [
        ("dead_destination", f"{pages}/404 answers with error 404.")
    ]


@pytest.mark.django_db
def test_what_another_account_asked_is_not_told(
    account: Account, other_account: Account, pages: str
) -> None:
    destinations_ask(account=other_account, urls=[f"{pages}/404"])
    destinations_check()

    assert destinations_known(account=account, urls=[f"{pages}/404"]) == []


@pytest.mark.django_db
def test_what_a_link_may_not_lead_to_is_not_asked(account: Account) -> None:
    destinations_ask(
        account=account,
        urls=["http://10.0.0.1/", "http://printer.local/", "http://user:pw@shop.example/"],
    )

    assert not Destination.objects.exists()


@pytest.mark.django_db
def test_an_account_asks_so_many_an_hour(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destinations, "HOURLY_LIMIT", 2)
    destinations_ask(account=account, urls=["https://a.example/", "https://b.example/"])

    destinations_ask(account=account, urls=["https://c.example/"])

    assert Destination.objects.count() == 2


@pytest.mark.django_db
def test_old_answers_are_forgotten(account: Account) -> None:
    destinations_ask(account=account, urls=["https://a.example/"])
    Destination.objects.update(asked_at=now() - timedelta(days=2), checked_at=now())

    destinations_check()

    assert not Destination.objects.exists()
