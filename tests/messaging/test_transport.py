"""libcurl must not repeat a request, and it must be known whether one was written."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from messaging import lookups
from messaging.gateways.base import Answer, Endpoint
from messaging.gateways.transport import Transport

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers requests on kept connections as `script` says, and counts them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.connections = 0
        self.answers: list[bytes | None] = []  # None: close without a word
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/messages"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with closing(connection), connection.makefile("rb") as stream:
            while head := stream.readline():
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                self.bodies.append(stream.read(length) if length else head.strip())
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    return
                connection.sendall(answer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(concurrency=1, timeout_s=20)
    yield transport
    transport.close()


@pytest.fixture
def hasty() -> Iterator[Transport]:
    """One that does not wait for an answer that will not come."""
    transport = Transport(concurrency=1, timeout_s=0.5)
    yield transport
    transport.close()


def post(transport: Transport, url: str, *bodies: bytes) -> list[Answer]:
    answers: dict[int, Answer] = {}
    endpoint = Endpoint("POST", url, ("Content-Type: text/plain",))
    transport.run(
        ((key, endpoint, body) for key, body in enumerate(bodies)),
        lambda key, answer, started, ended: answers.__setitem__(key, answer),
    )
    return [answers[key] for key in sorted(answers)]


def test_connections_are_kept(server: Server, transport: Transport):
    answers = post(transport, server.url, b"a", b"b", b"c")

    assert [(answer.status, answer.body) for answer in answers] == [(201, b"ok")] * 3
    assert server.bodies == [b"a", b"b", b"c"]
    assert server.connections == 1


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.gateways.transport._IDLE_MOST_S", 1)
    transport = Transport(concurrency=1, timeout_s=20)

    post(transport, server.url, b"one", b"two")
    assert server.connections == 1
    time.sleep(2.1)  # libcurl counts whole seconds
    post(transport, server.url, b"three")

    assert server.connections == 2
    transport.close()


def test_a_connection_that_dies_after_the_request_does_not_get_it_twice(
    server: Server, transport: Transport
):
    server.answers = [OK, None, OK]

    first, second, third = post(transport, server.url, b"a", b"b", b"c")

    assert server.bodies == [b"a", b"b", b"c"]
    assert (first.status, third.status) == (201, 201)
    assert (second.status, second.is_written) == (0, True)


def test_a_look_up_whose_connection_dies_is_not_asked_twice(server: Server):
    server.answers = [OK, None, OK]
    lookups._transport.cache_clear()
    read_from = Endpoint("GET", server.url, ())
    answers: list[Answer] = []

    for key in range(3):  # one after another: a kept connection would be used again
        lookups._transport().run(
            [(key, read_from, b"")], lambda key, answer, *_: answers.append(answer)
        )

    assert [(answer.status, answer.is_written) for answer in answers] == [
        (201, True),
        (0, True),
        (201, True),
    ]
    assert (len(server.bodies), server.connections) == (3, 3)


def test_a_half_answer_is_no_answer(server: Server, hasty: Transport):
    server.answers = [b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\nhalf", b""]

    answers = post(hasty, server.url, b"a", b"b")

    assert [(answer.status, answer.is_written) for answer in answers] == [(0, True), (0, True)]


def test_a_server_that_is_silent_runs_into_the_time_limit(server: Server, hasty: Transport):
    server.answers = [b"", OK]

    slow, _ = post(hasty, server.url, b"a", b"b")

    assert (slow.status, slow.is_written) == (0, True)
    assert slow.error.startswith("28:")


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid"])
def test_what_cannot_be_reached_was_not_written(hasty: Transport, host: str):
    (answer,) = post(hasty, f"http://{host}/", b"a")

    assert (answer.status, answer.is_written) == (0, False)


def test_a_large_body_arrives_whole(server: Server, transport: Transport):
    body = bytes(range(1, 256)) * 2000

    (answer,) = post(transport, server.url, body)

    assert answer.status == 201
    assert server.bodies == [body]


def test_requests_are_asked_for_only_when_they_can_start(server: Server):
    transport = Transport(concurrency=2, timeout_s=20)
    endpoint = Endpoint("POST", server.url, ())
    begun, ended = 0, 0
    ahead = []

    def requests() -> Iterator[tuple[int, Endpoint, bytes]]:
        nonlocal begun
        for key in range(20):
            begun += 1
            ahead.append(begun - ended)
            yield key, endpoint, b"x"

    def on_answer(key: int, answer: Answer, started: float, at: float) -> None:
        nonlocal ended
        ended += 1

    transport.run(requests(), on_answer)
    transport.close()

    assert ended == 20
    assert max(ahead) <= 3


def test_get_and_post_can_take_turns(server: Server, transport: Transport):
    answers: list[int] = []
    post_to = Endpoint("POST", server.url, ())
    read_from = Endpoint("GET", server.url, ())

    transport.run(
        [(0, post_to, b"a"), (1, read_from, b""), (2, post_to, b"b")],
        lambda key, answer, *_: answers.append(answer.status),
    )

    assert answers == [201, 201, 201]
    assert server.bodies == [b"a", b"GET /messages HTTP/1.1", b"b"]


def test_after_an_error_of_the_caller_the_transport_still_works(
    server: Server, transport: Transport
):
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transport.run([(0, Endpoint("POST", server.url, ()), b"a")], explode)

    assert [answer.status for answer in post(transport, server.url, b"b")] == [201]
