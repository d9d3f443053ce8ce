"""What messaging knows of a person's timeline (contacts.timeline): texts both ways, and clicks.

Owns the words of these entries. One index finds the texts of a phone in order; the hits of its
links are found from those texts.
"""

from typing import Any, Final

from django.db import connection

from accounts.models import Account
from contacts.choices import TimelineKind
from contacts.models import Contact
from contacts.person import Person, person_of
from contacts.timeline import Entry, Source, newest, number_of
from messaging.choices import BatchKind, Direction, MessageState
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
        WHERE m.account_id = %(account)s AND m.phone = ANY(%(phones)s)
          AND m.first_click_at IS NOT NULL
    )
    SELECT id, at, verdict, destination, message_id FROM hits
    WHERE %(below)s IS NULL OR id < %(below)s ORDER BY id DESC LIMIT %(limit)s
"""


def texts_follow(*, account: Account, kept: Contact, gone: Contact) -> None:
    """The texts of a contact that was merged are the other's now, for what is asked of people.

    Those under every number of the person, as they may have followed to `gone` before. Not those
    that wait: the gate asks for consent and zone of the number they go to.

    Locks: the messages.
    """
    phones = {gone.phone, *person_of(kept).phones}
    texts = Message.objects.filter(account=account, phone__in=phones, contact=gone)
    texts.exclude(state=MessageState.PENDING).update(contact=kept)


def _texts(person: Person, kind: str, below: int | None, limit: int) -> list[Entry]:
    rows = Message.objects.select_related("batch", "created_by")
    if kind:
        rows = rows.filter(direction=Direction.OUT if kind == TimelineKind.SENT else Direction.IN)
    rows = rows.prefetch_related("inbound_media")
    return [
        _received(person, row) if row.direction == Direction.IN else _sent(person, row)
        for row in newest(person, rows, below, limit)
    ]


def _received(person: Person, row: Message) -> Entry:
    return Entry(
        row.pk,
        TimelineKind.RECEIVED,
        row.created_at,
        "Text from them",
        text=row.body or _wordless(row),
        detail=number_of(person, row.phone),
        role="replied",
        state=row.state,
        message_id=row.pk,
    )


def _sent(person: Person, row: Message) -> Entry:
    batch = row.batch
    is_blast = batch is not None and batch.kind == BatchKind.BLAST
    name = "Text" if batch is None else BatchKind(batch.kind).label
    by = f"By {row.created_by.display_name}" if row.created_by else ""
    is_confirmed = confirmed_by_carrier(row, batch)
    return Entry(
        row.pk,
        TimelineKind.SENT,
        row.created_at,
        f"Blast “{batch.name}”" if is_blast and batch is not None else name,
        text=row.body or _wordless(row),
        detail=" · ".join(filter(None, (by, number_of(person, row.phone)))),
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


def _clicks(person: Person, kind: str, below: int | None, limit: int) -> list[Entry]:
    params: dict[str, Any] = {
        "account": person.contact.account_id,
        "phones": person.phones,
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
