"""How the queue and the payloads were migrated: there and back, with what waits and what stands.

PostgreSQL takes changes of tables back with the test's transaction.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, InternalError, connection, transaction

from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue

pytestmark = pytest.mark.django_db

Migrate = Callable[..., None]


def selected(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def ran(query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query)


def test_the_queue_goes_back_once_nothing_waits_and_forward_with_all_that_does(
    migrate: Migrate,
) -> None:
    name = "0017_queue_by_commit"
    waits = CarrierEventQueue.objects.create(event_ids=[1, 2], kind="status")
    with pytest.raises(InternalError, match="Events wait in the queue"), transaction.atomic():
        migrate("messaging", name, back=True)
    assert selected("SELECT event_ids FROM messaging_carriereventqueue") == [([1, 2],)]

    waits.delete()
    migrate("messaging", name, back=True)
    ran(
        "INSERT INTO messaging_carriereventqueue (event_id, kind)"
        " VALUES (5, 'status'), (9, 'inbound'), (3, 'status')"
    )
    migrate("messaging", name)
    CarrierEventQueue.objects.create(event_ids=[4], kind="status")

    rows = CarrierEventQueue.objects.order_by("id").values_list("event_ids", "kind")
    assert list(rows) == [([3], "status"), ([5], "status"), ([9], "inbound"), ([4], "status")]
    found = selected("SELECT indexdef FROM pg_indexes WHERE indexname = 'queue_of_texts'")
    assert [definition.count("kind") for (definition,) in found] == [1]


def test_payloads_go_back_to_json_as_long_as_no_form_was_stored(
    migrate: Migrate, carrier: CarrierAccount
) -> None:
    name = "0018_payload_text"
    said = {"MessageStatus": "delivered", "Body": "“ok” ☕"}
    event = CarrierEvent.objects.create(carrier_account=carrier, kind="status", payload=said)
    form = CarrierEvent.objects.create(carrier_account=carrier, kind="status", payload={})
    ran(f"UPDATE messaging_carrierevent SET payload = 'MessageStatus=sent' WHERE id = {form.pk}")

    with pytest.raises(DataError), transaction.atomic():
        migrate("messaging", name, back=True)
    form.refresh_from_db()
    assert form.payload == {"MessageStatus": "sent"}

    form.delete()
    migrate("messaging", name, back=True)
    assert selected("SELECT payload ->> 'Body' FROM messaging_carrierevent") == [("“ok” ☕",)]
    migrate("messaging", name)

    event.refresh_from_db()
    assert event.payload == said
    (kind,) = selected("SELECT pg_typeof(payload)::text FROM messaging_carrierevent")
    assert kind == ("text",)
