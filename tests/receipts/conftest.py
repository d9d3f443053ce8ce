"""A batch as the send engine leaves it once the carrier has taken its messages."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from messaging.activity import activity_rewrite
from messaging.choices import (
    BatchKind,
    ChunkState,
    Direction,
    EventKind,
    MessageState,
    Outcome,
)
from messaging.gateways.twilio_webhooks import status_meaning, status_words
from messaging.models import (
    Attempt,
    Batch,
    BatchTally,
    BatchTotals,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Chunk,
    Message,
    SenderNumber,
)
from messaging.receipts.texts import text_apply_next
from messaging.state import RANKS
from tracking.models import Click, Link
from tracking.services import links_create

MakeBatch = Callable[..., list[Message]]
Queue = Callable[..., CarrierEvent]
Receive = Callable[..., CarrierEvent]
Tap = Callable[..., Click]

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def sid(number: int) -> str:
    """A carrier's message id."""
    return f"SM{number:032x}"


@pytest.fixture
def make_batch(account: Account, sender: SenderNumber) -> MakeBatch:
    """`make_batch(size, state=..., attempted=...)`: messages of a new batch, in order."""

    def make(
        size: int,
        *,
        state: MessageState = MessageState.ACCEPTED,
        attempted: bool = True,
        chunk: ChunkState = ChunkState.DONE,
        kind: BatchKind = BatchKind.BLAST,
        first: int = 0,
        at: Any = None,
    ) -> list[Message]:
        at = at or now() - timedelta(minutes=5)
        batch = Batch.objects.create(
            account=account,
            kind=kind,
            name="Flowers",
            body="Hi {{first_name}}",
            sender=sender,
            size=size,
            request_key=f"test-{Batch.objects.count()}",
            launched_at=at,
        )
        BatchTotals.objects.create(batch=batch)
        Chunk.objects.create(
            batch=batch,
            account_id=account.pk,
            sender_id=sender.pk,
            first_no=1,
            last_no=size,
            next_no=1,
            state=chunk,
            carrier_account=sender.carrier_account,
        )
        messages = Message.objects.bulk_create(
            Message(
                account=account,
                batch=batch,
                recipient_no=no,
                direction=Direction.OUT,
                phone=f"+1415555{first + no:04d}",
                our_number=sender.phone,
                body=f"Hi {no}" if attempted else "",
                segments=1 if attempted else 0,
                credits=1 if attempted else 0,
                state=state,
                rank=RANKS[state],
                attempts=1 if attempted else 0,
                created_at=at,
                accepted_at=at if RANKS[state] >= RANKS[MessageState.ACCEPTED] else None,
            )
            for no in range(1, size + 1)
        )
        if attempted:
            Attempt.objects.bulk_create(
                Attempt(
                    message=message,
                    n=1,
                    carrier_account=sender.carrier_account,
                    carrier_id=None if state == MessageState.UNKNOWN else sid(message.pk),
                    outcome=Outcome.UNKNOWN if state == MessageState.UNKNOWN else Outcome.ACCEPTED,
                )
                for message in messages
            )
        BatchTally.objects.create(
            batch=batch,
            state=state,
            messages=size,
            segments=size if attempted else 0,
            credits=size if attempted else 0,
        )
        activity_rewrite([batch.pk])
        return messages

    return make


@pytest.fixture
def queue(carrier: CarrierAccount) -> Queue:
    """`queue(message, word, ...)`: a status callback as the edge stores it."""

    def store(
        message: Message | int,
        word: str,
        *,
        code: str = "",
        n: int = 1,
        carrier_id: str | None = None,
        through: CarrierAccount | None = None,
        account_ref: str | None = None,
    ) -> CarrierEvent:
        through = through or carrier
        message_id = message if isinstance(message, int) else message.pk
        payload = {
            "MessageSid": sid(message_id) if carrier_id is None else carrier_id,
            "AccountSid": through.external_id if account_ref is None else account_ref,
            "MessageStatus": word,
            **({"ErrorCode": code} if code else {}),
        }
        carrier_id, account_ref, word, code = status_words(payload)
        state, reason = status_meaning(word, code)
        event = CarrierEvent.objects.create(
            carrier_account=through,
            kind=EventKind.STATUS,
            message_id=message_id,
            attempt_n=n,
            carrier_id=carrier_id,
            account_ref=account_ref,
            word=word,
            state=state,
            code=code,
            reason=reason,
            payload=payload,
        )
        CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.STATUS)
        return event

    return store


@pytest.fixture
def tap(account: Account) -> Tap:
    """`tap(link, no, ...)`: a hit as the edge stores it, by default a person's an hour on."""

    def store(
        link: Link,
        no: int,
        *,
        agent: str = IPHONE,
        method: str = "GET",
        at: datetime | None = None,
        address: bytes | None = None,
        browser_headers: bool = True,
    ) -> Click:
        return Click.objects.create(
            account_id=link.account_id,
            link=link,
            recipient_no=no,
            at=at or now(),
            method=method,
            user_agent=agent,
            browser_headers=browser_headers,
            ip_hash=address or f"{link.pk:08d}{no:08d}".encode(),
        )

    return store


def links_of(messages: list[Message], account: Account, count: int = 1) -> list[Link]:
    return links_create(
        account=account,
        batch_id=messages[0].batch_id or 0,
        destinations=[f"https://example.com/{place}" for place in range(count)],
        label="Flowers",
        recipients=len(messages),
    )


def recount(batch_id: int | None) -> dict[tuple[str, str], int]:
    """Messages of a batch per (state, reason), counted from the rows."""
    assert batch_id is not None
    return dict(
        Counter(Message.objects.filter(batch_id=batch_id).values_list("state", "reason").iterator())
    )


def tally(batch_id: int | None) -> dict[tuple[str, str], int]:
    """The same as kept."""
    assert batch_id is not None
    rows = BatchTally.objects.filter(batch_id=batch_id).exclude(messages=0)
    return {(row.state, row.reason): row.messages for row in rows}


@pytest.fixture
def receive(carrier: CarrierAccount, sender: SenderNumber) -> Receive:
    """`receive(phone, body, ...)`: store an inbound webhook and apply it."""
    serial = iter(range(1, 1000))

    def store(
        phone: str,
        body: str,
        *,
        sid: str | None = None,
        through: CarrierAccount | None = None,
        at: Any = None,
        **more: str,
    ) -> CarrierEvent:
        through = through or carrier
        event = CarrierEvent.objects.create(
            carrier_account=through,
            kind=EventKind.INBOUND,
            payload={
                "MessageSid": sid or f"SM{next(serial):032d}",
                "AccountSid": through.external_id,
                "From": phone,
                "To": sender.phone,
                "Body": body,
                "NumSegments": "1",
                "NumMedia": "0",
                **more,
            },
            received_at=at or now(),
        )
        CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)
        assert text_apply_next() is True
        event.refresh_from_db()
        return event

    return store


def inbound() -> Message:
    return Message.objects.get(direction=Direction.IN)


def totals(batch_id: int | None) -> tuple[int, int]:
    """(replied, opted out)"""
    assert batch_id is not None
    row = BatchTotals.objects.get(batch_id=batch_id)
    return row.replied, row.opted_out


def answers() -> list[str]:
    """Bodies of the automatic answers that were queued."""
    rows = Message.objects.filter(batch__kind=BatchKind.AUTO).order_by("id")
    return [row.batch.body for row in rows.select_related("batch") if row.batch]
