"""Taking work: which chunks, how many recipients of each, under a lease.

Owns fairness (least recently served account first, then replies before bulk, then older) and the
lease. All times are the database's. Work is taken by locking chunks that nobody else has locked and
committing the lease before anything is sent.
"""

import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts.choices import AccountStatus
from common.clock import boot_s
from contacts.selectors import erased_among
from messaging import rate
from messaging.budget import Rooms, rooms_read, tight
from messaging.choices import BatchState, ChunkState, MessageState
from messaging.content import SEPARATOR
from messaging.frequency import Caps, account_lock, caps_read
from messaging.sending.batches import BatchInfo, batch_infos

# Lanes looked at for one window, and chunks of one lane when they are small (one-to-one messages).
_LANES: Final = 50
_CHUNKS: Final = 100
# A throttled sender is served when half a second's worth has come together, not for each token: a
# lane of a window costs the same for one message as for fifty. Its bucket holds a second's worth,
# so it can be half a second late and loses nothing.
_SERVE_AFTER_S: Final = 0.5
# How soon to look again whether the window under a lowered budget is recorded.
_BUDGET_WAIT_S: Final = 0.25
_EMPTY: Final = rate.Bucket(0, 0)
_ESCAPED_SEPARATOR: Final = json.dumps(SEPARATOR).strip('"')


@dataclass(slots=True)
class Item:
    """One recipient of a window on the way through it."""

    id: int
    no: int
    phone: str
    merge: dict[str, str] | None
    attempts: int
    is_opted_out: bool
    consent: str | None
    timezone: str
    text: str = ""
    wire: str = ""  # the text as the gateway encodes it
    segments: int = 0


@dataclass(slots=True)
class Lease:
    """A leased range of one chunk: recipients from `first_no` to `window_last_no`."""

    chunk_id: int
    batch: BatchInfo
    first_no: int
    last_no: int
    held_no: int | None
    held_until: datetime | None
    window_last_no: int
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class Window:
    """What one worker took at once, under one lease token.

    Attributes:
        token: Of the lease; results are recorded under it.
        leases: The ranges taken.
        starts_until_boot_s: By this machine's boot-time clock, when the last request may start.
        claimed_at: Unix seconds, when consent was last asked.
        caps: What people were texted lately, where an account has a cap.
        rooms: What budgets have left that were lowered below what is reserved.
    """

    token: uuid.UUID
    leases: list[Lease]
    starts_until_boot_s: float
    claimed_at: float
    caps: Caps = field(default_factory=Caps)
    rooms: Rooms = field(default_factory=Rooms)


@dataclass(frozen=True, slots=True)
class _Lane:
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
    lanes = _lanes()
    if not lanes:
        return None
    open_lanes, dry = _within_rate(lanes)
    if not open_lanes:
        put_off(dry)
        return None
    return _take(open_lanes, dry)


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


def _lanes() -> list[_Lane]:
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
        return [_Lane(*row) for row in cursor.fetchall()]


def _within_rate(lanes: list[_Lane]) -> tuple[list[_Lane], list[tuple[int, float]]]:
    """Lanes whose bucket holds enough for a window; of the others (sender id, seconds to wait)."""
    buckets = rate.peek([(lane.sender_id, lane.rate_per_s) for lane in lanes])
    served: list[_Lane] = []
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
    _touch_lanes(set(), waits)


