"""Erasing a person while the carrier posts what became of their text."""

from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from contacts.services import person_erase
from messaging.choices import EventKind
from messaging.models import Attempt, Batch, CarrierEvent, CarrierEventQueue, Message
from messaging.receipts.statuses import statuses_apply
from tests.messaging.conftest import Launch, People, send_all

pytestmark = pytest.mark.django_db

ANN = "+14155550101"


def test_a_callback_stored_during_an_erasure_is_still_applied(
    account: Account, alice: User, sim: Client, launch: Launch, people: People
) -> None:
    (ann,) = people(phones=[ANN])
    batch = launch()
    send_all()
    Batch.objects.update(settled_at=now())
    message = Message.objects.get(batch=batch, phone=ANN)
    attempt = Attempt.objects.get(message=message)
    stored: list[CarrierEvent] = []

    def callback_comes(execute: Any, sql: str, *rest: Any) -> Any:
        answer = execute(sql, *rest)
        if not stored and sql.startswith("SELECT") and "_carriereventqueue" in sql:
            stored.append(
                CarrierEvent(
                    carrier_account=attempt.carrier_account,
                    kind=EventKind.STATUS,
                    message_id=message.pk,
                    attempt_n=1,
                    carrier_id=attempt.carrier_id or "",
                    account_ref=attempt.carrier_account.external_id,
                    word="delivered",
                    state="delivered",
                    payload={"To": ANN},
                )
            )
            stored[0].save()
            CarrierEventQueue.objects.create(event_ids=[stored[0].pk], kind=EventKind.STATUS)
        return answer

    with connection.execute_wrapper(callback_comes):
        person_erase(account=account, actor=alice, contact_id=ann.pk)

    assert CarrierEvent.objects.get(pk=stored[0].pk).payload == {}
    assert statuses_apply() == 1
    message.refresh_from_db()
    assert message.state == "delivered"
