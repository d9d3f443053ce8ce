"""Taps that a carrier reports on links it shortened: hits like any other, each counted once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from accounts.models import Account
from common.clock import now
from messaging.choices import EventKind
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue, Message
from messaging.receipts.clicks import clicks_apply
from messaging.receipts.texts import text_apply_next
from messaging.recounting import differences
from tests.races import in_thread, wait_for_lock_waits
from tests.receipts.conftest import IPHONE, MakeBatch, links_of, sid
from tracking.models import Click

pytestmark = pytest.mark.django_db


def queue_click(carrier: CarrierAccount, message: Message, **more: str) -> CarrierEvent:
    event = CarrierEvent.objects.create(
        carrier_account=carrier,
        kind=EventKind.CLICK,
        payload={
            "event_type": "click",
            "sms_sid": sid(message.pk),
            "account_sid": carrier.external_id,
            "link": "https://example.com/0",
            "click_time": "2026-11-23T10:00:00Z",
            "user_agent": IPHONE,
            **more,
        },
    )
    CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.CLICK)
    return event


def test_a_tap_that_the_carrier_reports_is_a_hit_like_any_other(
    make_batch: MakeBatch, carrier: CarrierAccount, account: Account
) -> None:
    messages = make_batch(2, at=datetime(2026, 11, 23, 9, tzinfo=UTC))
    (link,) = links_of(messages, account)
    queue_click(carrier, messages[1])
    queue_click(carrier, messages[1])

    while text_apply_next():
        pass
    clicks_apply()

    click = Click.objects.get()
    assert (click.link_id, click.recipient_no, click.verdict) == (link.pk, 2, "human")
    assert click.at.isoformat() == "2026-11-23T10:00:00+00:00"
    assert differences() == []


def test_a_tap_that_does_not_agree_takes_no_other_of_its_event_along(
    make_batch: MakeBatch, carrier: CarrierAccount, account: Account
) -> None:
    messages = make_batch(3)
    links_of(messages, account)
    event = queue_click(carrier, messages[0])
    tap = event.payload
    foreign = {**tap, "link": "https://elsewhere.example"}
    taps = [{**tap, "sms_sid": sid(messages[1].pk)}, foreign, tap]
    CarrierEvent.objects.filter(pk=event.pk).update(payload={"events": taps})

    assert text_apply_next() is True

    event.refresh_from_db()
    assert (event.ended, event.error) == ("set_aside", "The address is no link of this message.")
    assert sorted(Click.objects.values_list("recipient_no", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"account_sid": "AC" + "0" * 32}, "It names another account of the carrier."),
        ({"sms_sid": sid(99)}, "There is no such message."),
        ({"link": "https://elsewhere.example"}, "The address is no link of this message."),
        ({"sms_sid": ""}, "It tells of no click."),
    ],
)
def test_reported_taps_that_do_not_agree_are_set_aside(
    make_batch: MakeBatch,
    carrier: CarrierAccount,
    account: Account,
    wrong: dict[str, str],
    error: str,
) -> None:
    messages = make_batch(1)
    links_of(messages, account)
    event = queue_click(carrier, messages[0], **wrong)

    assert text_apply_next() is True

    event.refresh_from_db()
    assert (event.ended, event.error) == ("set_aside", error)
    assert not Click.objects.exists()


@pytest.mark.parametrize(
    "told",
    [
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2026-01-01T00:00:00Z",
        "yesterday",
        "",
    ],
)
def test_a_tap_before_its_text_or_after_its_event_counts_when_it_was_told(
    make_batch: MakeBatch, carrier: CarrierAccount, account: Account, told: str
) -> None:
    messages = make_batch(1)
    (link,) = links_of(messages, account)
    event = queue_click(carrier, messages[0], click_time=told)

    assert text_apply_next() is True
    clicks_apply()

    assert Click.objects.get().at == event.received_at
    assert Message.objects.get(pk=messages[0].pk).human_click_at == event.received_at
    link.refresh_from_db()
    assert (link.clicks_total, link.clicks_human) == (1, 1)
    assert differences() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_tap_told_twice_store_it_once(
    make_batch: MakeBatch, carrier: CarrierAccount, account: Account
) -> None:
    messages = make_batch(1)
    links_of(messages, account)
    tapped_at = (now() - timedelta(minutes=1)).isoformat()
    for _ in range(2):
        queue_click(carrier, messages[0], click_time=tapped_at)

    with transaction.atomic():
        assert text_apply_next() is True
        other = in_thread(text_apply_next)
        wait_for_lock_waits(1, or_ended=other)
    other.join(30)

    assert not CarrierEventQueue.objects.exists()
    assert Click.objects.count() == 1
