"""Lists of messages: paged and filtered, and late, as the carrier's own are."""

import time
from datetime import timedelta
from typing import Any

from twilio.rest import Client as TwilioClient

from carriersim.client import Client
from tests.carriersim.conftest import (
    OUR_NUMBER,
    PHONE,
)


def test_lists_are_paged_newest_first_through_the_sdk(twilio: TwilioClient) -> None:
    phones = [f"+1415555{number:04}" for number in range(2000, 2007)]
    for phone in phones:
        twilio.messages.create(to=phone, from_=OUR_NUMBER, body="Hi")

    page = twilio.messages.page(page_size=3)
    pages = [page]
    while page := page.next_page():
        pages.append(page)

    listed = [[one.to for one in list(one)] for one in pages]
    newest_first = phones[::-1]
    assert listed == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    assert [one.to for one in twilio.messages.list(page_size=2)] == newest_first
    assert [one.to for one in pages[2].previous_page()] == newest_first[3:6]
    assert pages[0].previous_page_url is None


def test_a_page_stays_right_while_messages_come_in(twilio: TwilioClient) -> None:
    for number in range(4):
        twilio.messages.create(to=f"+1415555300{number}", from_=OUR_NUMBER, body="Hi")
    first = twilio.messages.page(page_size=2)

    twilio.messages.create(to="+14155553009", from_=OUR_NUMBER, body="Hi")

    assert [one.to for one in first.next_page()] == ["+14155553001", "+14155553000"]


def test_lists_filter_by_to_and_from(twilio: TwilioClient) -> None:
    other_number = "+12025550191"
    for phone, number in ((PHONE, OUR_NUMBER), (PHONE, other_number), ("+14155550101", OUR_NUMBER)):
        twilio.messages.create(to=phone, from_=number, body="Hi")

    def listed(**filters: str) -> list[tuple[str, str]]:
        return [(one.to, one.from_) for one in twilio.messages.list(**filters)]

    assert listed(to=PHONE) == [(PHONE, other_number), (PHONE, OUR_NUMBER)]
    assert listed(from_=OUR_NUMBER) == [("+14155550101", OUR_NUMBER), (PHONE, OUR_NUMBER)]
    assert listed(to=PHONE, from_=OUR_NUMBER) == [(PHONE, OUR_NUMBER)]
    assert listed(to="+14155550199") == []


def test_date_sent_filters_leave_out_what_is_queued(twilio: TwilioClient, carrier: Client) -> None:
    twilio.messages.create(to="+14155550162", from_=OUR_NUMBER, body="never sent")
    sent = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="sent")
    carrier.flush()
    moment = twilio.messages(sent.sid).fetch().date_sent
    second, day = timedelta(seconds=1), timedelta(days=1)

    def listed(**filters: Any) -> list[str]:
        return [one.body for one in twilio.messages.list(**filters)]

    assert listed() == ["sent", "never sent"]
    assert listed(date_sent=moment) == ["sent"]
    assert listed(date_sent=moment.date()) == ["sent"]
    assert listed(date_sent=moment.date() - day) == []
    assert listed(date_sent_after=moment - second) == ["sent"]
    assert listed(date_sent_after=moment + second) == []
    assert listed(date_sent_before=moment + second) == ["sent"]
    assert listed(date_sent_before=moment - second) == []


def test_a_message_appears_in_lists_after_the_delay(twilio: TwilioClient, carrier: Client) -> None:
    carrier.set(list_delay_s=3600)

    sid = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi").sid

    assert twilio.messages.list(to=PHONE) == []
    assert twilio.messages(sid).fetch().sid == sid
    carrier.set(list_delay_s=0.4)
    time.sleep(0.45)
    assert [one.sid for one in twilio.messages.list(to=PHONE)] == [sid]
