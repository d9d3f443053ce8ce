"""The Messages resource as Twilio's SDK and raw requests see it."""

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as TwilioClient

from carriersim.client import Client
from tests.carriersim.conftest import (
    OTHER_SID,
    OTHER_TOKEN,
    OUR_NUMBER,
    PHONE,
    SID,
    TOKEN,
    LocalHttpClient,
)

SERVICE = "MG" + "c3" * 16


def _post(
    carrier: Client,
    form: dict[str, str] | bytes,
    *,
    login: tuple[str, str] = (SID, TOKEN),
    content_type: str = "application/x-www-form-urlencoded",
) -> tuple[int, dict[str, Any]]:
    """A raw create; status and JSON."""
    data = form if isinstance(form, bytes) else urlencode(form).encode()
    request = urllib.request.Request(
        f"{carrier.base_url}/2010-04-01/Accounts/{SID}/Messages.json",
        data=data,
        headers={
            "Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode(),
            "Content-Type": content_type,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_created_message_is_queued_and_reads_as_twilios(twilio: TwilioClient) -> None:
    before = datetime.now(UTC).replace(microsecond=0)

    message = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi " * 60)

    assert message.sid.startswith("SM")
    assert len(message.sid) == 34
    assert message.account_sid == SID
    assert (message.to, message.from_, message.body) == (PHONE, OUR_NUMBER, "Hi " * 60)
    assert (message.status, message.direction) == ("queued", "outbound-api")
    assert (message.num_segments, message.num_media) == ("2", "0")
    assert (message.error_code, message.error_message, message.price) == (None, None, None)
    assert message.date_sent is None
    assert before <= message.date_created <= datetime.now(UTC)
    assert message.uri == f"/2010-04-01/Accounts/{SID}/Messages/{message.sid}.json"


def test_a_message_ends_delivered_with_date_and_price(
    twilio: TwilioClient, carrier: Client
) -> None:
    sid = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi").sid

    carrier.flush()

    message = twilio.messages(sid).fetch()
    assert message.status == "delivered"
    assert message.date_sent is not None
    assert (message.price, message.price_unit) == ("-0.00790", "USD")


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        ("+14155550150", "delivered", None),
        ("+14155550151", "undelivered", 30006),
        ("+14155550152", "undelivered", 30007),
        ("+14155550153", "undelivered", 30003),
        ("+14155550154", "undelivered", 30005),
        ("+14155550155", "undelivered", 30008),
        ("+14155550156", "failed", 30001),
        ("+14155550160", "failed", 21610),
        ("+14155550161", "sent", None),
        ("+14155550162", "queued", None),
    ],
)
def test_scripted_numbers_end_as_the_table_says(
    twilio: TwilioClient, carrier: Client, number: str, status: str, code: int | None
) -> None:
    sid = twilio.messages.create(to=number, from_=OUR_NUMBER, body="Hi").sid

    carrier.flush()

    message = twilio.messages(sid).fetch()
    assert (message.status, message.error_code) == (status, code)
    assert (message.date_sent is None) is (status in ("failed", "queued"))


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"From": OUR_NUMBER, "Body": "Hi"}, 400, 21604),
        ({"To": PHONE, "Body": "Hi"}, 400, 21603),
        ({"To": PHONE, "From": OUR_NUMBER}, 400, 21602),
        ({"To": PHONE, "From": OUR_NUMBER, "Body": ""}, 400, 21602),
        ({"To": PHONE, "From": OUR_NUMBER, "Body": "x" * 1601}, 400, 21617),
        ({"To": "14155550100", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21211),
        ({"To": "+1415555010", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21211),
        ({"To": "+11155550100", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21211),
        ({"To": PHONE, "From": "not@valid", "Body": "Hi"}, 400, 21212),
        ({"To": "+14155550157", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21610),
        ({"To": "+14155550158", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21211),
        ({"To": "+14155550159", "From": OUR_NUMBER, "Body": "Hi"}, 400, 21614),
        ({"To": "+14155550172", "From": OUR_NUMBER, "Body": "Hi"}, 500, 20500),
        ({"To": "+14155550174", "From": OUR_NUMBER, "Body": "Hi"}, 503, 20503),
        ({"To": "+14155550175", "From": OUR_NUMBER, "Body": "Hi"}, 429, 20429),
        ({"To": PHONE, "MessagingServiceSid": "MG1", "Body": "Hi"}, 400, 21705),
        (
            {"To": PHONE, "From": OUR_NUMBER, "Body": "Hi", "StatusCallback": "/relative"},
            400,
            21609,
        ),
        (
            {"To": PHONE, "From": OUR_NUMBER, "Body": "Hi", "StatusCallback": "http://a_b.com/"},
            400,
            21609,
        ),
        ({"To": PHONE, "From": OUR_NUMBER, "Body": "Hi", "ValidityPeriod": "0"}, 400, 21624),
    ],
)
def test_a_refused_message_gets_twilios_error_and_is_not_accepted(
    carrier: Client, form: dict[str, str], status: int, code: int
) -> None:
    answered, error = _post(carrier, form)

    assert (answered, error["code"], error["status"]) == (status, code, status)
    assert error["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert error["message"]
    assert carrier.summary()["accepted"] == 0


def test_the_sdk_raises_the_code(twilio: TwilioClient) -> None:
    with pytest.raises(TwilioRestException) as caught:
        twilio.messages.create(to="+14155550157", from_=OUR_NUMBER, body="Hi")

    assert (caught.value.status, caught.value.code) == (400, 21610)


def test_json_is_not_a_form(carrier: Client) -> None:
    form = json.dumps({"To": PHONE, "From": OUR_NUMBER, "Body": "Hi"}).encode()

    status, error = _post(carrier, form, content_type="application/json")

    assert (status, error["code"]) == (415, 19056)
    assert carrier.summary()["accepted"] == 0


@pytest.mark.parametrize(
    "login", [(SID, "wrong"), ("AC" + "0" * 32, TOKEN), (OTHER_SID, OTHER_TOKEN), (SID, "")]
)
def test_only_the_accounts_own_login_is_let_in(carrier: Client, login: tuple[str, str]) -> None:
    status, error = _post(carrier, {"To": PHONE, "From": OUR_NUMBER, "Body": "Hi"}, login=login)

    assert (status, error["code"]) == (401, 20003)
    assert carrier.summary()["accepted"] == 0


def test_an_inactive_account_is_refused(carrier: Client) -> None:
    carrier.add_account(OTHER_SID, OTHER_TOKEN, active=False)
    stranger = TwilioClient(OTHER_SID, OTHER_TOKEN, http_client=LocalHttpClient(carrier.base_url))

    with pytest.raises(TwilioRestException) as caught:
        stranger.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi")

    assert (caught.value.status, caught.value.code) == (403, 20005)
    carrier.add_account(OTHER_SID, OTHER_TOKEN)
    assert stranger.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi").status == "queued"


def test_a_message_of_another_account_is_not_found(twilio: TwilioClient, carrier: Client) -> None:
    sid = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi").sid
    stranger = TwilioClient(OTHER_SID, OTHER_TOKEN, http_client=LocalHttpClient(carrier.base_url))

    for call in (stranger.messages(sid).fetch, stranger.messages(sid).delete):
        with pytest.raises(TwilioRestException) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (404, 20404)

    assert stranger.messages.list() == []
    assert [one.sid for one in twilio.messages.list()] == [sid]


def test_a_body_can_be_redacted_and_a_message_deleted_once_final(
    twilio: TwilioClient, carrier: Client
) -> None:
    sid = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="secret").sid
    with pytest.raises(TwilioRestException) as caught:
        twilio.messages(sid).delete()
    assert caught.value.code == 20009
    carrier.flush()

    assert twilio.messages(sid).update(body="").body == ""
    assert twilio.messages(sid).delete() is True

    with pytest.raises(TwilioRestException) as caught:
        twilio.messages(sid).fetch()
    assert caught.value.code == 20404
    assert twilio.messages.list() == []
    record = carrier.messages()
    assert [(one["sid"], one["body"], one["deleted"]) for one in record] == [(sid, "secret", True)]


def test_a_scheduled_message_can_be_canceled(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)

    def schedule() -> str:
        message = twilio.messages.create(
            to=PHONE,
            messaging_service_sid=SERVICE,
            body="Hi",
            schedule_type="fixed",
            send_at=datetime.now(UTC) + timedelta(hours=1),
        )
        assert message.status == "scheduled"
        return str(message.sid)

    canceled, kept = schedule(), schedule()
    assert twilio.messages(canceled).update(status="canceled").status == "canceled"
    carrier.flush()

    assert twilio.messages(canceled).fetch().status == "canceled"
    assert twilio.messages(kept).fetch().status == "delivered"
    with pytest.raises(TwilioRestException) as caught:
        twilio.messages(kept).update(status="canceled")
    assert caught.value.code == 30409


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"MessagingServiceSid": SERVICE}, 35111),
        ({"SendAt": "2099-01-01T00:00:00Z"}, 35118),
        ({"MessagingServiceSid": SERVICE, "SendAt": "2099-01-01T00:00:00Z"}, 35114),
        ({"MessagingServiceSid": SERVICE, "SendAt": "soon"}, 35114),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    carrier: Client, extra: dict[str, str], code: int
) -> None:
    form = {"To": PHONE, "From": OUR_NUMBER, "Body": "Hi", "ScheduleType": "fixed", **extra}

    status, error = _post(carrier, form)

    assert (status, error["code"]) == (400, code)
    assert carrier.summary()["accepted"] == 0


