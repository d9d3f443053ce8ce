"""How often a person is texted: an account's cap on blasts, which makes them wait, not drop.

Owns what counts (blasts that a carrier took or may have taken, and those in a window that is out)
and when the next one may go. Whoever is capped stays pending and is tried again when the oldest of
the texts that count is old enough; a batch that must end earlier skips them (`messaging.gate`).
Whom that will be is foreseen by `messaging.capping`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from messaging.choices import BatchKind, ChunkState, Direction, MessageState
from messaging.gate import Policy

# People who were texted one after another are tried again together: each time a chunk is taken up
# for somebody costs a window.
_TOGETHER_S: Final = 300
_ADVISORY_CLASS: Final = 0x0CA9
_COUNTED: Final = (MessageState.ACCEPTED, MessageState.SENT, MessageState.DELIVERED)
# When a text `m` that a carrier took, or may have taken, counts; NULL for one that does not.
TAKEN_AT: Final = (
    "CASE WHEN m.state IN ({}) THEN m.accepted_at WHEN m.state = '{}' THEN coalesce("
    "(SELECT max(requested_at) FROM messaging_attempt WHERE message_id = m.id), m.created_at) END"
).format(", ".join(f"'{state.value}'" for state in _COUNTED), MessageState.UNKNOWN.value)


@dataclass(slots=True)
class Caps:
    """When people were texted lately: (account id, phone) to moments, newest first."""

    latest: dict[tuple[int, str], list[datetime]] = field(default_factory=dict)

    def held_until(
        self, rules: Policy, account_id: int, phone: str, at: datetime
    ) -> datetime | None:
        """When this person may get another blast, or None for now, which then counts as one.

        Args:
            rules: Of the batch.
            account_id, phone: Whom, E.164.
            at: This moment, aware.
        """
        if not rules.cap_texts:
            return None
        moments = self.latest.setdefault((account_id, phone), [])
        span = timedelta(days=rules.cap_days)
        recent = [moment for moment in moments if moment > at - span]
        if len(recent) < rules.cap_texts:
            moments.insert(0, at)
            return None
        return tried_at(recent[rules.cap_texts - 1] + span)


def tried_at(frees: datetime) -> datetime:
    """When whoever may be texted again from `frees` (aware) on is tried."""
    seconds = frees.timestamp()
    return datetime.fromtimestamp(seconds - seconds % -_TOGETHER_S, frees.tzinfo)


def account_lock(account_ids: Sequence[int]) -> None:
    """Claim windows of these accounts one after another, to the end of the transaction.

    Locks: an advisory lock an account, in the order given.
    """
    with connection.cursor() as cursor:
        for account_id in account_ids:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [_ADVISORY_CLASS, account_id]
            )


def caps_read(people: Iterable[tuple[int, str, int, int]]) -> Caps:
    """What each person was texted within the cap's days. One query, over `message_by_phone`.

    Args:
        people: (account id, phone, texts, days) of each.
    """
    accounts, phones, texts, days = zip(*dict.fromkeys(people), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT w.account_id, w.phone, array_agg(r.at ORDER BY r.at DESC)
            FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::int[])
                 AS w(account_id, phone, texts, days)
            CROSS JOIN LATERAL (
                SELECT t.at FROM (
                    SELECT CASE WHEN m.state = %s THEN
                        CASE WHEN EXISTS (
                            SELECT FROM messaging_chunk c
                            WHERE c.batch_id = m.batch_id AND c.state = %s
                              AND m.recipient_no BETWEEN c.next_no AND c.window_last_no)
                            THEN clock_timestamp() END
                    ELSE {TAKEN_AT} END AS at
                    FROM messaging_message m
                    JOIN messaging_batch b ON b.id = m.batch_id AND b.kind = %s
                    WHERE m.account_id = w.account_id AND m.phone = w.phone AND m.direction = %s
                ) t
                WHERE t.at > clock_timestamp() - w.days * interval '1 day'
                ORDER BY t.at DESC LIMIT w.texts
            ) r
            GROUP BY 1, 2
            """,
            [
                list(accounts),
                list(phones),
                list(texts),
                list(days),
                MessageState.PENDING,
                ChunkState.LEASED,
                BatchKind.BLAST,
                Direction.OUT,
            ],
        )
        return Caps({(account, phone): moments for account, phone, moments in cursor.fetchall()})
