"""The one place that moves `BatchTally`, the kept counts per batch, state and reason.

Whoever changes a message's state, reason, segments or credits says so here in the same transaction,
with exactly what its UPDATE changed; a kept count then always equals a recount.
"""

from collections import defaultdict
from collections.abc import Mapping

from django.db.backends.utils import CursorWrapper

TallyKey = tuple[int, str, str]  # batch id, state, reason


class TallyMoves:
    """Collects moves of messages, to be written at once by `tally_move`."""

    def __init__(self) -> None:
        """Start with nothing to move."""
        self.deltas: dict[TallyKey, list[int]] = defaultdict(lambda: [0, 0, 0])

    def leave(
        self,
        batch_id: int,
        state: str,
        reason: str,
        segments: int = 0,
        credits: int = 0,
        *,
        messages: int = 1,
    ) -> None:
        """Messages no longer count under (state, reason) with these segments and credits in all."""
        self.enter(batch_id, state, reason, -segments, -credits, messages=-messages)

    def enter(
        self,
        batch_id: int,
        state: str,
        reason: str,
        segments: int = 0,
        credits: int = 0,
        *,
        messages: int = 1,
    ) -> None:
        """Messages now count under (state, reason) with these segments and credits in all."""
        delta = self.deltas[batch_id, state, reason]
        delta[0] += messages
        delta[1] += segments
        delta[2] += credits


def tally_move(cursor: CursorWrapper, deltas: Mapping[TallyKey, list[int]]) -> None:
    """Add `deltas` (messages, segments, credits) to the kept counts. One statement.

    Locks: the rows touched, in (batch, state, reason) order; after messages, before credits.
    """
    rows = sorted((key, delta) for key, delta in deltas.items() if any(delta))
    if not rows:
        return
    cursor.execute(
        """
        INSERT INTO messaging_batchtally AS t (batch_id, state, reason, messages, segments, credits)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[],
                             %s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (batch_id, state, reason) DO UPDATE SET
            messages = t.messages + excluded.messages,
            segments = t.segments + excluded.segments,
            credits = t.credits + excluded.credits
        """,
        [
            [key[0] for key, _ in rows],
            [key[1] for key, _ in rows],
            [key[2] for key, _ in rows],
            *([delta[place] for _, delta in rows] for place in range(3)),
        ],
    )