def test_a_service_picks_a_number_and_tells_it_once_sent(
    twilio: TwilioClient, carrier: Client
) -> None:
    stranger = TwilioClient(OTHER_SID, OTHER_TOKEN, http_client=LocalHttpClient(carrier.base_url))
    carrier.add_number(OUR_NUMBER, SID)

    message = twilio.messages.create(to=PHONE, messaging_service_sid=SERVICE, body="Hi")
    with pytest.raises(TwilioRestException) as caught:
        stranger.messages.create(to=PHONE, messaging_service_sid=SERVICE, body="Hi")

    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    assert caught.value.code == 21703
    carrier.flush()
    sent = twilio.messages(message.sid).fetch()
    assert (sent.status, sent.from_, sent.num_segments) == ("delivered", OUR_NUMBER, "1")


def test_a_number_of_another_account_cannot_send(carrier: Client) -> None:
    number = "+12025550195"
    carrier.add_number(number, OTHER_SID)

    status, error = _post(carrier, {"To": PHONE, "From": number, "Body": "Hi"})

    assert (status, error["code"]) == (400, 21606)


def test_unknown_senders_are_refused_when_known_ones_are_required(carrier: Client) -> None:
    form = {"To": PHONE, "From": "+12025550196", "Body": "Hi"}

    assert _post(carrier, form)[0] == 201
    carrier.set(require_known_from=True)
    status, error = _post(carrier, form)

    assert (status, error["code"]) == (400, 21606)
    assert carrier.summary()["accepted"] == 1


