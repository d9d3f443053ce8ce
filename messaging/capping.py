"""Whom an account's cap on blasts will hold back, foreseen in SQL, before anybody decides to send.

Owns when each person of an audience has room for one more, by what was texted lately and by what
waits to go out before. The engine holds the cap itself, by what then really went
(`messaging.frequency`).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from common.clock import now
from common.sql import Sql
from messaging.choices import BatchKind, BatchState, ChunkState, Direction, MessageState
from messaging.frequency import TAKEN_AT
from messaging.gate import Policy
from messaging.timetable import DIGITS, Place


def texts_lately(*, account_id: int, since: datetime, until: datetime) -> Sql:
    """Each blast that counts for a person: phone, at.

    What waits counts as if it went as soon as it may, if that is before `until`: it will be claimed
    before anything that is launched then.

    Args:
        account_id: Whose blasts.
        since: What went before does not count any more.
        until: When the next is to go out.
    """
    return Sql(
        f"""
        SELECT m.phone, {TAKEN_AT} AS at
        FROM messaging_message m
        WHERE m.batch_id IN (
            SELECT id FROM messaging_batch WHERE account_id = (SELECT %s) AND kind = %s
              AND (finished_at IS NULL OR finished_at > %s))
          AND m.direction = %s
        UNION ALL
        SELECT m.phone, greatest(c.not_before, %s)
        FROM messaging_batch b
        JOIN messaging_chunk c ON c.batch_id = b.id AND c.state <> %s AND c.not_before <= %s
        CROSS JOIN LATERAL (
            SELECT phone FROM messaging_message
            WHERE batch_id = b.id AND recipient_no BETWEEN c.first_no AND c.last_no
              AND state = %s OFFSET 0) m
        WHERE b.account_id = (SELECT %s) AND b.kind = %s AND b.state = %s
        """,
        [
            *(account_id, BatchKind.BLAST, since, Direction.OUT),
            # Of the minute, so that the same question finds what was kept (`messaging.recent`).
            now().replace(second=0, microsecond=0),
            *(ChunkState.DONE, until, MessageState.PENDING),
            *(account_id, BatchKind.BLAST, BatchState.RUNNING),
        ],
    )


def rooms(*, account_id: int, rules: Policy, start: datetime) -> Sql:
    """Who had as many blasts as the cap allows: phone, frees (when there is room for the next).

    Args:
        account_id: Whose blasts.
        rules: With a cap.
        start: The minute in which the next is to go out; whoever has room by then is not named.
    """
    span = timedelta(days=rules.cap_days)
    minute_ends = start + timedelta(minutes=1)
    lately = texts_lately(account_id=account_id, since=start - span, until=minute_ends)
    # A million people's newest texts are found without sorting them.
    nth = "max(at)" if rules.cap_texts == 1 else "(array_agg(at ORDER BY at DESC))[%s]"
    return Sql(
        f"SELECT phone, {nth} + %s AS frees FROM ({lately.text}) t WHERE at > %s "
        "GROUP BY phone HAVING count(*) >= %s",
        [
            *([] if rules.cap_texts == 1 else [rules.cap_texts]),
            *(span, *lately.params, start - span, rules.cap_texts),
        ],
    )


def held(
    chosen: Sql,
    *,
    account_id: int,
    rules: Policy,
    start: datetime,
    moments: Mapping[Place, datetime],
) -> Sql:
    """Those of `chosen` (of `recipients.people`) who are texted, but have no room when it is time.

    Args:
        chosen: The audience.
        account_id: Whose.
        rules: With a cap.
        start: The minute in which the blast is to go out.
        moments: Place to when its people would be texted without the cap.

    Returns:
        A query of id, timezone, digits (of a `Place`) and frees.
    """
    freed = rooms(account_id=account_id, rules=rules, start=start)
    digits = DIGITS.format("p.phone")
    # Looked up, not joined: just after an import the planner expects one person, and would go
    # through all places for each of a million.
    by_place = json.dumps(
        {f"{place.timezone} {place.digits}": at.isoformat() for place, at in moments.items()}
    )
    return Sql(
        f"SELECT p.id, p.timezone, {digits} AS digits, f.frees FROM ({chosen.text}) p "
        f"JOIN ({freed.text}) f ON f.phone = p.phone "
        f"AND f.frees > (%s::jsonb ->> (p.timezone || ' ' || {digits}))::timestamptz "
        "WHERE p.reason = ''",
        [*chosen.params, *freed.params, by_place],
    )
