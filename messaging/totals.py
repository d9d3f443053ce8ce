"""The one place that moves `BatchTotals`: what a batch's recipients did after the text.

Whoever marks a message (clicked, hit, replied, opted out) or closes an attempt for another one says
so here in the same transaction, with exactly what its UPDATE changed; a kept total then always
equals a recount.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from django.db.backends.utils import CursorWrapper

COLUMNS: Final = (
    "clicked",
    "hit",
    "clicks_total",
    "clicks_human",
    "replied",
    "opted_out",
    "retried_segments",
    "retried_credits",
)

TotalsMoves = dict[int, dict[str, int]]  # batch id to column to change


def totals_moves() -> TotalsMoves:
    """Changes to collect, none yet."""
    return defaultdict(lambda: defaultdict(int))


def totals_move(cursor: CursorWrapper, moves: Mapping[int, Mapping[str, int]]) -> None:
    """Add `moves` to the kept totals. One statement.

    Locks: the rows touched, by batch id; after messages and tallies, before links.
    """
    rows = sorted((batch_id, move) for batch_id, move in moves.items() if any(move.values()))
    if not rows:
        return
    names = ", ".join(COLUMNS)
    cursor.execute(
        f"""
        INSERT INTO messaging_batchtotals AS t (batch_id, {names})
        SELECT * FROM unnest({", ".join(["%s::bigint[]"] * (1 + len(COLUMNS)))})
        ON CONFLICT (batch_id) DO UPDATE SET
            {", ".join(f"{name} = t.{name} + excluded.{name}" for name in COLUMNS)}
        """,
        [
            [batch_id for batch_id, _ in rows],
            *([move.get(name, 0) for _, move in rows] for name in COLUMNS),
        ],
    )
