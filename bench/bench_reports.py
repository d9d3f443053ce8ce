"""`make bench-reports`: reports and lists over ten million messages, against ten thousand.

Figures and what they are held against are listed in docs/performance.md. Sizes can be changed by
BENCH_MESSAGES, BENCH_SMALL, BENCH_EXPORT and BENCH_FILL_S, the longest that inserting may take:
where the machine is too slow for BENCH_MESSAGES, what there is by then is measured and its size
printed.
"""

import os
import statistics
import time
from typing import Final

from django.conf import settings
from django.core.management import call_command

from bench import report_parts as parts
from bench.figures import Figure, report

MESSAGES: Final = int(os.environ.get("BENCH_MESSAGES", "10000000"))
SMALL: Final = int(os.environ.get("BENCH_SMALL", "10000"))
EXPORT: Final = int(os.environ.get("BENCH_EXPORT", "200000"))
FILL_S: Final = float(os.environ.get("BENCH_FILL_S", "240"))
MOST_QUERIES: Final = 30
PAGE_ROUNDS: Final = 21
# The log shows fifty rows a page.
DEEP: Final = 999 * 50


def main() -> None:
    """Measure everything and report."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    call_command("migrate", verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    small = parts.History.open("small")
    small.fill(SMALL)
    before = {name: small.seconds(url, rounds=PAGE_ROUNDS) for name, url in pages(small).items()}
    parts.export_per_s(small, SMALL)  # connections and plans are warm
    large = parts.History.open("large")
    began = time.monotonic()
    speeds = large.fill(MESSAGES, limit_s=FILL_S)
    _tell(large, speeds, time.monotonic() - began)
    figures: list[Figure] = []
    for name, url in pages(large).items():
        took = large.seconds(url, rounds=PAGE_ROUNDS)
        # Machines have moods: the faster of then and now is what it is held against.
        beside = small.seconds(pages(small)[name], rounds=PAGE_ROUNDS)
        figures.append(_page(name, took, min(before[name], beside), large))
    figures.append(_queries(large))
    figures.append(_export(large))
    report("reports", figures)


def pages(history: parts.History) -> dict[str, str]:
    """The pages by their figure. The first four have a goal."""
    blast = f"/blasts/{history.blast_id()}/"
    return {
        "message_report": blast,
        "campaign_report": f"/campaigns/{history.campaign.pk}/",
        "log_page": "/messages/",
        "log_page_1000": f"/messages/?before={history.before(DEEP)}",
        "overview": "/?days=90",
        "report_filter": f"{blast}?show=replied&q=peonies",
        "log_filter": "/messages/?did=opted_out&state=refused",
        "log_search": "/messages/?q=peonies",
        "log_person": "/messages/?q=%2B14150000042",
    }


_GOALS: Final = ("message_report", "campaign_report", "log_page", "log_page_1000")


def _page(name: str, took: float, before: float, large: parts.History) -> Figure:
    goal = 1.5 if name in _GOALS else None
    note = f"at {SMALL:,} messages; value: at {large.messages:,}"
    print(f"{name}: {took * 1000:.1f} ms, at {SMALL:,} {before * 1000:.1f} ms", flush=True)
    return Figure(name, took * 1000, "ms", before * 1000, goal, "lower", note=note)


def _queries(large: parts.History) -> Figure:
    asked = {url: large.queries(url) for url in pages(large).values()}
    worst = max(asked, key=lambda url: asked[url])
    note = f"the most a page may ask; worst: {worst}"
    return Figure("queries", asked[worst], "queries", MOST_QUERIES, 1.0, "lower", note=note)


def _export(large: parts.History) -> Figure:
    ours: list[float] = []
    copy: list[float] = []
    for _ in range(3):
        ours.append(parts.export_per_s(large, EXPORT))
        copy.append(parts.copy_per_s(large, EXPORT))
        print(f"export: {ours[-1]:,.0f} rows/s, COPY {copy[-1]:,.0f}", flush=True)
    note = f"COPY TO of the same columns, {EXPORT:,} rows"
    return Figure(
        "export", statistics.median(ours), "rows/s", statistics.median(copy), 0.3, note=note
    )


def _tell(large: parts.History, speeds: list[tuple[int, float]], took: float) -> None:
    """How the filling went: what docs/scale.md is written from."""
    assert large.largest is not None
    assert large.largest.batch is not None
    whole = "" if large.messages == MESSAGES else f" of {MESSAGES:,}: the machine was too slow"
    print(f"filled {large.messages:,}{whole} in {took:.0f} s, indexes in place", flush=True)
    for at, speed in speeds:
        if at % 1_000_000 < 500_000:
            print(f"  at {at:>12,}: {speed:,.0f} rows/s", flush=True)
    for table, (own, indexes) in parts.sizes().items():
        each = (own + indexes) / (large.messages + SMALL)
        print(
            f"  {table}: {own / 1e6:,.0f} MB and {indexes / 1e6:,.0f} MB of indexes, "
            f"{each:,.0f} bytes a message",
            flush=True,
        )
