"""The small HTTP client: kept connections, how an answer can end, and how it can fail."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from carriersim.outgoing import Answer, BadURL, Client, Request, target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _ask(
    handler: Handler, *, times: int = 1, is_head: bool = False, read_s: float = 5
) -> tuple[list[Answer], int]:
    """Answers to requests one after the other, and how many connections they took."""

    async def main() -> tuple[list[Answer], int]:
        connections = 0

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            try:
                await handler(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(count, "127.0.0.1", 0)
        origin, _, _ = target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        client = Client()
        answers = []
        for _ in range(times):
            done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            data = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            client.send(Request(origin, data, done.set_result, is_head=is_head, read_s=read_s))
            answers.append(await asyncio.wait_for(done, 10))
            assert client.in_flight == 0
        client.close()
        server.close()
        return answers, connections

    return asyncio.run(main())


def _serving(*replies: bytes, close: bool = False) -> Handler:
    """Answers each request of a connection with the next bytes, in two parts."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply[:20])
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(reply[20:])
            await writer.drain()
        if not close:
            await reader.read()

    return handle


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Answer(200, b"hello")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b"")),
        (b"HTTP/1.1 503 No\r\ncontent-length:0\r\n\r\n", Answer(503, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n",
            Answer(200, b"abc0123456789"),
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Answer(200, b"ok"),
        ),
    ],
)
def test_answers_are_read_and_the_connection_is_kept(reply: bytes, answer: Answer) -> None:
    answers, connections = _ask(_serving(reply, reply), times=2)

    assert answers == [answer, answer]
    assert connections == 1


def test_a_head_answer_has_no_body() -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 99\r\n\r\n"

    answers, _ = _ask(_serving(reply), is_head=True)

    assert answers == [Answer(302, b"")]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nX-Filling: something\r\n\r\nok",
    ],
)
def test_a_closing_server_is_asked_on_a_new_connection(reply: bytes) -> None:
    answers, connections = _ask(_serving(reply, close=True), times=2)

    assert answers == [Answer(200, b"ok")] * 2
    assert connections == 2


def test_a_request_swallowed_by_a_stale_connection_is_sent_again() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    asked = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            if asked == 2:
                return
            writer.write(reply)
            await writer.drain()

    answers, connections = _ask(handle, times=2)

    assert answers == [Answer(200, b"ok")] * 2
    assert (asked, connections) == (3, 2)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this",
        b"this is not HTTP at all\r\n\r\n and more",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_an_answer_that_is_none_is_a_failure(reply: bytes) -> None:
    answers, _ = _ask(_serving(reply, close=True))

    assert answers == [Answer(0, b"", "rt")]


def test_silence_is_given_up_after_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    started = time.monotonic()
    answers, _ = _ask(silent, read_s=0.3)

    assert answers == [Answer(0, b"", "rt")]
    assert 0.3 <= time.monotonic() - started < 10  # what is usual is fifteen seconds


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://a.example", "a.example", "/"),
        ("http://a.example?x=1", "a.example", "/?x=1"),
        ("https://u:p@a.example:8443/p?q=/", "a.example:8443", "/p?q=/"),
        ("http://[::1]:80/p", "[::1]:80", "/p"),
    ],
)
def test_addresses_are_taken_apart(url: str, host: str, path: str) -> None:
    assert target(url)[1:] == (host, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/x",
        "ftp://a.example/",
        "http:///x",
        "http://a b/",
        "http://a:x/",
        "http://a/\u00e9",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadURL):
        target(url)
