"""Webhooks at the edge: who signed, what is stored, what is answered."""

import time
from urllib.parse import urlencode

import pytest
from django.db import connection

from accounts.models import Account
from common.crypto import encrypt
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue
from tests.edge.conftest import EdgeClient, EdgeProcess
from tests.edge.gate import Gate

SID = "SM" + "a" * 32


def status(carrier: CarrierAccount, word: str = "sent", **more: str) -> dict[str, str]:
    """A status callback's form."""
    return {
        "AccountSid": carrier.external_id,
        "ApiVersion": "2010-04-01",
        "From": "+12025550100",
        "To": "+14155550150",
        "MessageSid": SID,
        "SmsSid": SID,
        "MessageStatus": word,
        "SmsStatus": word,
        **more,
    }


def stored_payload() -> str:
    """What stands in the column."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT payload FROM messaging_carrierevent")
        return str(cursor.fetchone()[0])


def nothing_stored() -> bool:
    return not CarrierEvent.objects.exists() and not CarrierEventQueue.objects.exists()


def test_a_status_is_stored_and_queued_before_the_answer(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str
) -> None:
    form = status(carrier, "undelivered", ErrorCode="30006", RawDlrDoneDate="2611231637")

    reply = edge.post_form(status_path, form)

    assert (reply.status, reply.body) == (204, "")
    event = CarrierEvent.objects.get()
    assert event.payload == form
    assert stored_payload() == urlencode(form)
    assert (event.carrier_account_id, event.kind) == (carrier.pk, "status")
    assert (event.message_id, event.attempt_n) == (41, 1)
    assert (event.carrier_id, event.account_ref) == (SID, carrier.external_id)
    assert (event.word, event.state, event.code, event.reason) == (
        "undelivered",
        "undelivered",
        "30006",
        "landline",
    )
    assert (event.ended, event.error) == ("", "")
    queued = CarrierEventQueue.objects.get()
    assert (queued.event_ids, queued.kind) == ([event.pk], "status")


def test_an_inbound_text_is_answered_with_an_empty_response(
    edge: EdgeClient, carrier: CarrierAccount
) -> None:
    form = {
        **status(carrier, "received"),
        "Body": "Café ☕ & more=?\n+1 “ok”",
        "FromCity": "",
        "NumMedia": "0",
    }

    reply = edge.post_form(f"/webhooks/twilio/{carrier.pk}/inbound", form)

    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/xml")
    assert reply.body == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert CarrierEvent.objects.get().payload == form
    assert CarrierEventQueue.objects.get().kind == "inbound"


def test_json_is_covered_by_its_hash_in_the_query(
    edge: EdgeClient, carrier: CarrierAccount
) -> None:
    click = {"event_type": "click", "sms_sid": SID, "link": "https://example.com/☕"}

    stored = edge.post_json(f"/webhooks/twilio/{carrier.pk}/clicks", [click, click])
    tampered = edge.post_json(f"/webhooks/twilio/{carrier.pk}/clicks", click, tampered=b" ")

    assert (stored.status, tampered.status) == (204, 403)
    event = CarrierEvent.objects.get()
    assert (event.kind, event.payload) == ("click", {"events": [click, click]})


def test_unknown_words_parameters_and_messages_are_stored(
    edge: EdgeClient, carrier: CarrierAccount
) -> None:
    form = status(carrier, "teleported", NewThing="café & more")

    reply = edge.post_form(f"/webhooks/twilio/{carrier.pk}/status/999999999-7", form)

    assert reply.status == 204
    event = CarrierEvent.objects.get()
    assert (event.word, event.state, event.message_id) == ("teleported", "", 999_999_999)
    assert event.payload["NewThing"] == "café & more"


def test_repeated_names_are_kept_in_order(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str
) -> None:
    pairs = [*status(carrier).items(), ("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("Empty", "")]

    reply = edge.post_form(status_path, pairs)

    assert reply.status == 204
    payload = CarrierEvent.objects.get().payload
    assert (payload["Tag"], payload["Empty"]) == (["b", "a", "b"], "")


def test_nul_and_half_characters_do_not_stop_an_event(
    edge: EdgeClient, carrier: CarrierAccount
) -> None:
    form = edge.post_form(
        f"/webhooks/twilio/{carrier.pk}/inbound", {**status(carrier), "Body": "ST\0OP"}
    )
    json = edge.post_json(f"/webhooks/twilio/{carrier.pk}/clicks", {"link": "a\0b\ud83d"})

    assert (form.status, json.status) == (200, 204)
    inbound, click = CarrierEvent.objects.order_by("id")
    assert inbound.payload["Body"] == "STOP"
    assert click.payload == {"link": "ab�"}


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64 at all é"])
def test_a_wrong_signature_is_refused_and_nothing_stored(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str, signature: str
) -> None:
    reply = edge.post_form(
        status_path, status(carrier), signature=signature.encode().decode("latin-1")
    )

    assert reply.status == 403
    assert nothing_stored()


def test_a_signature_for_another_path_or_body_is_refused(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str
) -> None:
    other_path = edge.post_form(
        status_path,
        status(carrier),
        signed_url=edge.url + status_path.replace("41-1", "42-1"),
    )
    other_query = edge.post_form(
        status_path + "?a=1", status(carrier), signed_url=edge.url + status_path
    )

    assert (other_path.status, other_query.status) == (403, 403)
    assert nothing_stored()


def test_one_accounts_token_does_not_sign_for_another(
    edge: EdgeClient, carrier: CarrierAccount, other_account: Account, status_path: str
) -> None:
    theirs = CarrierAccount.objects.create(
        account=other_account,
        name="Charlie's",
        external_id="AC" + "9" * 32,
        secret_encrypted=encrypt("charlies-token"),
        api_base_url="https://api.twilio.com",
    )

    foreign = edge.post_form(status_path, status(carrier), token="charlies-token")

    assert foreign.status == 403
    assert nothing_stored()
    own = edge.post_form(
        f"/webhooks/twilio/{theirs.pk}/status/41-1", status(theirs), token="charlies-token"
    )
    assert own.status == 204


def test_secrets_rotate_without_losing_a_webhook(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str
) -> None:
    assert edge.post_form(status_path, status(carrier)).status == 204

    carrier.previous_secret_encrypted = carrier.secret_encrypted
    carrier.secret_encrypted = encrypt("the-new-token")
    carrier.save()
    old = edge.post_form(status_path, status(carrier))
    limit = time.monotonic() + 2  # what the edge knows may be a second old
    while edge.post_form(status_path, status(carrier), token="the-new-token").status == 403:
        assert time.monotonic() < limit
        time.sleep(0.1)
    previous = edge.post_form(status_path, status(carrier))

    assert (old.status, previous.status) == (204, 204)
    assert CarrierEvent.objects.count() == 4


def test_both_spellings_of_the_port_are_accepted(
    edge: EdgeClient, carrier: CarrierAccount, status_path: str
) -> None:
    reply = edge.post_form(
        status_path, status(carrier), signed_url=f"http://localhost{status_path}"
    )

    assert reply.status == 204


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/twilio/999999/status/1-1",
        "/webhooks/twilio/0/inbound",
        "/webhooks/twilio/x/inbound",
        "/webhooks/twilio/99999999999999999999999/inbound",
        "/webhooks/twilio/{pk}/status/1",
        "/webhooks/twilio/{pk}/status/1-",
        "/webhooks/twilio/{pk}/status/0-1",
        "/webhooks/twilio/{pk}/status/1-99999",
        "/webhooks/twilio/{pk}/status/99999999999999999999-1",
        "/webhooks/twilio/{pk}/elsewhere",
        "/webhooks/twilio/{pk}",
        "/webhooks/nobody/1/inbound",
    ],
)
def test_paths_that_lead_nowhere(edge: EdgeClient, carrier: CarrierAccount, path: str) -> None:
    reply = edge.post_form(path.format(pk=carrier.pk), status(carrier))

    assert reply.status == 404
    assert nothing_stored()


def test_bodies_are_limited(edge: EdgeClient, carrier: CarrierAccount, status_path: str) -> None:
    large = edge.post_form(status_path, status(carrier, Body="x" * 1_000_000))
    largest = edge.post_form(status_path, status(carrier, Body="x" * 65_000))

    assert (large.status, largest.status) == (413, 204)
    assert CarrierEvent.objects.count() == 1


def test_webhooks_are_posted(edge: EdgeClient, carrier: CarrierAccount, status_path: str) -> None:
    reply = edge.request(status_path)

    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert nothing_stored()


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 60_000, b"[" * 900 + b"]" * 900, b'{"a": NaN}', b'{"a": 1e999}', b"\xff"]
)
def test_json_that_is_none_is_refused(
    edge: EdgeClient, carrier: CarrierAccount, body: bytes
) -> None:
    reply = edge.post_raw_json(f"/webhooks/twilio/{carrier.pk}/clicks", body)

    assert reply.status == 400
    assert nothing_stored()


def test_postgres_away_is_503_at_once_and_over_by_itself(
    own_edge: tuple[EdgeProcess, EdgeClient], carrier: CarrierAccount, status_path: str
) -> None:
    """The edge reaches PostgreSQL through a port we can close."""
    process, client = own_edge
    with Gate() as gate:
        process.start(DATABASE_URL=gate.database_url)
        assert client.post_form(status_path, status(carrier)).status == 204

        gate.close()
        began = time.monotonic()
        away = [client.post_form(status_path, status(carrier)).status for _ in range(20)]
        took_s = time.monotonic() - began
        health = client.health()
        stored = CarrierEvent.objects.count()

        gate.open()
        limit = time.monotonic() + 5
        while client.post_form(status_path, status(carrier)).status != 204:
            assert time.monotonic() < limit
            time.sleep(0.1)

    assert away == [503] * 20
    assert took_s < 2
    assert health["postgres"] is False
    assert stored == 1
    assert CarrierEvent.objects.count() == CarrierEventQueue.objects.count() == 2