def test_beyond_the_rate_the_answer_is_429_and_nothing_is_accepted(carrier: Client) -> None:
    carrier.set(rate_limit_per_s=2)
    form = {"To": PHONE, "From": OUR_NUMBER, "Body": "Hi"}

    answers = [_post(carrier, form)]
    carrier.set(rate_limit_per_s=0.001)  # so that none comes back, however long this takes
    answers += [_post(carrier, form) for _ in range(3)]

    assert [status for status, _ in answers] == [201, 201, 429, 429]
    assert answers[2][1]["code"] == 20429
    assert carrier.summary()["accepted"] == 2
    assert carrier.stats()["faults"] == {"over_rate": 2}
    carrier.set(rate_limit_per_s=1000)
    assert _post(carrier, form)[0] == 201


def test_trial_prefix_and_smart_encoding_change_the_shown_body(
    twilio: TwilioClient, carrier: Client
) -> None:
    carrier.set(trial_prefix=True, smart_encoding=True)
    body = "It\u2019s 20\u00a0% off \u2013 today\u2026"

    message = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body=body)

    shown = "Sent from your Twilio trial account - It's 20 % off - today..."
    assert message.body == shown
    assert carrier.messages()[0]["body"] == body


def test_the_request_can_ask_for_smart_encoding(twilio: TwilioClient) -> None:
    body = "\u201cHi\u201d " + "x" * 100

    plain = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body=body)
    smart = twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body=body, smart_encoded=True)

    assert (plain.body, plain.num_segments) == (body, "2")
    assert (smart.body, smart.num_segments) == ('"Hi" ' + "x" * 100, "1")


def test_a_transient_fault_passes_when_tried_again(carrier: Client) -> None:
    once = {"To": "+14155550173", "From": OUR_NUMBER, "Body": "Hi"}
    twice = {"To": "+14155550176", "From": OUR_NUMBER, "Body": "Hi"}

    assert [_post(carrier, once)[0] for _ in range(2)] == [500, 201]
    assert [_post(carrier, twice)[0] for _ in range(3)] == [429, 429, 201]

    assert carrier.recipients() == {"+14155550173": 1, "+14155550176": 1}


def test_an_answer_can_be_lost_after_acceptance(carrier: Client) -> None:
    carrier.set(lost_answer_s=0.2, slow_answer_s=0.2)

    with pytest.raises(http.client.IncompleteRead):
        _post(carrier, {"To": "+14155550169", "From": OUR_NUMBER, "Body": "Hi"})
    error_status, _ = _post(carrier, {"To": "+14155550170", "From": OUR_NUMBER, "Body": "Hi"})
    hung_status, _ = _post(carrier, {"To": "+14155550168", "From": OUR_NUMBER, "Body": "Hi"})
    started = time.monotonic()
    slow_status, _ = _post(carrier, {"To": "+14155550171", "From": OUR_NUMBER, "Body": "Hi"})

    assert (error_status, hung_status, slow_status) == (500, 503, 201)
    assert time.monotonic() - started >= 0.2
    assert sum(carrier.recipients().values()) == 4
    faults = carrier.stats()["faults"]
    assert faults == {"lost_cut": 1, "lost_error": 1, "lost_hang": 1, "slow": 1}


def test_the_resources_that_a_set_up_reads(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID, "http://127.0.0.1:9/inbound")

    account = twilio.api.accounts(SID).fetch()
    numbers = twilio.incoming_phone_numbers.list()

    assert (account.sid, account.status, account.type) == (SID, "active", "Full")
    assert [(one.phone_number, one.sms_url) for one in numbers] == [
        (OUR_NUMBER, "http://127.0.0.1:9/inbound")
    ]
