"""What messaging knows of a person's timeline (contacts.timeline): texts both ways, and clicks.

Owns the words of these entries. One index finds the texts of a phone in order; the hits of its
links are found from those texts.
"""

from typing import Final

from django.db import connection

from contacts.choices import TimelineKind
from contacts.models import Contact
from contacts.timeline import Entry, Source
from messaging.choices import BatchKind, Direction
from messaging.confirmations import confirmed_by_carrier
from messaging.models import Message
from messaging.selectors.timeline import ROLES, VISITORS
from tracking.choices import Verdict

# Apart, so that no plan walks back through everybody's hits to find the newest of one person.
_HITS: Final = """
    WITH hits AS MATERIALIZED (
        SELECT h.id, h.at, h.verdict, l.destination, m.id AS message_id
        FROM messaging_message m
        JOIN tracking_link l ON l.batch_id = m.batch_id
        JOIN tracking_click h ON h.link_id = l.id AND h.recipient_no = m.recipient_no
        WHERE m.account_id = %(account)s AND m.phone = %(phone)s AND m.first_click_at IS NOT NULL
    )
    SELECT id, at, verdict, destination, message_id FROM hits
    WHERE %(below)s IS NULL OR id < %(below)s ORDER BY id DESC LIMIT %(limit)s
"""


def _texts(contact: Contact, kind: str, below: int | None, limit: int) -> list[Entry]:
    rows = Message.objects.filter(account_id=contact.account_id, phone=contact.phone)
    if kind:
        rows = rows.filter(direction=Direction.OUT if kind == TimelineKind.SENT else Direction.IN)
    if below is not None:
        rows = rows.filter(pk__lt=below)
    found = (
        rows.select_related("batch", "created_by")
        .prefetch_related("inbound_media")
        .order_by("-id")[:limit]
    )
    return [_received(row) if row.direction == Direction.IN else _sent(row) for row in found]


def _received(row: Message) -> Entry:
    return Entry(
        row.pk,
        TimelineKind.RECEIVED,
        row.created_at,
        "Text from them",
        text=row.body or _wordless(row),
        role="replied",
        state=row.state,
        message_id=row.pk,
    )


def _sent(row: Message) -> Entry:
    batch = row.batch
    is_blast = batch is not None and batch.kind == BatchKind.BLAST
    name = "Text" if batch is None else BatchKind(batch.kind).label
    is_confirmed = confirmed_by_carrier(row, batch)
    return Entry(
        row.pk,
        TimelineKind.SENT,
        row.created_at,
        f"Blast “{batch.name}”" if is_blast and batch is not None else name,
        text=row.body or _wordless(row),
        detail=f"By {row.created_by.display_name}" if row.created_by else "",
        role="waiting" if is_confirmed else ROLES.get(row.state, "waiting"),
        state="confirmed" if is_confirmed else row.state,
        reason="" if is_confirmed else row.reason,
        why="" if is_confirmed else row.get_reason_display(),
        message_id=row.pk,
    )


def _wordless(row: Message) -> str:
    """What stands for a text that is a picture alone."""
    carried = row.batch.media_ids if row.batch is not None else row.inbound_media.all()
    return "" if row.is_text_removed or not carried else "Picture"


def _clicks(contact: Contact, kind: str, below: int | None, limit: int) -> list[Entry]:
    params: dict[str, int | str | None] = {
        "account": contact.account_id,
        "phone": contact.phone,
        "below": below,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HITS, params)
        return [
            Entry(
                pk,
                TimelineKind.CLICKED,
                at,
                VISITORS[verdict],
                detail=destination,
                role="clicked" if verdict == Verdict.HUMAN else "waiting",
                verdict=verdict,
                message_id=message_id,
            )
            for pk, at, verdict, destination, message_id in cursor.fetchall()
        ]


SOURCES: Final = (
    Source("m", frozenset({TimelineKind.SENT, TimelineKind.RECEIVED}), _texts),
    Source("k", frozenset({TimelineKind.CLICKED}), _clicks),
)
