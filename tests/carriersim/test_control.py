"""The control API: record, statistics, pausing, flushing, resetting, remembering."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as TwilioClient

from carriersim.client import Client, ControlFailed
from carriersim.process import running
from tests.carriersim.conftest import OUR_NUMBER, PHONE, SID, TOKEN, LocalHttpClient, Receiver


def _send(twilio: TwilioClient, *, to: str = PHONE, body: str = "Hi", **extra: Any) -> str:
    return str(twilio.messages.create(to=to, from_=OUR_NUMBER, body=body, **extra).sid)


def test_the_record_counts_by_recipient(twilio: TwilioClient, carrier: Client) -> None:
    other = "+14155550101"
    for phone in (PHONE, other, PHONE, PHONE):
        _send(twilio, to=phone)
    _send(twilio, to="+14155550151")
    carrier.flush()

    assert carrier.summary() == {
        "accepted": 5,
        "recipients": 3,
        "most_to_one": 3,
        "repeated": {PHONE: 3},
        "by_status": {"delivered": 4, "undelivered": 1},
        "inbound": 0,
    }
    assert carrier.recipients() == {PHONE: 3, other: 1, "+14155550151": 1}


def test_the_record_tells_each_message(
    twilio: TwilioClient, carrier: Client, receiver: Receiver
) -> None:
    sid = _send(twilio, body="Caf\u00e9", status_callback=f"{receiver.url}/s#rc=1")
    carrier.flush()

    (line,) = carrier.messages()

    assert line["created_at"] <= line["sent_at"] <= line["final_at"]
    for moment in ("created_at", "sent_at", "final_at"):
        del line[moment]
    assert line == {
        "sid": sid,
        "account_sid": SID,
        "to": PHONE,
        "from": OUR_NUMBER,
        "body": "Caf\u00e9",
        "direction": "outbound-api",
        "status": "delivered",
        "error_code": None,
        "num_segments": 1,
        "status_callback": f"{receiver.url}/s#rc=1",
        "deleted": False,
        "callbacks_ok": 2,
        "media": [],
        "fetched": [],
    }


def test_the_record_is_filtered(twilio: TwilioClient, carrier: Client) -> None:
    _send(twilio, body="one")
    _send(twilio, to="+14155550101", body="two")
    first, second = carrier.messages()

    def bodies(**filters: Any) -> list[str]:
        return [one["body"] for one in carrier.messages(**filters)]

    assert bodies(to=PHONE) == ["one"]
    assert bodies(sender=OUR_NUMBER) == ["one", "two"]
    assert bodies(sender="+12025550191") == []
    assert bodies(since=second["created_at"]) == ["two"]
    assert bodies(until=first["created_at"]) == ["one"]
    assert bodies(account_sid="AC" + "0" * 32) == []
    assert bodies(direction="inbound") == []
    assert bodies(direction="all") == ["one", "two"]


def test_a_long_record_is_streamed_whole(twilio: TwilioClient, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    for place in range(1200):
        carrier.text(PHONE, OUR_NUMBER, str(place))

    bodies = [one["body"] for one in carrier.messages(direction="inbound")]

    assert bodies == [str(place) for place in range(1200)]


def test_statistics_count_what_was_refused(twilio: TwilioClient, carrier: Client) -> None:
    for number in ("+14155550157", "+14155550157", "+14155550158", "+14155550172"):
        with pytest.raises(TwilioRestException):
            _send(twilio, to=number)
    _send(twilio)

    stats = carrier.stats()

    assert stats["accepted"] == 1
    assert stats["refused"] == {"21610": 2, "21211": 1}
    assert stats["faults"] == {"server_error": 1}


def test_pause_holds_callbacks_back_but_not_statuses(
    twilio: TwilioClient,
    carrier: Client,
    receiver: Receiver,
    settled: Callable[[], dict[str, Any]],
) -> None:
    carrier.set(speed=1000)
    carrier.pause()
    sid = _send(twilio, status_callback=f"{receiver.url}/status")

    while twilio.messages(sid).fetch().status != "delivered" or not carrier.stats()["queued"]:
        time.sleep(0.01)
    assert carrier.stats()["queued"] == 1
    assert receiver.requests == []
    assert carrier.stats()["paused"] is True

    carrier.resume()
    settled()

    assert receiver.statuses("/status") == ["sent", "delivered"]


def test_flush_brings_everything_to_its_end_at_once(
    twilio: TwilioClient, carrier: Client, receiver: Receiver
) -> None:
    hour = [3600, 3600]
    carrier.set(
        delays=dict.fromkeys(("sent", "final", "preview", "click", "reply"), hour),
        link_prefixes=[receiver.url],
    )
    carrier.add_number(OUR_NUMBER, SID, f"{receiver.url}/inbound")
    sid = _send(
        twilio,
        to="+14155550186",
        body=f"{receiver.url}/link",
        status_callback=f"{receiver.url}/status",
    )
    assert twilio.messages(sid).fetch().status == "queued"
    assert carrier.stats()["scheduled"] == 3

    stats = carrier.flush()

    assert (stats["idle"], stats["scheduled"]) == (True, 0)
    assert twilio.messages(sid).fetch().status == "delivered"
    assert receiver.statuses("/status") == ["sent", "delivered"]
    assert len(receiver.at("/link")) == 1
    assert [one.params["Body"] for one in receiver.at("/inbound")] == ["YES"]


def test_flush_gives_up_after_its_timeout(twilio: TwilioClient, carrier: Client) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/status"
        _send(twilio, to="+14155550161", status_callback=url)

        stats = carrier.flush(timeout_s=0.2)

    assert (stats["idle"], stats["in_flight"]) == (False, 1)


def test_reset_forgets_messages_and_outstanding_events(
    twilio: TwilioClient, carrier: Client, receiver: Receiver
) -> None:
    carrier.set(seed=99)
    carrier.add_number(OUR_NUMBER, SID)
    sid = _send(twilio, status_callback=f"{receiver.url}/status")
    carrier.text(PHONE, OUR_NUMBER, "STOP")

    stats = carrier.reset()

    assert (stats["accepted"], stats["idle"]) == (0, True)
    assert carrier.summary(direction="all")["accepted"] == 0
    assert carrier.settings()["seed"] == 99
    with pytest.raises(TwilioRestException):
        twilio.messages(sid).fetch()
    again = _send(twilio)
    assert again != sid
    assert carrier.flush()["callbacks"]["ok"] == 0
    assert receiver.requests == []
    carrier.reset(settings=True)
    assert carrier.settings()["seed"] == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sped": 2}, "Unknown setting: sped"),
        ({"speed": 0}, "speed must be"),
        ({"speed": "fast"}, "speed must be"),
        ({"callbacks": 1}, "callbacks must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"lost_answer": "gone"}, "lost_answer must be"),
        ({"link_prefixes": ["ftp://x"]}, "link_prefixes must be"),
        ({"scripts": {"0007": "nothing"}}, "scripts.0007 must be"),
        ({"scripts": {"x": "landline"}}, "scripts.x must be"),
        ({"delays": {"sent": [2, 1]}}, "delays.sent must be"),
        ({"delays": {"later": [1, 2]}}, "Unknown setting: delays.later"),
        ({"profile": {"reply_share": 1.1}}, "profile.reply_share must be"),
        ({"profile": {"outcomes": {"lost": 0.1}}}, "profile.outcomes must be"),
        ({"profile": {"outcomes": {"landline": 0.6, "filtered": 0.6}}}, "add up to at most 1"),
        ({"profile": {"replies": {"YES": 0}}}, "profile.replies must be"),
    ],
)
def test_an_impossible_setting_is_named_and_changes_nothing(
    carrier: Client, changes: dict[str, Any], sentence: str
) -> None:
    before = carrier.settings()

    with pytest.raises(ControlFailed, match=sentence):
        carrier.set(**{"seed": 5, **changes})

    assert carrier.settings() == before


def test_settings_are_merged_key_by_key(carrier: Client) -> None:
    carrier.set(delays={"sent": [1, 2]}, profile={"outcomes": {"landline": 0.5}})
    carrier.set(speed=10, profile={"outcomes": {"filtered": 0.25}, "click_share": 0.1})

    settings = carrier.settings()

    assert settings["speed"] == 10
    assert settings["delays"]["sent"] == [1, 2]
    assert settings["delays"]["final"] == [0.02, 0.03]
    assert settings["profile"]["outcomes"] == {"filtered": 0.25}
    assert settings["profile"]["click_share"] == 0.1


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("reset", b"{}", "text/plain", 415),
        ("reset", b"[]", "application/json", 400),
        ("reset", b"{", "application/json", 400),
        ("nothing", b"{}", "application/json", 404),
        ("numbers", b'{"number": "+12025550190"}', "application/json", 400),
        ("numbers", b'{"number": "+1", "account_sid": "AC1"}', "application/json", 404),
        ("accounts", b'{"sid": "AC1", "auth_token": "x"}', "application/json", 400),
        ("reset", b" " * 1100000, "application/json", 413),
    ],
)
def test_bad_control_requests_do_nothing(
    twilio: TwilioClient, carrier: Client, path: str, body: bytes, content_type: str, status: int
) -> None:
    _send(twilio)
    request = urllib.request.Request(
        f"{carrier.base_url}/sim/{path}", data=body, headers={"Content-Type": content_type}
    )

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)

    with caught.value as error:
        assert error.code == status
        assert json.loads(error.read())["error"]
    assert carrier.summary()["accepted"] == 1


def test_a_restart_remembers_what_was_accepted(tmp_path: Path) -> None:
    def client(carrier: Client) -> TwilioClient:
        return TwilioClient(SID, TOKEN, http_client=LocalHttpClient(carrier.base_url))

    with running(accounts={SID: TOKEN}, data_dir=tmp_path, settings={"speed": 1e6}) as carrier:
        carrier.add_number(OUR_NUMBER, SID, "http://127.0.0.1:9/inbound")
        kept = _send(client(carrier), to="+14155550151", body="Caf\u00e9")
        redacted, deleted = _send(client(carrier)), _send(client(carrier))
        carrier.flush()
        client(carrier).messages(redacted).update(body="")
        client(carrier).messages(deleted).delete()
        carrier.text("+14155550107", OUR_NUMBER, "STOP")
        before = carrier.messages(direction="all")
    with (tmp_path / "record.jsonl").open("ab") as file:
        file.write(b'{"fact": "mess')

    with running(accounts={}, data_dir=tmp_path) as carrier:
        after = carrier.messages(direction="all")
        message = client(carrier).messages(kept).fetch()
        assert (message.status, message.error_code, message.body) == (
            "undelivered",
            30006,
            "Caf\u00e9",
        )
        assert client(carrier).messages(redacted).fetch().body == ""
        with pytest.raises(TwilioRestException):
            client(carrier).messages(deleted).fetch()
        with pytest.raises(TwilioRestException) as caught:
            _send(client(carrier), to="+14155550107")
        assert caught.value.code == 21610
        new = _send(client(carrier), body="new")

    with running(accounts={}, data_dir=tmp_path) as carrier:
        assert [one["sid"] for one in carrier.messages(direction="all")] == [
            *(one["sid"] for one in before),
            new,
        ]
    for one in (*before, *after):
        del one["callbacks_ok"]
    assert after == before


def test_the_server_stops_while_it_holds_an_answer_back() -> None:
    with running(accounts={SID: TOKEN}) as carrier:
        twilio = TwilioClient(SID, TOKEN, http_client=LocalHttpClient(carrier.base_url))
        asking = threading.Thread(target=_send_and_fail, args=(twilio,))
        asking.start()
        while carrier.stats()["accepted"] == 0:
            time.sleep(0.01)
        started = time.monotonic()

    assert time.monotonic() - started < 8
    asking.join(5)
    assert not asking.is_alive()
    assert not carrier.is_up()


def _send_and_fail(twilio: TwilioClient) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        _send(twilio, to="+14155550168")
