"""`make bench-send`: launch, hot path, fairness, rate and memory of the send engine.

Figures and what they are held against are listed in docs/performance.md. Sizes can be changed by
BENCH_LAUNCH, BENCH_SEND, BENCH_NAIVE and BENCH_THROTTLE_S.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.management import call_command

from bench import send_parts as parts
from bench.figures import Figure, report
from messaging.hints import hint_send
from messaging.models import Batch
from messaging.services import batch_cancel

LAUNCH: Final = int(os.environ.get("BENCH_LAUNCH", "1000000"))
SEND: Final = int(os.environ.get("BENCH_SEND", "100000"))
NAIVE: Final = int(os.environ.get("BENCH_NAIVE", "5000"))
THROTTLE_S: Final = int(os.environ.get("BENCH_THROTTLE_S", "60"))
ROUNDS: Final = 3
SENDERS: Final = 200
RATES: Final = (1.0, 225.0)
# The large blast of the memory and fairness figures is stopped after so long; by then hundreds of
# thousands have gone, and the rest would show nothing new.
LARGE_S: Final = 40.0


def main() -> None:
    """Measure everything and report."""
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    figures: list[Figure] = []
    with parts.sink() as url:
        shop = parts.Shop.open(url, people=max(LAUNCH, SEND))
        figures.append(_launch(shop, began))
        one = _one_worker(shop)
        figures.append(_vs_libcurl(shop, one))
        figures.append(_vs_naive(shop, one))
        figures.append(_two_workers(shop, one))
        figures += _large(shop, url)
        figures += _throttle(shop, url)
    report("send", figures)


def _launch(shop: parts.Shop, began: float) -> Figure:
    """Rows a second of a whole launch, against the bare INSERT ... SELECT of the same rows."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        batch = shop.launch(LAUNCH)
        ours.append(LAUNCH / (time.perf_counter() - start))
        bare.append(LAUNCH / parts.bare_insert_s(batch))
        parts.forget(batch)
        print(f"launch: {ours[-1]:,.0f} rows/s, bare {bare[-1]:,.0f}", flush=True)
        if time.monotonic() - began > 120:
            break
    note = f"bare INSERT ... SELECT of {LAUNCH:,} rows with all indexes, {len(ours)} rounds"
    return Figure(
        "launch", statistics.median(ours), "rows/s", statistics.median(bare), 0.6, note=note
    )


def _one_worker(shop: parts.Shop) -> float:
    speeds = []
    with parts.worker(1):
        shop.send(min(SEND, 5000))  # connections, plans and caches are warm on both sides
        for _ in range(ROUNDS):
            speeds.append(shop.send(SEND))
            print(f"one worker: {speeds[-1]:,.0f} messages/s", flush=True)
    return statistics.median(speeds)


def _vs_libcurl(shop: parts.Shop, one: float) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bodies"
        path.write_bytes(b"\n".join(shop.requests(SEND)))
        speeds = [parts.libcurl(shop.send_url, path) for _ in range(ROUNDS)]
    print("libcurl: " + ", ".join(f"{speed:,.0f}" for speed in speeds), flush=True)
    note = f"bare pycurl multi loop, same bytes, {settings.SEND_CONCURRENCY} in flight"
    return Figure("vs_libcurl", one, "messages/s", statistics.median(speeds), 0.5, note=note)


def _vs_naive(shop: parts.Shop, one: float) -> Figure:
    speed = shop.naive(NAIVE)
    print(f"naive: {speed:,.0f} messages/s", flush=True)
    note = f"a Celery task per message with Twilio's SDK and an UPDATE, {NAIVE:,} messages"
    return Figure("vs_naive", one, "messages/s", speed, 25, note=note)


def _two_workers(shop: parts.Shop, one: float) -> Figure:
    with parts.worker(2):
        shop.send(min(SEND, 5000))
        two = statistics.median(shop.send(SEND) for _ in range(2))
    print(f"two workers: {two:,.0f} messages/s", flush=True)
    return Figure("two_workers", two, "messages/s", one, None, note="one worker process")


def _large(shop: parts.Shop, url: str) -> list[Figure]:
    """Memory of a worker, and a small blast's turn, while another account sends to very many."""
    small = parts.Shop.open(url, people=10)
    with parts.worker(1) as worker:
        shop.send(10_000)
        low = worker.peak_mb()
        idle = statistics.median(small.time_to_last() for _ in range(5))
    with parts.worker(1) as worker:
        batch = shop.launch(LAUNCH)
        end = time.monotonic() + LARGE_S
        busy = []
        while time.monotonic() < end and parts.pending(batch):
            busy.append(small.time_to_last())
            time.sleep(1)
        gone = LAUNCH - parts.pending(batch)
        high = worker.peak_mb()
        batch_cancel(account=shop.account, actor=None, batch=batch)
        parts.wait_idle()
    parts.forget(batch)
    turn = statistics.median(busy)
    print(f"memory {low:.0f} -> {high:.0f} MB; 10 people: {idle:.3f} s, {turn:.3f} s", flush=True)
    return [
        Figure(
            "memory", high, "MB", low, 1.1, "lower",
            note=f"peak of a worker at 10,000; value: after {gone:,} of {LAUNCH:,}",
        ),
        Figure("fairness", turn, "s", idle, 3, "lower", note="10 people on an idle system"),
        Figure("fairness_s", turn, "s", 1.0, 2, "lower", note="baseline: one second"),
    ]  # fmt: skip


def _throttle(shop: parts.Shop, url: str) -> list[Figure]:
    """Many senders at their own rates: what they reach together, and the fullest second of one."""
    low, high = RATES
    rates = [low * (high / low) ** (at / (SENDERS - 1)) for at in range(SENDERS)]
    senders = [shop.sender(rate) for rate in rates]
    for sender, rate in zip(senders, rates, strict=True):
        shop.launch(int(rate * (THROTTLE_S + 8)) + 1, sender=sender)
    with parts.worker(2):
        hint_send(windows=2)  # those of the launches went with the queue of the last worker
        time.sleep(3)
        parts.arrivals(url)
        time.sleep(THROTTLE_S)
        arrived = parts.arrivals(url)
        Batch.objects.filter(settled_at__isnull=True).update(state="paused")
        parts.wait_idle()
    reached = sum(sum(slots.values()) for slots in arrived.values()) / THROTTLE_S
    peak = max(
        parts.fullest_second(arrived.get(sender.phone, {})) / (rate + max(rate, 1.0))
        for sender, rate in zip(senders, rates, strict=True)
    )
    print(f"throttle: {reached:,.0f} of {sum(rates):,.0f} segments/s, peak {peak:.2f}", flush=True)
    return [
        Figure(
            "throttle", reached, "segments/s", sum(rates), 0.99,
            note=f"{SENDERS} senders at 1 to 225 segments/s over {THROTTLE_S} s, two processes",
        ),
        Figure(
            "throttle_peak", peak, "share", 1.0, 1.0, "lower",
            note="fullest second of any sender over its rate and one second's burst",
        ),
    ]  # fmt: skip
