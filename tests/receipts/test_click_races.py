"""Hits that two judge at once, for the first time or anew: neither stops, bursts stay whole."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction

from accounts.models import Account
from common.clock import now
from messaging.models import BatchTotals, Message
from messaging.receipts.clicks import clicks_apply
from messaging.recounting import differences
from tests.races import in_thread, wait_for_lock_waits
from tests.receipts.conftest import MakeBatch, Tap, links_of
from tracking.models import Click, Link

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = range(1, 6)  # too few for a burst
REST = range(6, 31)


def burst(tap: Tap, link: Link, numbers: range) -> None:
    """Hits of one address on the links of these recipients, a second apart."""
    began = now() - timedelta(minutes=2)
    for no in numbers:
        tap(link, no, address=b"s" * 16, at=began + timedelta(seconds=no))


def assert_of_a_scanner(link: Link) -> None:
    assert set(Click.objects.values_list("verdict", flat=True)) == {"scanner"}
    totals = BatchTotals.objects.get(batch=link.batch_id)
    assert (totals.clicked, totals.hit, totals.clicks_total, totals.clicks_human) == (0, 30, 30, 0)
    assert differences() == []


def test_a_burst_that_two_workers_judge_is_a_scanners_from_its_first_hit(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    (link,) = links_of(make_batch(30), account)
    judged: list[int] = []
    burst(tap, link, FIRST)

    def other() -> None:
        burst(tap, link, REST)
        judged.append(clicks_apply())

    with transaction.atomic():
        assert clicks_apply() == len(FIRST)
        thread = in_thread(other)
        wait_for_lock_waits(1, or_ended=thread)
    thread.join()

    assert judged == [len(REST)]
    assert_of_a_scanner(link)


def test_judging_anew_beside_new_hits_of_the_same_burst_stops_neither(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(30)
    (link,) = links_of(messages, account)
    burst(tap, link, FIRST)
    assert clicks_apply() == len(FIRST)
    burst(tap, link, REST)
    done: list[str] = []

    def apply() -> None:
        clicks_apply()
        done.append("applied")

    def judge_anew() -> None:
        call_command("reclassify_clicks", stdout=io.StringIO())
        done.append("judged anew")

    with transaction.atomic():
        Message.objects.select_for_update(no_key=True).get(pk=messages[0].pk)
        applying = in_thread(apply)
        wait_for_lock_waits(1, or_ended=applying)
        judging = in_thread(judge_anew)
        wait_for_lock_waits(2, or_ended=judging)
    applying.join()
    judging.join()

    assert sorted(done) == ["applied", "judged anew"]
    assert_of_a_scanner(link)
