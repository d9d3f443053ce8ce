"""Status callbacks: signed as Twilio signs, in order, retried as the URL's fragment asks."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client as TwilioClient

from carriersim.client import Client
from tests.carriersim.conftest import OUR_NUMBER, PHONE, SID, TOKEN, Receiver

Settled = Callable[[], dict[str, Any]]


def _send(twilio: TwilioClient, callback: str, *, to: str = PHONE, **extra: Any) -> str:
    """Send a text with a callback; its sid."""
    extra.setdefault("from_", OUR_NUMBER)
    message = twilio.messages.create(to=to, body="Hi", status_callback=callback, **extra)
    return str(message.sid)


def test_callbacks_come_in_order_with_twilios_parameters(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    sid = _send(twilio, f"{receiver.url}/status/7-1?a=b%20c#rc=5&rp=5xx,ct,rt")

    stats = settled()

    common = {
        "AccountSid": SID,
        "ApiVersion": "2010-04-01",
        "From": OUR_NUMBER,
        "To": PHONE,
        "MessageSid": sid,
        "SmsSid": sid,
    }
    sent, delivered = receiver.at("/status/7-1?a=b%20c")
    assert sent.params == {**common, "MessageStatus": "sent", "SmsStatus": "sent"}
    dlr_date = delivered.params.pop("RawDlrDoneDate")
    assert re.fullmatch(r"\d{10}", dlr_date)
    assert delivered.params == {
        **common,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
    }
    assert stats["callbacks"] == {"ok": 2, "failed": 0, "retried": 0, "dropped": 0}


def test_twilios_own_validator_accepts_the_signature(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    _send(twilio, f"{receiver.url}/status?x=1&y=caf%C3%A9#rc=5", to="+14155550190")
    settled()

    validator = RequestValidator(TOKEN)
    url = f"{receiver.url}/status?x=1&y=caf%C3%A9"
    for one in receiver.requests:
        assert one.params["NewThing"] == "caf\u00e9 & more"
        assert validator.validate(url, one.params, one.headers["x-twilio-signature"])
        forged = {**one.params, "MessageStatus": "failed"}
        assert not validator.validate(url, forged, one.headers["x-twilio-signature"])
    assert len(receiver.requests) == 2


def test_a_failure_carries_its_code(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    _send(twilio, f"{receiver.url}/undelivered", to="+14155550151")
    _send(twilio, f"{receiver.url}/failed", to="+14155550156")
    settled()

    undelivered = receiver.at("/undelivered")
    assert receiver.statuses("/undelivered") == ["sent", "undelivered"]
    assert "ErrorCode" not in undelivered[0].params
    assert undelivered[1].params["ErrorCode"] == "30006"
    assert "RawDlrDoneDate" in undelivered[1].params
    (failed,) = receiver.at("/failed")
    assert (failed.params["MessageStatus"], failed.params["ErrorCode"]) == ("failed", "30001")
    assert "RawDlrDoneDate" not in failed.params


@pytest.mark.parametrize(
    ("number", "statuses"),
    [
        ("+14155550150", ["sent", "delivered"]),
        ("+14155550160", ["failed"]),
        ("+14155550161", ["sent"]),
        ("+14155550162", []),
        ("+14155550163", []),
        ("+14155550164", ["sent"]),
        ("+14155550165", ["sent", "sent", "delivered", "delivered"]),
        ("+14155550166", ["delivered", "sent"]),
        ("+14155550187", ["sent", "delivered", "undelivered"]),
        ("+14155550188", ["sent", "teleported", "delivered"]),
    ],
)
def test_scripted_callbacks(
    twilio: TwilioClient,
    receiver: Receiver,
    settled: Settled,
    number: str,
    statuses: list[str],
) -> None:
    _send(twilio, f"{receiver.url}/status", to=number)

    settled()

    assert receiver.statuses("/status") == statuses


def test_lost_callbacks_are_counted(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    _send(twilio, f"{receiver.url}/status", to="+14155550163")
    _send(twilio, f"{receiver.url}/status", to="+14155550164")

    assert settled()["callbacks"] == {"ok": 1, "failed": 0, "retried": 0, "dropped": 3}


def test_an_early_callback_comes_before_the_answer(
    twilio: TwilioClient, carrier: Client, receiver: Receiver
) -> None:
    carrier.set(delays={"final": [30, 30]})

    message = twilio.messages.create(
        to="+14155550167",
        from_=OUR_NUMBER,
        body="Hi",
        status_callback=f"{receiver.url}/status",
    )

    assert message.status == "queued"
    assert [one.params["MessageSid"] for one in receiver.at("/status")] == [message.sid]
    assert receiver.statuses("/status") == ["sent"]


def test_forged_callbacks_come_with_the_true_ones(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    _send(twilio, f"{receiver.url}/signature", to="+14155550189")
    sid = _send(twilio, f"{receiver.url}/sid", to="+14155550191")
    settled()

    validator = RequestValidator(TOKEN)
    valid = [
        validator.validate(
            f"{receiver.url}/signature", one.params, one.headers["x-twilio-signature"]
        )
        for one in receiver.at("/signature")
    ]
    assert valid == [False, True, False, True]
    named = [
        (one.params["MessageSid"] == sid, one.params["MessageStatus"])
        for one in receiver.at("/sid")
    ]
    assert named == [(False, "delivered"), (True, "sent"), (True, "delivered")]


def test_a_service_also_reports_queued(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    service = "MG" + "c3" * 16
    carrier.add_number(OUR_NUMBER, SID)

    _send(twilio, f"{receiver.url}/status", from_=None, messaging_service_sid=service)
    settled()

    assert receiver.statuses("/status") == ["queued", "sent", "delivered"]
    assert {one.params["MessagingServiceSid"] for one in receiver.requests} == {service}
    assert {one.params["From"] for one in receiver.requests} == {OUR_NUMBER}


def test_sending_callbacks_are_a_switch(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.set(sending_callbacks=True)

    _send(twilio, f"{receiver.url}/status")
    settled()

    assert receiver.statuses("/status") == ["sending", "sent", "delivered"]


def test_callbacks_can_be_off_while_statuses_go_on(
    twilio: TwilioClient, carrier: Client, receiver: Receiver
) -> None:
    carrier.set(callbacks=False)

    sid = _send(twilio, f"{receiver.url}/status")
    carrier.flush()

    assert receiver.requests == []
    assert twilio.messages(sid).fetch().status == "delivered"


def test_by_default_a_500_is_not_retried(
    twilio: TwilioClient, receiver: Receiver, settled: Settled
) -> None:
    receiver.answer("/status", (500, ""), (200, ""))

    _send(twilio, f"{receiver.url}/status")

    assert settled()["callbacks"] == {"ok": 1, "failed": 1, "retried": 0, "dropped": 0}
    assert receiver.statuses("/status") == ["sent", "delivered"]


def test_the_fragment_asks_for_retries_which_share_a_token(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.set(speed=20)
    receiver.answer("/status", (503, ""), (500, ""))

    _send(twilio, f"{receiver.url}/status#rc=2&rp=5xx,ct,rt", to="+14155550161")

    assert settled()["callbacks"] == {"ok": 1, "failed": 0, "retried": 2, "dropped": 0}
    assert receiver.statuses("/status") == ["sent"] * 3
    tokens = {one.headers["i-twilio-idempotency-token"] for one in receiver.requests}
    assert len(tokens) == 1


def test_retries_end(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.set(speed=20)
    receiver.answer("/status", *[(500, "")] * 9)

    _send(twilio, f"{receiver.url}/status#rc=3&rp=all", to="+14155550161")

    assert settled()["callbacks"] == {"ok": 0, "failed": 1, "retried": 3, "dropped": 0}
    assert len(receiver.requests) == 4


def test_a_refused_connection_is_retried_once_by_default(
    twilio: TwilioClient, carrier: Client, settled: Settled
) -> None:
    carrier.set(speed=20)

    _send(twilio, "http://127.0.0.1:9/status", to="+14155550161")

    assert settled()["callbacks"] == {"ok": 0, "failed": 1, "retried": 1, "dropped": 0}


def test_connections_are_kept(twilio: TwilioClient, carrier: Client, receiver: Receiver) -> None:
    carrier.set(callback_concurrency=2)
    carrier.pause()
    for number in range(10):
        _send(twilio, f"{receiver.url}/status", to=f"+1415555400{number}")

    stats = carrier.flush()

    assert stats["callbacks"]["ok"] == 20
    assert len(receiver.requests) == 20
    assert len({one.port for one in receiver.requests}) <= 2
