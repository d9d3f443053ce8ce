"""Webhooks that are signed and make no sense: never a 5xx, and nothing behind them waits."""

import base64
import hashlib
import hmac
import json
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import Account, User
from contacts.models import OptOut
from messaging.choices import EventEnd, MessageState
from messaging.gateways.twilio_webhooks import form_pairs, signed_text
from messaging.models import (
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.receipts.apply import events_apply
from messaging.recounting import differences
from tests.edge.conftest import EdgeClient, Reply
from tests.receipts.conftest import MakeBatch
from tests.stack import Stack
from tracking.models import Click

pytestmark = pytest.mark.django_db(transaction=True)

FORMS: Final[dict[str, bytes]] = {
    "empty": b"",
    "only signs": b"&&&==&",
    "nul": b"AccountSid=%00%00&MessageSid=%00&MessageStatus=%00&Body=%00",
    "no charset": b"\xff\xfe\x00\x01Body=\xe9\xa0" * 20,
    "half a character": b"Body=%ED%A0%80&MessageStatus=%F0%9F",
    "repeated": b"MessageSid=a&MessageSid=b&MessageStatus=sent&MessageStatus=delivered",
    "beyond bigint": b"ErrorCode=9999999999999999999999&NumSegments=99999999999999999999",
    "negative": b"NumSegments=-3&NumMedia=-1&ErrorCode=-1",
    "long word": b"MessageStatus=" + b"x" * 60_000,
    "many names": b"".join(b"%d=1&" % at for at in range(6_000)),
    "separators": b"MessageSid=%1F%1F&MessageStatus=%1Fsent%1F&AccountSid=%1F",
    "looks like JSON": b'{"MessageStatus": "delivered"}',
    "stray signs": b"Body=%&MessageStatus=%zz&From=%",
}
JSONS: Final[dict[str, bytes]] = {
    "list": b"[1, 2, null]",
    "word": b'"delivered"',
    "nested words": b'{"MessageStatus": {"a": [1]}, "MessageSid": ["x", 2], "events": {}}',
    "huge number": b'{"MessageSid": 1' + b"0" * 300 + b', "ErrorCode": 1e99}',
    "beyond what Python reads": b'{"ErrorCode": 1' + b"0" * 5_000 + b"}",
    "infinite": b'{"ErrorCode": 1e999}',
    "not a number": b'{"ErrorCode": NaN}',
    "deep": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "nul in names": b'{"\\u0000a\\u0000": "\\u0000", "\\ud800": "\\udfff"}',
    "taps of nothing": b'{"events": [1, null, {"data": 3}, {"data": {"sms_sid": [1], "link": 2}}]}',
}


def _form(edge: EdgeClient, path: str, body: bytes) -> Reply:
    return _post(edge, path, body, "application/x-www-form-urlencoded", form_pairs(body))


def _json(edge: EdgeClient, path: str, body: bytes) -> Reply:
    path = f"{path}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    return _post(edge, path, body, "application/json", [])


def _post(
    edge: EdgeClient, path: str, body: bytes, kind: str, pairs: list[tuple[str, str]]
) -> Reply:
    signed = f"{edge.url}{path}{signed_text(pairs)}".encode("utf-8", "replace")
    digest = hmac.digest(django_settings.TWILIO_AUTH_TOKEN.encode(), signed, "sha1")
    headers = {"Content-Type": kind, "X-Twilio-Signature": base64.b64encode(digest).decode()}
    return edge.request(path, method="POST", body=body, headers=headers)


def test_hostile_payloads_are_kept_set_aside_and_hold_up_nothing(
    stack: Stack,
    nothing_goes_out: None,
    make_batch: MakeBatch,
    carrier: CarrierAccount,
    sender: SenderNumber,
    account: Account,
) -> None:
    edge = EdgeClient(stack.edge_url)
    (message,) = make_batch(1)
    ours = f"/webhooks/twilio/{carrier.pk}"
    paths = (f"{ours}/status/{message.pk}-1", f"{ours}/inbound", f"{ours}/clicks")

    answers: dict[tuple[str, str], int] = {}
    for path in paths:
        for name, body in FORMS.items():
            answers[path, name] = _form(edge, path, body).status
        for name, body in JSONS.items():
            answers[path, name] = _json(edge, path, body).status
    stop = {
        "AccountSid": carrier.external_id,
        "MessageSid": "SM" + "5" * 32,
        "From": message.phone,
        "To": sender.phone,
        "Body": "STOP",
    }
    assert edge.post_form(paths[1], stop).status == 200

    unreadable = {"beyond what Python reads", "infinite", "not a number", "deep"}
    for (path, name), status in answers.items():
        stored = 200 if path.endswith("inbound") else 204
        assert status == (400 if name in unreadable else stored), (path, name)
    kept = len(paths) * (len(FORMS) + len(JSONS) - len(unreadable)) + 1
    assert CarrierEvent.objects.count() == kept
    assert edge.health()["events"]["unstorable"] == 0

    events_apply()

    assert not CarrierEventQueue.objects.exists()
    aside = CarrierEvent.objects.filter(ended=EventEnd.SET_ASIDE)
    assert aside.count() == kept - 1
    assert not aside.filter(error="").exists()
    message.refresh_from_db()
    assert (message.state, message.opted_out_at is not None) == (MessageState.ACCEPTED, True)
    assert OptOut.objects.get(account=account).phone == message.phone
    assert Message.objects.filter(direction="in").count() == 1
    assert not Click.objects.exists()
    assert differences() == []
    _staff_see(aside)


def _staff_see(aside: Any) -> None:
    """Every one of them, whatever it holds."""
    staff = Client()
    staff.force_login(User.objects.create_superuser("staff@example.com", "not-used-here"))
    listed = staff.get("/staff/messaging/carrierevent/?all=")
    assert listed.context["cl"].result_count == aside.count()
    for event in aside:
        assert json.dumps(event.payload)
        page = staff.get(f"/staff/messaging/carrierevent/{event.pk}/change/")
        assert page.status_code == 200
