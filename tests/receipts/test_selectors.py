"""Figures, lists, timelines: exact numbers, few queries, nobody else's rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account
from contacts.models import Contact
from messaging.activity import activity_rewrite
from messaging.choices import EventKind, MessageState, Reason
from messaging.listing import ListFilter, listing_read
from messaging.models import Batch, BatchTally, BatchTotals, CarrierEvent, Message
from messaging.receipts.statuses import statuses_apply
from messaging.selectors import (
    Figures,
    activity_over_time,
    batch_figures,
    batch_names,
    figures_sum,
    message_explanation,
    message_timeline,
    messages_list,
    reason_counts,
)
from tests.receipts.conftest import MakeBatch, Queue
from tracking.models import Click
from tracking.services import links_create

pytestmark = pytest.mark.django_db


def link(batch_id: int | None, account: Account) -> None:
    """Give a batch's text a link."""
    assert batch_id is not None
    links_create(
        account=account,
        batch_id=batch_id,
        destinations=["https://example.com/roses"],
        label="Roses",
        recipients=100,
    )


def fill(batch_id: int) -> None:
    """150 people in every state there is."""
    BatchTally.objects.filter(batch_id=batch_id).delete()
    rows = [
        ("skipped", Reason.OPTED_OUT, 20, 0),
        ("skipped", Reason.DUPLICATE, 5, 0),
        ("pending", "", 3, 0),
        ("unknown", "", 2, 2),
        ("refused", Reason.LANDLINE, 10, 0),
        ("accepted", "", 4, 8),
        ("sent", "", 6, 12),
        ("delivered", "", 80, 160),
        ("undelivered", Reason.UNREACHABLE, 15, 30),
        ("failed", Reason.FILTERED, 5, 10),
    ]
    BatchTally.objects.bulk_create(
        BatchTally(
            batch_id=batch_id,
            state=state,
            reason=reason,
            messages=messages,
            segments=segments,
            credits=segments,
        )
        for state, reason, messages, segments in rows
    )
    BatchTotals.objects.filter(batch_id=batch_id).update(
        clicked=20, hit=30, clicks_total=45, clicks_human=25, replied=8, opted_out=2
    )


def test_figures_and_the_four_rates(make_batch: MakeBatch, account: Account) -> None:
    batch_id = make_batch(1)[0].batch_id
    assert batch_id is not None
    fill(batch_id)
    link(batch_id, account)

    figures = batch_figures([batch_id])[batch_id]

    assert figures == Figures(
        audience=150,
        skipped=25,
        pending=3,
        unknown=2,
        accepted=110,
        refused=10,
        sent=6,
        delivered=80,
        delivered_linked=80,
        undelivered=15,
        failed=5,
        clicked=20,
        hit=30,
        clicks_total=45,
        clicks_human=25,
        replied=8,
        opted_out=2,
        segments=220,
        credits=220,
    )
    assert figures.delivery_rate == (80, 120, 80 / 120)
    assert figures.click_rate == (20, 80, 0.25)
    assert figures.response_rate == (8, 80, 0.1)
    assert figures.unsubscribe_rate == (2, 80, 0.025)
    assert reason_counts([batch_id]) == [
        ("skipped", "opted_out", 20),
        ("undelivered", "unreachable", 15),
        ("refused", "landline", 10),
        ("failed", "filtered", 5),
        ("skipped", "duplicate", 5),
    ]


def test_a_rate_over_nothing_is_no_number() -> None:
    assert Figures().delivery_rate == (0, 0, None)
    assert Figures().click_rate == (0, 0, None)


def test_figures_of_many_batches_cost_three_queries(
    make_batch: MakeBatch, account: Account, django_assert_num_queries: Any
) -> None:
    made = [make_batch(1, first=10 * at)[0].batch_id for at in range(5)]
    ids = [batch_id for batch_id in made if batch_id is not None]
    for batch_id in ids:
        fill(batch_id)
    link(ids[0], account)
    link(ids[1], account)
    BatchTotals.objects.filter(batch_id__in=ids[2:]).update(clicked=0)

    with django_assert_num_queries(3):
        figures = batch_figures(ids)

    total = figures_sum(figures.values())
    assert (total.audience, total.delivered, total.clicked) == (750, 400, 40)
    assert total.click_rate == (40, 160, 0.25)
    assert figures[ids[2]].click_rate == (0, 0, None)
    assert batch_figures([]) == {}
    assert batch_names(ids) == dict.fromkeys(ids, "Flowers")


def test_lists_filter_and_stay_within_the_account(
    make_batch: MakeBatch, account: Account, other_account: Account
) -> None:
    messages = make_batch(4)
    Message.objects.create(
        account=other_account, phone="+14155550001", our_number="+12025550199", body="Hi 1"
    )
    contact = Contact.objects.create(
        account=account, phone=messages[0].phone, first_name="Zoe", last_name="Zander"
    )
    at = datetime(2026, 5, 5, tzinfo=UTC)
    Message.objects.filter(pk=messages[0].pk).update(
        contact=contact, human_click_at=at, first_click_at=at
    )
    Message.objects.filter(pk=messages[1].pk).update(first_click_at=at, replied_at=at)
    Message.objects.filter(pk=messages[2].pk).update(
        state="undelivered", reason="landline", opted_out_at=at
    )

    def found(*batches: int, **wanted: str) -> list[int]:
        chosen = listing_read(wanted)
        rows = messages_list(account=account, batches=batches or None, chosen=chosen)
        return sorted(row.recipient_no or 0 for row in rows)

    assert found() == [1, 2, 3, 4]
    assert found(messages[0].batch_id or 0) == [1, 2, 3, 4]
    assert found(10**9) == []
    assert found(did="clicked") == [1]
    assert found(did="hit") == [1, 2]
    assert found(did="replied") == [2]
    assert found(did="opted_out") == [3]
    assert found(clicked="no", replied="yes") == [2]
    assert found(clicked="hit", replied="no") == [1]
    assert found(show="clicked", clicked="no", left="no") == [2, 4]
    assert found(show="accepted") == [1, 2, 3, 4]
    assert found(show="failed", left="yes") == found(show="failed") == [3]
    assert found(state="undelivered") == found(reason="landline") == [3]
    assert found(direction="in") == []
    assert found(q="zoe zan") == [1]
    assert found(q="Hi 3") == [3]
    assert found(q=messages[3].phone) == [4]


