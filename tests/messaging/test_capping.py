"""Whom the cap on blasts will hold back, told before sending: counted, timed, and listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.models import Batch, CarrierAccount, Chunk, Message, SenderNumber
from messaging.selectors import batch_waits_until
from messaging.services import (
    Timing,
    batch_pause,
    message_send,
    timing,
    timing_people,
)
from messaging.services.timing import Capped
from tests.messaging.conftest import Launch, People, send_all, states
from tests.messaging.test_frequency import days_pass

pytestmark = pytest.mark.django_db


def told(account: Account, **fields: Any) -> Timing:
    audience = Contact.objects.filter(account=account)
    return timing(account=account, body="Hi", audience=audience, **{"start": now(), **fields})


def listed(account: Account, **which: Any) -> list[str]:
    audience = Contact.objects.filter(account=account)
    found = timing_people(
        account=account, body="Hi", audience=audience, **{"start": now(), **which}
    )
    return sorted(contact.phone for contact in found)


def test_whoever_will_be_held_back_is_counted_with_when_they_go_and_opens_the_list(
    launch: Launch, people: People, capped: Account
):
    people(phones=["+12125550101", "+12125550102"])
    launch()
    send_all()
    people(phones=["+12125550103"])

    found = told(capped)

    assert (found.later, found.people_later) == ([], 2)
    assert found.capped is not None
    assert found.capped.people == 2
    for at in (found.capped.first_at, found.capped.last_at):
        assert timedelta(days=6.9) < at - now() < timedelta(days=7, minutes=6)
    assert listed(capped) == ["+12125550103"]
    assert listed(capped, is_capped=True) == ["+12125550101", "+12125550102"]
    # As announced, so held.
    second = launch(request_key="k2")
    send_all()
    assert states(second) == {("pending", ""): 2, ("accepted", ""): 1}
    assert batch_waits_until(second.pk) == found.capped.first_at


def test_by_the_time_it_goes_out_there_may_be_room(launch: Launch, people: People, capped: Account):
    people(3)
    launch()
    send_all()

    week = timedelta(days=7, minutes=2)
    assert (told(capped).people_later, told(capped, start=now() + week).people_later) == (3, 0)
    assert len(listed(capped, start=now() + week)) == 3
    assert listed(capped, start=now() + week, is_capped=True) == []


def test_of_two_that_are_allowed_the_older_decides_when_there_is_room(
    launch: Launch, people: People, capped: Account
):
    Account.objects.update(cap_texts=2)
    capped.refresh_from_db()
    people(1)
    launch()
    send_all()
    days_pass(3)
    assert told(capped).capped is None

    launch(request_key="k2")
    send_all()

    found = told(capped).capped
    assert found is not None
    assert timedelta(days=3.9) < found.first_at - now() < timedelta(days=4, minutes=6)


def test_what_waits_to_go_before_takes_the_place(launch: Launch, people: People, capped: Account):
    people(3)
    before = launch()
    assert told(capped).people_later == 3

    batch_pause(account=capped, actor=None, batch=before)
    assert told(capped).people_later == 0


def test_what_waits_for_a_later_day_takes_none(launch: Launch, people: People, capped: Account):
    people(3)
    launch()
    Chunk.objects.update(not_before=now() + timedelta(days=1))

    assert told(capped).people_later == 0
    assert told(capped, start=now() + timedelta(days=2)).people_later == 3


def test_room_at_night_is_used_in_the_morning(launch: Launch, people: People, capped: Account):
    people(phones=["+12125550101"])
    launch()
    send_all()
    CarrierAccount.objects.update(is_simulated=False)
    Account.objects.update(quiet_start="21:00", quiet_end="08:00")
    capped.refresh_from_db()
    taken_at = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)  # 21:30 in New York
    Message.objects.update(accepted_at=taken_at)
    Batch.objects.update(finished_at=taken_at)

    found = told(capped, start=taken_at + timedelta(days=1)).capped

    assert found is not None
    assert found.first_at == found.last_at == datetime(2026, 12, 1, 13, 0, tzinfo=UTC)


def test_who_waits_for_the_morning_and_has_room_then_is_not_held_back_by_the_cap(
    launch: Launch, people: People, capped: Account
):
    people(phones=["+12125550101", "+12125550102"])
    launch()
    send_all()
    CarrierAccount.objects.update(is_simulated=False)
    Account.objects.update(quiet_start="21:00", quiet_end="08:00")
    capped.refresh_from_db()
    start = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # 22:00 in New York
    opens = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
    Batch.objects.update(finished_at=start)
    early, late = Message.objects.order_by("phone")
    week = timedelta(days=7)
    Message.objects.filter(pk=early.pk).update(accepted_at=opens - week - timedelta(hours=1))
    Message.objects.filter(pk=late.pk).update(accepted_at=opens - week + timedelta(hours=1))

    found = told(capped, start=start)

    assert [(slot.at, slot.people) for slot in found.later] == [(opens, 1)]
    assert (found.capped, found.people_later) == (
        Capped(1, opens + timedelta(hours=1), opens + timedelta(hours=1)),
        2,
    )
    assert listed(capped, start=start, until=opens) == [early.phone]
    assert listed(capped, start=start, is_capped=True) == [late.phone]


def test_nobody_elses_blasts_and_no_single_texts_count(
    launch: Launch, people: People, capped: Account, other_account: Account, sim: Client
):
    people(1)
    contact = Contact.objects.get()
    message_send(
        account=capped,
        actor=None,
        phone=contact.phone,
        body="Hi",
        kind=BatchKind.API,
        request_key="single",
        contact=contact,
    )
    send_all()
    people(phones=[contact.phone], account=other_account)
    Account.objects.filter(pk=other_account.pk).update(cap_texts=1, cap_days=7)
    other_account.refresh_from_db()
    launch()
    send_all()

    assert told(capped).people_later == 1
    assert told(other_account).capped is None


def test_without_a_cap_no_query_more(people: People, account: Account, sender: SenderNumber):
    people(3)
    told(account)  # what is looked up once a process

    with CaptureQueriesContext(connection) as without:
        told(account)
    Account.objects.update(cap_texts=1, cap_days=7)
    account.refresh_from_db()
    with CaptureQueriesContext(connection) as capped:
        told(account)

    asked = [query["sql"] for query in capped.captured_queries]
    assert len([sql for sql in asked if "frees" in sql]) == 1
    assert not [query for query in without.captured_queries if "frees" in query["sql"]]
    # The places of the people, which this account's simulated carrier alone does not ask for.
    assert len(asked) == len(without.captured_queries) + 2
