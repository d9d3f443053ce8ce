"""`python -m carriersim.bench`: how many creates and callbacks a second one process manages.

The generator is libcurl's multi interface, the receiver of callbacks the barest ASGI application
under granian, both processes of their own. Beside the rate on the clock it prints the server's CPU
time per request, which does not depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote_plus

import pycurl

from carriersim.asgi import Receive, Scope, Send, answer
from carriersim.client import Client
from carriersim.process import command, free_port, running

_SID, _TOKEN = "AC" + "0" * 32, "bench"
_BODY = (
    "Hi Alexandra, Mother's Day is near: 20% off all bouquets until Sunday. Choose yours at "
    "http://127.0.0.1:1/{code} Reply STOP to opt out"
)


async def sink(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application that reads what it gets and answers 200."""
    if scope["type"] == "lifespan":
        message = await receive()
        await send({"type": "lifespan.startup.complete"})
        while message["type"] != "lifespan.shutdown":
            message = await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await answer(send, 200, b"", content_type=b"text/plain")


def post_messages(base_url: str, *, count: int, concurrency: int, callback: str = "") -> float:
    """Create messages to as many numbers; seconds it took.

    Raises:
        RuntimeError: an answer was not 201.
    """
    url = f"{base_url}/2010-04-01/Accounts/{_SID}/Messages.json"
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, concurrency)
    idle = []
    for _ in range(concurrency):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.USERPWD, f"{_SID}:{_TOKEN}")
        handle.setopt(pycurl.WRITEFUNCTION, len)
        idle.append(handle)
    started = time.perf_counter()
    sent = done = 0
    while done < count:
        while idle and sent < count:
            handle = idle.pop()
            body = quote_plus(_BODY.format(code=f"{sent:012x}"))
            form = f"To=%2B1{2125600000 + sent}&From=%2B12025550123&Body={body}"
            if callback:
                form += f"&StatusCallback={quote_plus(f'{callback}/{sent}')}"
            handle.setopt(pycurl.POSTFIELDS, form)
            multi.add_handle(handle)
            sent += 1
        multi.perform()
        waiting, good, bad = multi.info_read()
        for handle in good:
            if handle.getinfo(pycurl.RESPONSE_CODE) != 201:
                raise RuntimeError(f"answered {handle.getinfo(pycurl.RESPONSE_CODE)}")
            multi.remove_handle(handle)
            idle.append(handle)
        if bad:
            raise RuntimeError(bad[0][2])
        done += len(good)
        if not good and not waiting:
            multi.select(0.5)
    return time.perf_counter() - started


@contextmanager
def sink_running() -> Iterator[str]:
    """The receiver of callbacks; yields its address."""
    port = free_port()
    arguments = [*command(host="127.0.0.1", port=port)[:-1], "carriersim.bench:sink"]
    process = subprocess.Popen(arguments)
    try:
        time.sleep(2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def bench_creates(carrier: Client, *, count: int, concurrency: int) -> None:
    """Creates without callbacks."""
    before = carrier.stats()
    seconds = post_messages(carrier.base_url, count=count, concurrency=concurrency)
    after = carrier.stats()
    assert carrier.summary()["accepted"] == count
    cpu_us = (after["cpu_s"] - before["cpu_s"]) / count * 1e6
    held = (after["memory_bytes"] - before["memory_bytes"]) / count
    _print("creates, no callbacks", count / seconds, cpu_us)
    print(f"{'memory a message':<28}{held:>10,.0f} bytes")


def bench_callbacks(carrier: Client, *, count: int, concurrency: int) -> None:
    """Two callbacks a message, all due at once."""
    with sink_running() as address:
        carrier.pause()
        post_messages(carrier.base_url, count=count, concurrency=concurrency, callback=address)
        before, started = carrier.stats(), time.perf_counter()
        after = carrier.flush(timeout_s=300)
        seconds = time.perf_counter() - started
    sent = after["callbacks"]["ok"]
    assert sent == 2 * count, after
    _print("callbacks", sent / seconds, (after["cpu_s"] - before["cpu_s"]) / sent * 1e6)


def bench_both(carrier: Client, *, count: int, concurrency: int) -> None:
    """Creates while callbacks go out, until the last callback was answered."""
    carrier.set(speed=10)
    with sink_running() as address:
        before, started = carrier.stats(), time.perf_counter()
        post_messages(carrier.base_url, count=count, concurrency=concurrency, callback=address)
        while not (after := carrier.stats())["idle"]:
            time.sleep(0.02)
        seconds = time.perf_counter() - started
    assert after["callbacks"]["ok"] == 2 * count, after
    cpu_us = (after["cpu_s"] - before["cpu_s"]) / count * 1e6
    _print("messages with two callbacks", count / seconds, cpu_us)


def _print(name: str, rate: float, cpu_us: float) -> None:
    print(f"{name:<28}{rate:>10,.0f} /s {cpu_us:>8.1f} us of CPU, so {1e6 / cpu_us:,.0f} /s a core")


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(prog="carriersim.bench")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=200)
    options = parser.parse_args()
    for bench in (bench_creates, bench_callbacks, bench_both):
        with running(accounts={_SID: _TOKEN}) as carrier:
            bench(carrier, count=options.count, concurrency=options.concurrency)


if __name__ == "__main__":
    main()
