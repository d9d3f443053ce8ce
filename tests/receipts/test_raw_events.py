"""A message's page shows each raw event behind it, whatever the carrier posted."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from messaging.choices import EventKind
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue, Message, SenderNumber
from messaging.receipts.statuses import statuses_apply
from messaging.receipts.texts import text_apply_next
from tests.receipts.conftest import MakeBatch, Queue

pytestmark = pytest.mark.django_db


def raw(browser: Client, message: Message) -> list[str]:
    """What the page shows of each event, as it was posted."""
    page = browser.get(f"/messages/{message.pk}/")
    assert page.status_code == 200
    found = re.findall(r"<pre>(.*?)</pre>", page.content.decode(), re.S)
    return [said.strip() for said in found]


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_an_inbound_text_shows_every_time_it_was_told(
    browser: Client, carrier: CarrierAccount, sender: SenderNumber
) -> None:
    said: dict[str, Any] = {
        "MessageSid": "SM" + "7" * 32,
        "AccountSid": carrier.external_id,
        "From": "+14155550150",
        "To": sender.phone,
        "Body": "Lovely <b>flowers</b>",
    }
    for more in ({}, {"RepeatedBy": "the carrier"}):
        event = CarrierEvent.objects.create(
            carrier_account=carrier, kind=EventKind.INBOUND, payload={**said, **more}
        )
        CarrierEventQueue.objects.create(event_ids=[event.pk], kind=EventKind.INBOUND)
        assert text_apply_next() is True

    first, second = raw(browser, Message.objects.get())

    assert "Body = Lovely &lt;b&gt;flowers&lt;/b&gt;" in first
    assert "RepeatedBy" not in first
    assert second.endswith("RepeatedBy = the carrier")


def test_names_that_a_template_knows_too_are_names_like_any_other(
    browser: Client, make_batch: MakeBatch, queue: Queue
) -> None:
    (message,) = make_batch(1)
    event = queue(message, "delivered")
    event.payload = {"items": "x", "keys": ["a", "b"], "0": "", "MessageStatus": "delivered"}
    event.save()
    statuses_apply()

    (said,) = raw(browser, message)

    names = [line.partition(" = ")[0] for line in said.splitlines()]
    assert names == ["items", "keys", "0", "MessageStatus"]
