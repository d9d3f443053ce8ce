"""`make bench-compose`: the exact estimate of a large audience, and rendering as the senders do it.

Figures and what they are held against are listed in docs/performance.md. Sizes can be changed by
BENCH_ESTIMATE and BENCH_RENDER.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Final

from django.core.management import call_command
from django.db import connection

from bench import send_parts as parts
from bench.figures import Figure, report
from contacts.models import Contact, Group
from contacts.selectors import audience
from messaging.content import Content
from messaging.rendering import compile_body
from messaging.segments import segments
from messaging.services import estimate
from tracking.codes import CODE_LENGTH

ESTIMATE: Final = int(os.environ.get("BENCH_ESTIMATE", "1000000"))
RENDER: Final = int(os.environ.get("BENCH_RENDER", "200000"))
ROUNDS: Final = 5
# Of a hundred people three have a letter outside GSM-7 in their name, one an emoji, two none.
NAMES: Final = "array['Zoë','Łukasz','小明','Ann 🌷','','']"


def main() -> None:
    """Measure both and report."""
    call_command("migrate", verbosity=0)
    shop = parts.Shop.open("http://127.0.0.1:1", people=ESTIMATE)
    report("compose", [_estimate(shop), _render()])


def _estimate(shop: parts.Shop) -> Figure:
    group = Group.objects.create(account=shop.account, name="Everybody")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE contacts_contact SET first_name = CASE WHEN id %% 100 < 6 "
            f"THEN ({NAMES})[id %% 100 + 1] ELSE initcap(left(md5(id::text), 3 + (id %% 7)::int)) "
            "END WHERE account_id = %s",
            [shop.account.pk],
        )
        cursor.execute(
            "INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at) "
            "SELECT account_id, %s, id, now() FROM contacts_contact WHERE account_id = %s",
            [group.pk, shop.account.pk],
        )
        cursor.execute("VACUUM FULL ANALYZE contacts_contact")
        cursor.execute("VACUUM ANALYZE contacts_groupmember")
    content = Content(compile_body(parts.BODY))
    names = Contact.objects.filter(account=shop.account).values_list("first_name", flat=True)
    texts = [content.sample({"first_name": name}) for name in names]
    everybody = audience(account=shop.account, group_ids=[group.pk])
    ours: list[float] = []
    alone: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = estimate(account=shop.account, body=parts.BODY, audience=everybody)
        ours.append(ESTIMATE / (time.perf_counter() - start))
        start = time.perf_counter()
        total = sum(map(segments, texts))
        alone.append(ESTIMATE / (time.perf_counter() - start))
        if found.segments != total:
            raise RuntimeError(f"{found.segments} segments announced, {total} counted")
        print(f"estimate: {ours[-1]:,.0f} people/s, segments alone {alone[-1]:,.0f}", flush=True)
    return Figure(
        "estimate", statistics.median(ours), "people/s", statistics.median(alone), 0.5,
        note=f"segments() alone over the {ESTIMATE:,} rendered texts in memory, {ROUNDS} rounds",
    )  # fmt: skip


def _render() -> Figure:
    """Texts as a window is rendered, with everybody's link, against str.format of the same."""
    content = Content(compile_body(parts.BODY))
    merges = [{"first_name": f"Ann{no}"} for no in range(RENDER)]
    numbers = list(range(1, RENDER + 1))
    codes = [(str(no).zfill(CODE_LENGTH),) for no in numbers]
    pattern = "{link}".join(
        parts.BODY.replace("{{first_name|there}}", "{first_name}").split(
            "https://shop.example.com/sale"
        )
    )
    base = content.texts([{"first_name": ""}], [("",)])[0].split("now ")[1].split(" ")[0]

    def ours() -> list[str]:
        return content.texts(merges, codes)

    def plain() -> list[str]:
        return [
            pattern.format(first_name=merge["first_name"], link=base + own[0])
            for merge, own in zip(merges, codes, strict=True)
        ]

    if ours() != plain():
        raise RuntimeError("the two do not render the same texts")
    speeds = [(_speed(ours), _speed(plain)) for _ in range(ROUNDS)]
    return Figure(
        "render", statistics.median(one for one, _ in speeds), "renders/s",
        statistics.median(other for _, other in speeds), 0.3,
        note=f"str.format of the same {RENDER:,} texts, {ROUNDS} rounds in turn",
    )  # fmt: skip


def _speed(render: Callable[[], list[str]]) -> float:
    start = time.perf_counter()
    return len(render()) / (time.perf_counter() - start)
