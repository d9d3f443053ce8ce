"""What a caller may do to the edge's connections: be silent, slow, endless, or several at once."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from threading import Thread
from typing import Any

import pytest
import uvicorn
from django.db import connection, transaction

from messaging.models import CarrierAccount, CarrierEvent
from smsplatform.edge import protocol
from smsplatform.edge.protocol import EdgeProtocol
from smsplatform.local import ports
from tests.edge.conftest import EdgeClient, EdgeProcess
from tests.edge.test_intake import status


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def _server() -> Iterator[int]:
    """The port of a server of this process, which the edge's protocol serves."""
    port = ports.free()
    server = uvicorn.Server(
        uvicorn.Config(_echo, port=port, http=EdgeProtocol, lifespan="off", log_level="critical")
    )
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def patient() -> Iterator[int]:
    """The port of a server as the edge is one."""
    with _server() as port:
        yield port


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server whose requests must arrive within 0.5 s."""
    monkeypatch.setattr(protocol, "ARRIVE_WITHIN_S", 0.5)
    with _server() as port:
        yield port


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        yield connection


def _send_on(connection: socket.socket, part: bytes, *, times: int, every_s: float = 0) -> None:
    for _ in range(times):
        connection.sendall(part)
        time.sleep(every_s)


def _closed_after_s(connection: socket.socket) -> float:
    """Seconds until the other side closes, having said nothing."""
    began = time.monotonic()
    assert connection.recv(100) == b""
    return time.monotonic() - began


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
    ],
)
def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(
    quick: int, beginning: bytes
) -> None:
    with _connected(quick) as connection:
        connection.sendall(beginning)
        assert 0.3 < _closed_after_s(connection) < 2.5


def test_a_drop_now_and_then_does_not_win_time(quick: int) -> None:
    with _connected(quick) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            _send_on(connection, b"a: b\r\n", times=80, every_s=0.05)
        assert time.monotonic() - began < 2.5


def test_a_request_in_pieces_is_answered_and_its_connection_kept(quick: int) -> None:
    with _connected(quick) as connection:
        for _ in range(2):
            for piece in (b"POST / HTTP/1.1\r\nHo", b"st: a\r\nContent-Length: 4\r\n\r\nab", b"cd"):
                connection.sendall(piece)
                time.sleep(0.05)
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.read()) == (200, b"4")
            time.sleep(0.8)  # idle for longer than a request may take


def test_requests_that_come_together_are_answered_in_order(patient: int) -> None:
    with _connected(patient) as connection:
        connection.sendall(
            b"".join(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (size, b"x" * size)
                for size in (1, 22, 333)
            )
        )
        said = b""
        while said.count(b"\r\n\r\n") < 3 or not said.endswith(b"333"):
            said += connection.recv(4096)
    bodies = [part.split(b"HTTP")[0] for part in said.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"1", b"22", b"333"]


@pytest.mark.parametrize("part", [b"a: " + b"b" * 1000 + b"\r\n", b"b" * 1000])
def test_headers_without_an_end_are_refused(patient: int, part: bytes) -> None:
    with _connected(patient) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            _send_on(connection, part, times=20_000)  # more than the sockets between us hold


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_request_is_refused_and_others_are_served(patient: int, nonsense: bytes) -> None:
    with _connected(patient) as connection:
        connection.sendall(nonsense)
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    with _connected(patient) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_at_its_end_the_edge_answers_what_is_under_way(
    own_edge: tuple[EdgeProcess, EdgeClient], carrier: CarrierAccount, status_path: str
) -> None:
    """SIGTERM while a webhook waits for PostgreSQL, which is busy for a second more."""
    process, client = own_edge
    process.start()
    assert client.post_form(status_path, status(carrier)).status == 204

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {CarrierEvent._meta.db_table}")
            answer = pool.submit(client.post_form, status_path, status(carrier, "delivered"))
            time.sleep(0.5)
            process.stop()
            time.sleep(0.5)
            was_answered_early = answer.done()
        assert answer.result(10).status == 204

    assert not was_answered_early
    assert process.ended(within_s=5)
    assert CarrierEvent.objects.count() == 2
