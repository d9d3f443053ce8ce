"""The phones: replies, opt-outs, taps on links, and the page that shows them."""

import json
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client as TwilioClient

from carriersim.client import Client, ControlFailed
from tests.carriersim.conftest import OUR_NUMBER, PHONE, SID, TOKEN, Receiver

Settled = Callable[[], dict[str, Any]]


def _send(twilio: TwilioClient, *, to: str = PHONE, body: str = "Hi") -> str:
    return str(twilio.messages.create(to=to, from_=OUR_NUMBER, body=body).sid)


def test_a_typed_text_is_posted_to_the_numbers_inbound_url(
    carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound?n=1#rc=2")

    shown = carrier.text(PHONE, OUR_NUMBER, "Caf\u00e9 & more?")
    stats = settled()

    (posted,) = receiver.at("/inbound?n=1")
    sid = shown["sid"]
    assert posted.params == {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": SID,
        "From": PHONE,
        "To": OUR_NUMBER,
        "Body": "Caf\u00e9 & more?",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
        "FromCountry": "US",
        "ToCountry": "US",
        **dict.fromkeys(("FromCity", "FromState", "FromZip", "ToCity", "ToState", "ToZip"), ""),
    }
    assert RequestValidator(TOKEN).validate(
        f"{receiver.url}/inbound?n=1", posted.params, posted.headers["x-twilio-signature"]
    )
    assert stats["inbound"] == {"ok": 1, "failed": 0, "retried": 0, "dropped": 0}
    assert (shown["direction"], shown["status"]) == ("inbound", "received")


def test_an_inbound_message_is_listed_to_our_number(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    _send(twilio)
    sid = carrier.text(PHONE, OUR_NUMBER, "Hello", media=1)["sid"]

    (listed,) = twilio.messages.list(to=OUR_NUMBER)

    assert (listed.sid, listed.direction, listed.num_media) == (sid, "inbound", "1")
    assert sid.startswith("MM")
    assert len(twilio.messages.list()) == 2
    summary = carrier.summary()
    assert sum(summary.pop("by_status").values()) == 1
    assert summary == {
        "accepted": 1,
        "recipients": 1,
        "most_to_one": 1,
        "repeated": {},
        "inbound": 1,
    }


def test_a_text_to_an_unknown_number_is_refused(carrier: Client) -> None:
    with pytest.raises(ControlFailed, match="not registered"):
        carrier.text(PHONE, "+12025550199", "Hello")

    assert carrier.summary(direction="inbound")["accepted"] == 0


@pytest.mark.parametrize(
    ("number", "bodies"),
    [
        ("+14155550177", ["YES"]),
        ("+14155550178", ["STOP"]),
        ("+14155550180", ["please stop texting me"]),
        ("+14155550150", []),
    ],
)
def test_scripted_numbers_reply(
    twilio: TwilioClient,
    carrier: Client,
    receiver: Receiver,
    settled: Settled,
    number: str,
    bodies: list[str],
) -> None:
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound")

    _send(twilio, to=number)
    settled()

    assert [one.params["Body"] for one in receiver.at("/inbound")] == bodies
    assert all(one.params["From"] == number for one in receiver.requests)


def test_a_question_has_a_question_mark(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound")

    _send(twilio, to="+14155550179")
    settled()

    (reply,) = receiver.at("/inbound")
    assert reply.params["Body"].endswith("?")


def test_stop_blocks_the_phone_for_that_number_until_start(
    twilio: TwilioClient, carrier: Client
) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    carrier.text(PHONE, OUR_NUMBER, " stop\n")

    with pytest.raises(TwilioRestException) as caught:
        _send(twilio)
    assert (caught.value.status, caught.value.code) == (400, 21610)
    assert carrier.summary()["accepted"] == 0
    twilio.messages.create(to=PHONE, from_="+12025550191", body="Hi")
    _send(twilio, to="+14155550101")

    carrier.text(PHONE, OUR_NUMBER, "START")
    _send(twilio)
    assert carrier.recipients() == {PHONE: 2, "+14155550101": 1}


def test_stop_please_is_no_keyword_for_the_carrier(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)

    carrier.text(PHONE, OUR_NUMBER, "Stop please")
    _send(twilio)

    assert carrier.recipients() == {PHONE: 1}


def test_the_block_is_a_switch(twilio: TwilioClient, carrier: Client) -> None:
    carrier.set(opt_out_block=False)
    carrier.add_number(OUR_NUMBER, SID)
    carrier.text(PHONE, OUR_NUMBER, "STOP")

    _send(twilio)
    carrier.set(opt_out_block=True)
    with pytest.raises(TwilioRestException):
        _send(twilio)

    assert carrier.recipients() == {PHONE: 1}


def test_the_carrier_can_confirm_a_stop_itself(carrier: Client) -> None:
    carrier.set(opt_out_reply=True)
    carrier.add_number(OUR_NUMBER, SID)

    carrier.text(PHONE, OUR_NUMBER, "STOP")
    carrier.text(PHONE, OUR_NUMBER, "STOP")

    (confirmation,) = carrier.messages(direction="outbound-reply")
    assert confirmation["body"].startswith("You have successfully been unsubscribed.")
    assert (confirmation["to"], confirmation["from"]) == (PHONE, OUR_NUMBER)
    assert carrier.summary()["accepted"] == 0


def test_a_twiml_answer_is_texted_back(
    carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound")
    twiml = "<Response><Message>Hi!</Message><Message><Body>More</Body></Message></Response>"
    receiver.answer("/inbound", (200, twiml), (200, "<Response/>"), (200, "<Response><Message>"))

    for _ in range(3):
        carrier.text(PHONE, OUR_NUMBER, "Hello")
        settled()

    replies = carrier.messages(direction="outbound-reply")
    assert [one["body"] for one in replies] == ["Hi!", "More"]
    assert carrier.summary()["accepted"] == 0


def test_people_and_robots_fetch_links(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.set(link_prefixes=[f"{receiver.url}/l/"])
    receiver.answer("/l/81", (302, ""))

    for number in (81, 82, 83, 84, 85, 50):
        body = f"See {receiver.url}/l/{number}. Also {receiver.url}/other http://192.0.2.1/x"
        _send(twilio, to=f"+141555501{number}", body=body)
    settled()

    hits = Counter((one["url"].rpartition("/")[2], one["kind"]) for one in carrier.clicks())
    robots = {name: hits.pop((name, "preview")) for name in ("82", "83")}
    assert hits == {
        ("81", "human"): 1,
        ("83", "human"): 1,
        ("84", "human"): 2,
        ("85", "scanner"): 2,
    }
    # A robot asks GET, or HEAD and then GET.
    assert all(count in (1, 2) for count in robots.values())
    assert len(receiver.requests) == 6 + sum(robots.values())
    assert {one.path for one in receiver.requests} == {f"/l/{n}" for n in (81, 82, 83, 84, 85)}
    (tap,) = carrier.clicks(to="+14155550181")
    assert (tap["method"], tap["status"], tap["phone"]) == ("GET", 302, "+14155550181")
    assert "Mobile" in receiver.at("/l/81")[0].headers["user-agent"]
    robot_agents = {one.headers["user-agent"] for one in receiver.at("/l/82")}
    assert len(robot_agents) == 1
    assert not any("Mobile" in agent for agent in robot_agents)
    first, second, *_ = receiver.at("/l/85")
    assert {first.method, second.method} == {"HEAD", "GET"}


def test_a_robot_comes_before_the_person_and_the_reply_last(
    twilio: TwilioClient, carrier: Client, receiver: Receiver, settled: Settled
) -> None:
    carrier.set(link_prefixes=[receiver.url])
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound")

    _send(twilio, to="+14155550183", body=f"{receiver.url}/a")
    _send(twilio, to="+14155550186", body=f"{receiver.url}/b")
    settled()

    kinds = [one["kind"] for one in carrier.clicks(to="+14155550183")]
    assert kinds[0] == "preview"
    assert kinds[-1] == "human"
    assert [one.path for one in receiver.requests if one.path in ("/b", "/inbound")] == [
        "/b",
        "/inbound",
    ]


def test_without_prefixes_no_link_is_fetched(
    twilio: TwilioClient, receiver: Receiver, carrier: Client
) -> None:
    _send(twilio, to="+14155550183", body=f"{receiver.url}/a")

    assert carrier.flush()["idle"] is True

    assert receiver.requests == []
    assert carrier.clicks() == []


def _read(carrier: Client, path: str) -> Any:
    with urllib.request.urlopen(f"{carrier.base_url}/sim/{path}", timeout=10) as response:
        return json.loads(response.read())


def test_the_page_lists_phones_and_a_thread(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    _send(twilio, body="First")
    _send(twilio, to="+14155550101", body="To another")
    _send(twilio, to="+14155550151", body="To a landline")
    carrier.flush()
    carrier.text(PHONE, OUR_NUMBER, "Thanks")

    phones = [(one["phone"], one["body"], one["typed"]) for one in _read(carrier, "phones.json")]
    thread = [
        (one["body"], one["typed"]) for one in _read(carrier, "thread.json?phone=%2B14155550100")
    ]
    found = [one["phone"] for one in _read(carrier, "phones.json?search=550101")]

    assert phones == [(PHONE, "Thanks", True), ("+14155550101", "To another", False)]
    assert thread == [("First", False), ("Thanks", True)]
    assert found == ["+14155550101"]
    with urllib.request.urlopen(f"{carrier.base_url}/sim/phones", timeout=10) as response:
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert b"<title>Phones</title>" in response.read()