def look_again(sender_ids: list[int]) -> None:
    """Serve these senders again at once: less of their rate was used than when they were claimed.

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


def _touch_lanes(served: set[int], waits: list[tuple[int, float]]) -> None:
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


@transaction.atomic
def _take(lanes: list[_Lane], dry: list[tuple[int, float]]) -> Window | None:
    token = uuid.uuid4()
    # Before the database gives the lease its end, so that ours is never later than that.
    begun_boot_s = boot_s()
    leases = _read_messages(_lock_chunks(lanes))
    if not leases:
        return None
    leases, caps, rooms, waiting = _asked(leases)
    dry = [*dry, *((sender_id, _BUDGET_WAIT_S) for sender_id in waiting)]
    if not leases:
        _touch_lanes(set(), dry)
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
        (lane.sender_id, lane.wait_s(taken[lane.sender_id]))
        for lane in lanes
        if lane.sender_id in taken
    ]
    _touch_lanes(set(taken), waits + dry)
    margin_s = settings.CARRIER_REQUEST_TIMEOUT_S + settings.SEND_MARGIN_S
    return Window(
        token=token,
        leases=leases,
        starts_until_boot_s=begun_boot_s + settings.SEND_LEASE_S - margin_s,
        claimed_at=time.time(),
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


def _lock_chunks(lanes: list[_Lane]) -> list[tuple[Any, int]]:
    """Lock chunks of the lanes in their order until the window is full: (chunk row, how many)."""
    wanted: list[_Lane] = []
    room = settings.SEND_WINDOW
    for lane in lanes:
        if room <= 0:
            break
        wanted.append(lane)
        room -= min(lane.allowance, lane.head_size)
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
                [lane.sender_id for lane in wanted],
                [lane.allowance for lane in wanted],
                # One large chunk is enough; of one-to-one messages it takes many.
                [
                    1 if lane.head_size >= lane.allowance else min(lane.allowance, _CHUNKS)
                    for lane in wanted
                ],
                BatchState.RUNNING,
            ],
        )
        rows = cursor.fetchall()
    picked: list[tuple[Any, int]] = []
    room, used = settings.SEND_WINDOW, Counter[int]()
    for allowance, *row in rows:
        # What was skipped or sent already leaves gaps, so there may be fewer than it seems.
        size = min(row[3] - row[2] + 1, allowance - used[row[6]], room)
        if size > 0:
            picked.append((row, size))
            used[row[6]] += size
            room -= size
    return picked


def _read_messages(picked: list[tuple[Any, int]]) -> list[Lease]:
    """The pending messages of the locked chunks, with what the gate asks about each."""
    infos = batch_infos({(row[1], row[6]) for row, _ in picked})
    leases = [
        Lease(
            chunk_id=row[0],
            batch=infos[row[1], row[6]],
            first_no=row[2],
            last_no=row[3],
            held_no=row[4],
            held_until=row[5],
            window_last_no=row[3],
        )
        for row, _ in picked
    ]
    if not leases:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.place, m.id, m.recipient_no, m.phone, m.merge::text, m.attempts,
                   o.id IS NOT NULL, p.consent, coalesce(p.timezone, '')
            FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[])
                 WITH ORDINALITY AS w(batch_id, first_no, last_no, size, place)
            CROSS JOIN LATERAL (
                SELECT id, account_id, contact_id, recipient_no, phone, merge, attempts
                FROM messaging_message
                WHERE batch_id = w.batch_id AND recipient_no BETWEEN w.first_no AND w.last_no
                  AND state = %s
                ORDER BY recipient_no LIMIT w.size
            ) m
            LEFT JOIN contacts_optout o ON o.account_id = m.account_id AND o.phone = m.phone
            LEFT JOIN contacts_contact p ON p.id = m.contact_id
            ORDER BY w.place, m.recipient_no
            """,
            [
                [row[1] for row, _ in picked],
                [row[2] for row, _ in picked],
                [row[3] for row, _ in picked],
                [size for _, size in picked],
                MessageState.PENDING,
            ],
        )
        rows = cursor.fetchall()
    # One parser for the whole window: one for each message would cost five times as much.
    texts = ",".join([row[4] or "null" for row in rows])
    merges = json.loads(f"[{texts.replace(_ESCAPED_SEPARATOR, ' ')}]")
    erased = erased_among((leases[row[0] - 1].batch.account_id, row[3]) for row in rows)
    for (place, id_, no, phone, _, attempts, left, consent, zone), merge in zip(
        rows, merges, strict=True
    ):
        lease = leases[place - 1]
        is_out = left or (lease.batch.account_id, phone) in erased
        lease.items.append(Item(id_, no, phone, merge, attempts, is_out, consent, zone))
    for lease, (_, size) in zip(leases, picked, strict=True):
        if len(lease.items) >= size:
            lease.window_last_no = lease.items[-1].no
    return leases