def test_a_timeline_shows_everything_in_order_and_nothing_forged(
    make_batch: MakeBatch, queue: Queue, account: Account
) -> None:
    (message,) = make_batch(1)
    (link,) = links_create(
        account=account,
        batch_id=message.batch_id or 0,
        destinations=["https://example.com"],
        label="",
        recipients=1,
    )
    for word, code in (("sent", ""), ("sent", ""), ("undelivered", "30006"), ("queued", "")):
        queue(message, word, code=code)
    queue(message, "delivered", account_ref="AC" + "0" * 32)
    statuses_apply()
    message.refresh_from_db()
    assert message.accepted_at is not None
    Click.objects.create(
        account_id=account.pk,
        link=link,
        recipient_no=1,
        at=message.accepted_at + timedelta(days=1),
        method="GET",
        ip_hash=b"x" * 16,
        verdict="preview",
    )

    steps = message_timeline(message)

    assert [(step.title, step.role) for step in steps] == [
        ("Asked for", "waiting"),
        ("Carrier accepted it", "waiting"),
        ("Carrier says: sent", "waiting"),
        ("Carrier says: sent", "waiting"),
        ("Carrier says: undelivered", "failed"),
        ("Carrier says: queued", "waiting"),
        ("Link fetched by a preview robot", "waiting"),
    ]
    assert steps[3].detail == "Said before; changes nothing."
    assert steps[5].detail == "Came late; changes nothing."
    assert dict(steps[4].said)["ErrorCode"] == "30006"
    explanation = message_explanation(message)
    assert explanation is not None
    assert "landline" in explanation.meaning.lower()


def test_what_was_not_texted_is_explained(make_batch: MakeBatch) -> None:
    (message,) = make_batch(1, state=MessageState.SKIPPED, attempted=False)
    message.reason = Reason.BLANK_FIELD

    explanation = message_explanation(message)

    assert explanation is not None
    assert explanation.meaning == "The text uses a field that is empty for them."
    assert [step.title for step in message_timeline(message)] == ["Asked for", "Not texted"]
    assert message_explanation(make_batch(1, first=5)[0]) is None


def test_activity_is_told_in_the_accounts_own_hours(make_batch: MakeBatch) -> None:
    messages = make_batch(4)
    at = datetime(2026, 5, 5, 3, 30, tzinfo=UTC)  # 23:30 of the day before in New York
    for place, message in enumerate(messages):
        Message.objects.filter(pk=message.pk).update(
            state="delivered",
            final_at=at + timedelta(hours=place // 2),
            human_click_at=at + timedelta(hours=5) if place == 0 else None,
            replied_at=at + timedelta(days=2) if place == 1 else None,
        )
    batch_id = messages[0].batch_id
    Message.objects.filter(batch_id=batch_id or 0).update(created_at=at)
    Batch.objects.filter(pk=batch_id or 0).update(launched_at=at)
    activity_rewrite([batch_id or 0])

    by_hour = activity_over_time([batch_id or 0], zone="America/New_York")
    by_day = activity_over_time([batch_id or 0], zone="America/New_York", unit="day")

    assert [(f"{a.at:%d %H:%M}", a.delivered, a.clicked, a.replied) for a in by_hour] == [
        ("04 23:00", 2, 0, 0),
        ("05 00:00", 2, 0, 0),
        ("05 04:00", 0, 1, 0),
        ("06 23:00", 0, 0, 1),
    ]
    assert [(f"{a.at:%d}", a.delivered, a.clicked, a.replied) for a in by_day] == [
        ("04", 2, 0, 0),
        ("05", 2, 1, 0),
        ("06", 0, 0, 1),
    ]
    assert activity_over_time([], zone="UTC") == []


def test_no_list_reads_all_messages(make_batch: MakeBatch, account: Account) -> None:
    """However many rows there are, no plan may begin with a sequential scan over them."""
    messages = make_batch(3)
    rows = messages_list(account=account)
    lists = [
        rows.order_by("-id")[:50],
        rows.filter(pk__lt=10**9).order_by("-id")[:50],
        messages_list(
            account=account,
            batches=[messages[0].batch_id or 0],
            chosen=ListFilter(clicked="yes", replied="no"),
        ).order_by("-id")[:50],
        messages_list(account=account, chosen=ListFilter(search="+14155550001")).order_by("-id")[
            :50
        ],
        CarrierEvent.objects.filter(message_id=messages[0].pk, kind=EventKind.STATUS),
    ]

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for one in lists:
        assert "Seq Scan on messaging_message" not in one.explain()
        assert "Seq Scan on messaging_carrierevent" not in one.explain()
