"""The one place that moves `BatchActivity`: when a blast's people were reached and what they did.

Whoever moves a message's `accepted_at`, `final_at`, `human_click_at`, `replied_at` or
`opted_out_at` says so here in the same transaction, with exactly what its UPDATE changed; a kept
count then always equals a recount (docs/adr/0014-activity-in-slots.md). Kept for blasts alone: a
single text has no picture.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from messaging.choices import BatchKind, Happened, MessageState

ActivityKey = tuple[int, str, str, int]  # batch id, our number, what happened, minute since 1970

# Final states are what happened to a message; the others are on their way.
ENDS: Final = frozenset({
    MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.FAILED, MessageState.REFUSED,
})  # fmt: skip

# Where a moment falls: a minute while the blast is watched, then a quarter of an hour, of which the
# hours of every time zone are made. The change is on a quarter, so no two slots overlap.
_SLOT: Final = """date_bin(
    CASE WHEN {at} < date_bin('15 minutes', {launched} + interval '3 hours', 'epoch'::timestamptz)
        THEN interval '1 minute' ELSE interval '15 minutes' END, {at}, 'epoch'::timestamptz)"""

# The same counts from messages, for recounts (`messaging.recounting`): all batches or one.
COUNTED_SQL: Final = f"""
SELECT m.batch_id, b.account_id, m.our_number, e.what,
    {_SLOT.format(at="e.at", launched="b.launched_at")} AS slot_at, count(*) AS people
FROM messaging_batch b
JOIN messaging_message m ON m.batch_id = b.id AND m.direction = 'out'
CROSS JOIN LATERAL (VALUES
    ('{Happened.ACCEPTED.value}', m.accepted_at),
    (CASE WHEN m.state IN ({", ".join(f"'{state}'" for state in sorted(ENDS))})
        THEN m.state END, m.final_at),
    ('{Happened.CLICKED.value}', m.human_click_at),
    ('{Happened.REPLIED.value}', m.replied_at),
    ('{Happened.OPTED_OUT.value}', m.opted_out_at)
) AS e(what, at)
WHERE b.kind = '{BatchKind.BLAST.value}' AND e.what IS NOT NULL AND e.at IS NOT NULL
    AND (%(batch)s::bigint IS NULL OR b.id = %(batch)s)
GROUP BY 1, 2, 3, 4, 5
"""

_MOVE_SQL: Final = f"""
INSERT INTO messaging_batchactivity AS t
    (batch_id, account_id, our_number, what, slot_at, people)
SELECT v.batch_id, b.account_id, v.our_number, v.what,
    {_SLOT.format(at="to_timestamp(v.minute * 60)", launched="b.launched_at")} AS slot_at,
    sum(v.people)
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
    AS v(batch_id, our_number, what, minute, people)
CROSS JOIN LATERAL (
    SELECT account_id, launched_at FROM messaging_batch
    WHERE id = v.batch_id AND kind = '{BatchKind.BLAST.value}' OFFSET 0
) b
GROUP BY 1, 2, 3, 4, 5 HAVING sum(v.people) <> 0
ORDER BY 1, 3, 4, 5
ON CONFLICT (batch_id, our_number, what, slot_at) DO UPDATE SET people = t.people + excluded.people
"""


def minute_of(at: datetime | float) -> int:
    """The minute since 1970 of a moment or of unix seconds."""
    return int(at.timestamp() if isinstance(at, datetime) else at) // 60


class ActivityMoves:
    """Collects what happened to messages, to be written at once by `activity_move`."""

    def __init__(self) -> None:
        """Start with nothing to move."""
        self.deltas: dict[ActivityKey, int] = defaultdict(int)

    def happened(
        self, batch_id: int, our_number: str, what: str, minute: int | None, people: int = 1
    ) -> None:
        """Something happened to messages; fewer than none takes it back.

        Args:
            batch_id: Of any kind; only blasts' are kept.
            our_number: The number the messages go from.
            what: A `Happened`; a state that is no end (`ENDS`) is left out.
            minute: When (`minute_of`); None for never.
            people: How many messages.
        """
        if minute is not None and what in Happened.values:
            self.deltas[batch_id, our_number, what, minute] += people


def activity_move(cursor: CursorWrapper, deltas: Mapping[ActivityKey, int]) -> None:
    """Add `deltas` to the kept counts. At most one statement.

    Locks: the rows touched, in (batch, our number, what, slot) order; after tallies and totals.
        Results and callbacks, clicks, and replies each write rows of their own `what`.
    """
    rows = sorted((key, people) for key, people in deltas.items() if people)
    if not rows:
        return
    cursor.execute(
        _MOVE_SQL,
        [
            *([key[place] for key, _ in rows] for place in range(4)),
            [people for _, people in rows],
        ],
    )


def activity_rewrite(batch_ids: Collection[int]) -> None:
    """Write the kept counts of batches anew from their messages, whose times were rewritten.

    Reads all of their messages: for what moves history (the demo), never for traffic.

    Locks: the batches' rows.
    """
    with connection.cursor() as cursor:
        for batch_id in sorted(batch_ids):
            cursor.execute("DELETE FROM messaging_batchactivity WHERE batch_id = %s", [batch_id])
            cursor.execute(
                "INSERT INTO messaging_batchactivity "
                f"(batch_id, account_id, our_number, what, slot_at, people) {COUNTED_SQL}",
                {"batch": batch_id},
            )
