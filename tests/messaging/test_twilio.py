"""Requests as Twilio's own SDK makes them, and what its answers come to."""

import json
import logging
from typing import Any
from urllib.parse import parse_qs

import pytest
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client as TwilioClient

from messaging.choices import Outcome
from messaging.gateways.base import Answer, Result
from messaging.gateways.twilio import TwilioGateway

SID = "AC" + "0" * 32
MESSAGE_SID = "SM" + "a" * 32


class Recorder(HttpClient):
    """Keeps what the SDK would send."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__), False)

    def request(self, method: str, url: str, **request: Any) -> Response:
        self.seen = (method, url, request)
        return Response(201, json.dumps({"sid": MESSAGE_SID}))


@pytest.fixture
def gateway() -> TwilioGateway:
    return TwilioGateway(
        account_sid=SID,
        auth_token="secret",
        api_base_url="https://api.twilio.com",
        callback_base="https://edge.example/webhooks/twilio/7/status/",
    )


@pytest.mark.parametrize(
    "text", ["Hi Ann", "50% off & more + ç = “yes”\n🌷", "a+b c%20d", "https://x.example/?a=b#c"]
)
def test_requests_are_the_sdks(gateway: TwilioGateway, text: str):
    recorder = Recorder()
    sdk = TwilioClient(SID, "secret", http_client=recorder)
    sdk.messages.create(
        to="+14155550101",
        from_="+12025550100",
        body=text,
        status_callback="https://edge.example/webhooks/twilio/7/status/12-3#rc=5&rp=5xx,ct,rt",
    )
    method, url, request = recorder.seen

    body = gateway.request(
        to="+14155550101",
        our_number="+12025550100",
        encoded_body=gateway.encode(text),
        ref="12-3",
    )

    assert (gateway.sending.method, gateway.sending.url) == (method, url)
    assert {name: values[0] for name, values in parse_qs(body.decode()).items()} == request["data"]
    assert request["auth"] == (SID, "secret")
    assert "Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ=" in (
        gateway.sending.headers
    )


def test_encoding_pieces_is_encoding_the_whole(gateway: TwilioGateway):
    pieces = ["Hi ", "Zoë & Co", ": 50%\n", "🌷"]

    assert "".join(map(gateway.encode, pieces)) == gateway.encode("".join(pieces))


def error(status: int, code: int) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": "no", "status": status}).encode())


def told(answer: Answer) -> Result:
    return TwilioGateway(
        account_sid=SID, auth_token="x", api_base_url="https://x", callback_base="https://y/"
    ).result(answer)


def test_a_created_message_is_accepted():
    body = json.dumps(
        {"body": '"sid": "SM' + "f" * 32 + '"', "account_sid": SID, "sid": MESSAGE_SID}
    )

    result = told(Answer(201, body.encode()))

    assert result == Result(Outcome.ACCEPTED, MESSAGE_SID, 201)


@pytest.mark.parametrize(
    ("answer", "outcome", "reason", "stops", "left"),
    [
        (error(400, 21211), "rejected", "invalid_number", False, False),
        (error(400, 21614), "rejected", "landline", False, False),
        (error(400, 21408), "rejected", "region", False, False),
        (error(400, 21612), "rejected", "bad_sender", False, False),
        (error(400, 21610), "rejected", "opted_out", False, True),
        (error(400, 99999), "rejected", "other", False, False),
        (error(429, 20429), "retryable", "rate", False, False),
        (error(400, 21611), "retryable", "rate", False, False),
        (error(401, 20003), "retryable", "carrier_account", True, False),
        (error(403, 20005), "retryable", "carrier_account", True, False),
        (error(404, 20404), "retryable", "carrier_account", True, False),
        (error(400, 21606), "retryable", "bad_sender", True, False),
        (error(500, 20500), "unknown", "", False, False),
        (error(503, 20503), "unknown", "", False, False),
        (Answer(502, b"<html>Bad gateway</html>"), "unknown", "", False, False),
        (Answer(408, b""), "unknown", "", False, False),
        (Answer(201, b'{"status": "queued"}'), "unknown", "", False, False),
        (Answer(200, b"<html>Hello</html>"), "unknown", "", False, False),
        (Answer(0, b"", True, "timeout"), "unknown", "", False, False),
        (Answer(0, b"", False, "refused"), "retryable", "", False, False),
        (Answer(301, b""), "retryable", "other", True, False),
        (Answer(405, b"<html>"), "retryable", "other", True, False),
        (Answer(400, b'["not", "an", "object"]'), "rejected", "other", False, False),
    ],
)
def test_answers(answer: Answer, outcome: str, reason: str, stops: bool, left: bool):
    result = told(answer)

    assert result.outcome == outcome
    assert result.reason == reason
    assert result.stops_sender is stops
    assert result.is_opt_out is left
    assert result.carrier_id == ""


def test_a_list_is_read_by_to_alone(gateway: TwilioGateway):
    assert gateway.list_url(to="+14155550101") == (
        f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"
        "?To=%2B14155550101&PageSize=100"
    )


def test_a_page_of_the_list(gateway: TwilioGateway):
    row = {
        "sid": MESSAGE_SID,
        "to": "+14155550101",
        "from": None,
        "body": "Hi",
        "status": "queued",
        "error_code": None,
        "num_segments": "0",
        "direction": "outbound-api",
        "date_created": "Mon, 23 Nov 2026 12:00:00 +0000",
    }
    following = f"/2010-04-01/Accounts/{SID}/Messages.json?Page=1"
    answer = Answer(200, json.dumps({"messages": [row], "next_page_uri": following}).encode())

    page = gateway.list_page(answer)

    assert page is not None
    (listed,) = page.messages
    assert (listed.carrier_id, listed.state, listed.our_number) == (MESSAGE_SID, "accepted", "")
    assert listed.created_at.isoformat() == "2026-11-23T12:00:00+00:00"
    assert page.next_url == f"https://api.twilio.com{following}"


@pytest.mark.parametrize(
    "answer", [Answer(0, b""), Answer(500, b"{}"), Answer(200, b"<html>"), Answer(200, b"[]")]
)
def test_what_is_no_page_is_none(gateway: TwilioGateway, answer: Answer):
    assert gateway.list_page(answer) is None
