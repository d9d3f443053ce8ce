"""Media: fetched where it is told to, judged as a carrier judges it, kept where a phone sent it."""

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as TwilioClient

from carriersim.client import Client, ControlFailed
from carriersim.media import POINT
from tests.carriersim.conftest import OUR_NUMBER, PHONE, SID, TOKEN

FILES = {
    "/ok.gif": (200, "image/gif", POINT),
    "/page": (200, "text/html", b"<p>"),
    "/large.jpg": (200, "image/jpeg", b"x" * 5_000_001),
    "/gone.png": (404, "image/png", b""),
}


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, kind, data = FILES[self.path]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    """Where our pictures would be."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _send(twilio: TwilioClient, *urls: str, body: str = "x" * 400) -> Any:
    return twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body=body, media_url=list(urls))


def test_a_message_with_media_is_one_unit_and_recorded(
    twilio: TwilioClient, carrier: Client
) -> None:
    sent = _send(twilio, "https://shop.example/a.gif", "https://shop.example/b.gif")

    (taken,) = carrier.messages()
    assert (sent.num_segments, sent.num_media) == ("1", "2")
    assert sent.sid.startswith("MM")
    assert taken["media"] == ["https://shop.example/a.gif", "https://shop.example/b.gif"]
    assert (taken["num_segments"], taken["fetched"]) == (1, [])


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("/ok.gif", "/ok.gif"), None),
        (("/ok.gif", "/page"), 12300),
        (("/large.jpg",), 30019),
        (("/gone.png",), 11200),
    ],
)
def test_media_are_fetched_and_judged(
    names: tuple[str, ...], code: int | None, twilio: TwilioClient, carrier: Client, files: str
) -> None:
    carrier.set(fetch_media=True)

    sid = _send(twilio, *(files + name for name in names)).sid
    carrier.flush()

    (taken,) = carrier.messages()
    assert [one["url"] for one in taken["fetched"]] == [files + name for name in names]
    assert [one["status"] for one in taken["fetched"]] == [FILES[name][0] for name in names]
    fetched = twilio.messages(sid).fetch()
    assert (fetched.status, fetched.error_code) == ("failed" if code else "delivered", code)


def test_an_address_nobody_answers_fails_too(twilio: TwilioClient, carrier: Client) -> None:
    carrier.set(fetch_media=True)

    _send(twilio, "http://127.0.0.1:9/a.gif")
    carrier.flush()

    (taken,) = carrier.messages()
    assert (taken["status"], taken["error_code"]) == ("failed", 11200)
    assert taken["fetched"][0]["status"] == 0


@pytest.mark.parametrize(
    ("urls", "code"), [(["not an address"], 21620), (["https://a.example/x"] * 11, 21623)]
)
def test_media_that_cannot_be_are_refused(
    urls: list[str], code: int, twilio: TwilioClient, carrier: Client
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        _send(twilio, *urls)

    assert refused.value.code == code
    assert carrier.messages() == []


def test_what_a_phone_sent_is_given_to_its_account_alone(carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    shown = carrier.text(PHONE, OUR_NUMBER, "", media=[("audio/amr", b"#!AMR")])
    folder = f"/2010-04-01/Accounts/{SID}/Messages/{shown['sid']}/Media"

    def asked(path: str, token: str) -> tuple[int, str, bytes]:
        login = base64.b64encode(f"{SID}:{token}".encode()).decode()
        request = urllib.request.Request(
            carrier.base_url + path, headers={"Authorization": f"Basic {login}"}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", b""

    assert asked(f"{folder}/ME{0:032x}", TOKEN) == (200, "audio/amr", b"#!AMR")
    assert asked(f"{folder}/ME{1:032x}", TOKEN)[0] == 404
    assert asked(f"{folder}/ME{0:032x}", "wrong")[0] == 401


@pytest.mark.parametrize("media", [11, -1, "one", [{"content_type": 1}], [{"base64": "?"}]])
def test_files_that_cannot_be_are_refused(media: Any, carrier: Client) -> None:
    carrier.add_number(OUR_NUMBER, SID)

    with pytest.raises(ControlFailed, match="media a number up to 10"):
        carrier._call(
            "POST", "inbound", {"from": PHONE, "to": OUR_NUMBER, "body": "", "media": media}
        )
