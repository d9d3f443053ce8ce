"""What a worker holds under a lease: whom, of which batch, until when.

Owns these shapes and the one query that reads a window's people as the gate asks about them.
"""

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection

from contacts.selectors import erased_among
from messaging.budget import Rooms
from messaging.choices import MessageState
from messaging.content import SEPARATOR
from messaging.frequency import Caps
from messaging.sending.batches import BatchInfo, batch_infos

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
    is_deleted: bool
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
        asked_boot_s: By the same clock, when the gate was last asked about these people.
        caps: What people were texted lately, where an account has a cap.
        rooms: What budgets have left that were lowered below what is reserved.
    """

    token: uuid.UUID
    leases: list[Lease]
    starts_until_boot_s: float
    asked_boot_s: float
    caps: Caps = field(default_factory=Caps)
    rooms: Rooms = field(default_factory=Rooms)


def leases_read(picked: list[tuple[Any, int]]) -> list[Lease]:
    """The pending messages of locked chunks (row, how many), with what the gate asks about each.

    Chunks whose carrier account cannot be read are left out.
    """
    infos = batch_infos({(row[1], row[6]) for row, _ in picked})
    picked = [(row, size) for row, size in picked if (row[1], row[6]) in infos]
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
                   o.id IS NOT NULL, p.consent, coalesce(p.timezone, ''),
                   p.deleted_at IS NOT NULL AND p.merged_into_id IS NULL
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
    for (place, id_, no, phone, _, attempts, left, consent, zone, gone), merge in zip(
        rows, merges, strict=True
    ):
        lease = leases[place - 1]
        is_out = left or (lease.batch.account_id, phone) in erased
        lease.items.append(Item(id_, no, phone, merge, attempts, is_out, consent, zone, gone))
    for lease, (_, size) in zip(leases, picked, strict=True):
        if len(lease.items) >= size:
            lease.window_last_no = lease.items[-1].no
    return leases
