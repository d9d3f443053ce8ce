"""Taking work: which chunks, how many recipients of each, under a lease.

Owns the lease. Whose turn it is, is `lanes`'. All times are the database's. Work is taken by
locking chunks that nobody else has locked and committing the lease before anything is sent.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from common.clock import boot_s
from messaging.budget import Rooms, rooms_read, tight
from messaging.choices import BatchState, ChunkState
from messaging.frequency import Caps, account_lock, caps_read
from messaging.sending import lanes
from messaging.sending.lanes import Turn
from messaging.sending.leases import Lease, Window, leases_read

# Chunks of one lane looked at when they are small (one-to-one messages).
_CHUNKS: Final = 100
# How soon to look again whether the window under a lowered budget is recorded.
_BUDGET_WAIT_S: Final = 0.25
# How soon to look again whether somebody has mended a carrier account that cannot be read.
_UNREADABLE_WAIT_S: Final = 60.0


def claim() -> Window | None:
    """Take up to SEND_WINDOW recipients, fairly, within what the senders' buckets hold.

    Returns:
        A window, or None when nothing can be sent now.

    Raises:
        LimiterAway: Redis does not answer; nothing was taken.

    Locks: chunks (SKIP LOCKED), then the advisory locks of accounts
        with a cap or a lowered budget, by id, then lanes by
        sender id; for as long as the claim takes.
    """
    turns = lanes.turns()
    if not turns:
        return None
    open_turns, dry = lanes.within_rate(turns)
    if not open_turns:
        lanes.put_off(dry)
        return None
    return _take(open_turns, dry)


@transaction.atomic
def _take(turns: list[Turn], dry: list[tuple[int, float]]) -> Window | None:
    token = uuid.uuid4()
    # Before the database gives the lease its end, so that ours is never later than that; and before
    # it is asked who has left, so that the answer is never older than we think.
    begun_boot_s = boot_s()
    picked = _lock_chunks(turns)
    if not picked:
        return None
    leases = leases_read(picked)
    unread = {row[6] for row, _ in picked} - {lease.batch.sender_id for lease in leases}
    leases, caps, rooms, waiting = _asked(leases)
    dry = [
        *dry,
        *((sender_id, _BUDGET_WAIT_S) for sender_id in waiting),
        *((sender_id, _UNREADABLE_WAIT_S) for sender_id in unread),
    ]
    if not leases:
        lanes.touch(set(), dry)
        return None
    with connection.cursor() as cursor:
        # A lease that a crash of PostgreSQL forgets is a window sent twice, however the server is
        # set up (a crash test with synchronous_commit off doubled 95 of 1,500 messages).
        cursor.execute(
            """
            SET LOCAL synchronous_commit = on;
            UPDATE messaging_chunk c
            SET state = %s, lease_token = %s, window_last_no = v.last_no,
                carrier_account_id = v.carrier_account_id,
                lease_until = clock_timestamp() + %s * interval '1 second'
            FROM unnest(%s::bigint[], %s::int[], %s::bigint[])
                 AS v(id, last_no, carrier_account_id)
            WHERE c.id = v.id
            """,
            [
                ChunkState.LEASED,
                token,
                settings.SEND_LEASE_S,
                [lease.chunk_id for lease in leases],
                [lease.window_last_no for lease in leases],
                [lease.batch.carrier_account_id for lease in leases],
            ],
        )
    # Somebody who was served is left alone until serving again is worth it: 200 throttled senders
    # looked at for every window would cost the database more than what is sent.
    taken = Counter(lease.batch.sender_id for lease in leases for _ in lease.items)
    waits = [
        (turn.sender_id, turn.wait_s(taken[turn.sender_id]))
        for turn in turns
        if turn.sender_id in taken
    ]
    lanes.touch(set(taken), waits + dry)
    margin_s = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S
    return Window(
        token=token,
        leases=leases,
        starts_until_boot_s=begun_boot_s + settings.SEND_LEASE_S - margin_s,
        asked_boot_s=begun_boot_s,
        caps=caps,
        rooms=rooms,
    )


def _asked(leases: list[Lease]) -> tuple[list[Lease], Caps, Rooms, set[int]]:
    """What caps and lowered budgets allow; and what must wait for a window under such a budget.

    Read once no other window of these accounts is being claimed: of two blasts to one person, or
    under one budget, claimed at the same time, one sees the other's lease.

    Returns:
        The leases that go on, caps, rooms, and the senders (ids) of those that wait.
    """
    capped = [lease for lease in leases if lease.batch.rules.cap_texts]
    budgets = tight({lease.batch.id: lease.batch.budgets for lease in leases}.values())
    accounts = {lease.batch.account_id for lease in capped}
    accounts |= {one.account_id for _, own in budgets for one in own}
    if not accounts:
        return leases, Caps(), Rooms(), set()
    account_lock(sorted(accounts))
    rooms, waiting = rooms_read(budgets)
    going = [lease for lease in leases if lease.batch.id not in waiting]
    senders = {lease.batch.sender_id for lease in leases if lease.batch.id in waiting}
    return going, _caps([lease for lease in capped if lease in going]), rooms, senders


def _caps(capped: list[Lease]) -> Caps:
    """What the people of capped batches were texted lately."""
    if not capped:
        return Caps()
    return caps_read(
        (
            lease.batch.account_id,
            item.phone,
            lease.batch.rules.cap_texts,
            lease.batch.rules.cap_days,
        )
        for lease in capped
        for item in lease.items
    )


def _lock_chunks(turns: list[Turn]) -> list[tuple[Any, int]]:
    """Lock chunks of the lanes in their order until the window is full: (chunk row, how many).

    Where others hold a lane's chunks (a cancel or a retry locks all of a batch), the next lanes are
    tried: nobody waits for them.
    """
    picked: list[tuple[Any, int]] = []
    room, tried = settings.SEND_WINDOW, 0
    while room > 0 and tried < len(turns):
        expected, first = 0, tried
        while expected < room and tried < len(turns):
            expected += min(turns[tried].allowance, turns[tried].head_size)
            tried += 1
        used = Counter[int]()
        for allowance, *row in _locked(turns[first:tried]):
            # What was skipped or sent already leaves gaps, so there may be fewer than it seems.
            size = min(row[3] - row[2] + 1, allowance - used[row[6]], room)
            if size > 0:
                picked.append((row, size))
                used[row[6]] += size
                room -= size
    return picked


def _locked(turns: Sequence[Turn]) -> list[Any]:
    """Lock the next chunks of lanes that nobody else has locked, in the order of the lanes.

    Returns:
        Rows of: allowance, then of the chunk id, batch id, next_no, last_no, held_no, held_until,
        sender id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.allowance, c.*
            FROM unnest(%s::bigint[], %s::int[], %s::int[])
                 WITH ORDINALITY AS w(sender_id, allowance, chunks, place)
            CROSS JOIN LATERAL (
                SELECT c.id, c.batch_id, c.next_no, c.last_no, c.held_no, c.held_until,
                       c.sender_id
                FROM messaging_chunk c
                JOIN messaging_batch b ON b.id = c.batch_id AND b.state = %s
                WHERE c.sender_id = w.sender_id AND c.state = 'ready'
                  AND c.not_before <= clock_timestamp()
                ORDER BY c.priority, c.id LIMIT w.chunks
                FOR UPDATE OF c SKIP LOCKED
            ) c
            ORDER BY w.place
            """,
            [
                [turn.sender_id for turn in turns],
                [turn.allowance for turn in turns],
                # One large chunk is enough; of one-to-one messages it takes many.
                [
                    1 if turn.head_size >= turn.allowance else min(turn.allowance, _CHUNKS)
                    for turn in turns
                ],
                BatchState.RUNNING,
            ],
        )
        return cursor.fetchall()
