"""Lanes: whose turn it is, and who is left alone until it is worth serving them.

Owns fairness (least recently served account first, then replies before bulk, then an account's
senders in turn, of a sender the oldest work first) and `Lane`, a sender's row of it. Nobody is
waited for: a sender whose bucket is dry is put off, and the next is served.
"""

from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings
from django.db import connection

from accounts.choices import AccountStatus
from messaging import rate
from messaging.choices import BatchState, ChunkState

# Looked at for one window.
_LANES: Final = 50
# A throttled sender is served when half a second's worth has come together, not for each token: a
# lane of a window costs the same for one message as for fifty. Its bucket holds nearly a second's
# worth, so it can be four tenths of a second late and loses nothing.
_SERVE_AFTER_S: Final = 0.5
_EMPTY: Final = rate.Bucket(0, 0)


@dataclass(frozen=True, slots=True)
class Turn:
    """A sender with work: its rate, its next chunk's size, and what its bucket holds."""

    sender_id: int
    rate_per_s: float
    head_size: int
    bucket: rate.Bucket = _EMPTY

    @property
    def allowance(self) -> int:
        return min(int(self.bucket.tokens + 0.001), settings.SEND_WINDOW)

    def wait_s(self, taken: int = 0) -> float:
        """Seconds until it is worth serving, once `taken` recipients of its chunk have gone."""
        most = min(settings.SEND_WINDOW, self.rate_per_s * _SERVE_AFTER_S)
        wanted = max(1.0, min(self.head_size - taken, most))
        lacking = wanted - 0.001 - (self.bucket.tokens - taken)
        return max(0.0, lacking / max(self.bucket.rate_per_s, 0.001))


def next_ready_in_s() -> float | None:
    """Seconds until some work may be ready (0 or less: now); None when there is none. 1 query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_SENDERS_WITH_WORK}
            SELECT extract(epoch FROM min(greatest(l.not_before, c.not_before))
                                      - clock_timestamp())::float8
            FROM senders s
            JOIN messaging_lane l ON l.sender_id = s.id
            JOIN messaging_chunk c ON c.sender_id = s.id AND c.state = %s
            JOIN messaging_batch b ON b.id = c.batch_id AND b.state = %s
            JOIN accounts_account a ON a.id = l.account_id AND a.status <> %s
            """,
            [ChunkState.READY, BatchState.RUNNING, AccountStatus.SUSPENDED],
        )
        return cursor.fetchone()[0]


# Senders that have a ready chunk, found by hopping over the partial index `chunk_ready`: the cost
# goes with their number, not with the number of chunks (a million recipients are a thousand).
_SENDERS_WITH_WORK: Final = """
    WITH RECURSIVE senders(id) AS (
        (SELECT sender_id FROM messaging_chunk WHERE state = 'ready' ORDER BY sender_id LIMIT 1)
        UNION ALL
        SELECT (SELECT c.sender_id FROM messaging_chunk c
                WHERE c.state = 'ready' AND c.sender_id > senders.id
                ORDER BY c.sender_id LIMIT 1)
        FROM senders WHERE senders.id IS NOT NULL
    )
"""


def turns() -> list[Turn]:
    """Lanes with something to do now, in the order in which they are to be served.

    Accounts take turns, then replies go before bulk, then an account's senders take turns: by the
    age of their work the newest would be starved while there is more than can be sent. Of one
    sender the oldest work goes first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_SENDERS_WITH_WORK}, served AS MATERIALIZED (
                SELECT account_id, max(served_at) AS last_at FROM messaging_lane
                WHERE account_id = ANY (ARRAY(
                    SELECT l.account_id FROM senders s JOIN messaging_lane l ON l.sender_id = s.id))
                GROUP BY account_id
            )
            SELECT l.sender_id, n.rate_per_s, head.size
            FROM senders s
            JOIN messaging_lane l ON l.sender_id = s.id AND l.not_before <= clock_timestamp()
            JOIN served ON served.account_id = l.account_id
            JOIN messaging_sendernumber n ON n.id = s.id
            JOIN accounts_account a ON a.id = l.account_id AND a.status <> %s
            CROSS JOIN LATERAL (
                SELECT c.priority, c.id, c.last_no - c.next_no + 1 AS size
                FROM messaging_chunk c
                JOIN messaging_batch b ON b.id = c.batch_id AND b.state = %s
                WHERE c.sender_id = s.id AND c.state = 'ready'
                  AND c.not_before <= clock_timestamp()
                ORDER BY c.priority, c.id LIMIT 1
            ) head
            ORDER BY served.last_at, head.priority, l.served_at, head.id
            LIMIT %s
            """,
            [AccountStatus.SUSPENDED, BatchState.RUNNING, _LANES],
        )
        return [Turn(*row) for row in cursor.fetchall()]


def within_rate(lanes: list[Turn]) -> tuple[list[Turn], list[tuple[int, float]]]:
    """Lanes whose bucket holds enough for a window; of the others (sender id, seconds to wait)."""
    buckets = rate.peek([(lane.sender_id, lane.rate_per_s) for lane in lanes])
    served: list[Turn] = []
    dry: list[tuple[int, float]] = []
    for lane, bucket in zip(lanes, buckets, strict=True):
        filled = replace(lane, bucket=bucket)
        wait_s = filled.wait_s()
        if wait_s:
            dry.append((lane.sender_id, wait_s))
        else:
            served.append(filled)
    return served, dry


def put_off(waits: list[tuple[int, float]]) -> None:
    """Leave the lanes of (sender id, seconds) alone for so long.

    Locks: lanes by sender id.
    """
    touch(set(), waits)


def look_again(sender_ids: list[int]) -> None:
    """Serve these senders again at once: they used less than was claimed, or may send more now.

    Locks: lanes by sender id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_lane l SET not_before = clock_timestamp()
            FROM (SELECT sender_id FROM messaging_lane WHERE sender_id = ANY(%s)
                  ORDER BY sender_id FOR UPDATE) w
            WHERE l.sender_id = w.sender_id
            """,
            [sender_ids],
        )


def touch(served: set[int], waits: list[tuple[int, float]]) -> None:
    """Write down which senders were served, and which are left alone for how many seconds."""
    seconds = {**dict.fromkeys(served, 0.0), **dict(waits)}
    sender_ids = sorted(seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_lane l
            SET served_at = CASE WHEN w.is_served THEN clock_timestamp() ELSE l.served_at END,
                not_before = CASE WHEN w.wait_s = 0 THEN l.not_before
                             ELSE clock_timestamp() + w.wait_s * interval '1 second' END
            FROM (SELECT w.*
                  FROM unnest(%s::bigint[], %s::bool[], %s::float8[])
                       AS w(sender_id, is_served, wait_s)
                  JOIN messaging_lane m USING (sender_id)
                  ORDER BY m.sender_id FOR UPDATE OF m) w
            WHERE l.sender_id = w.sender_id
            """,
            [
                sender_ids,
                [sender_id in served for sender_id in sender_ids],
                [seconds[sender_id] for sender_id in sender_ids],
            ],
        )
