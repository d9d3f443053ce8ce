"""Files that came in: fetched from the carrier that brought them, and from nowhere else."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from django.core.files.storage import default_storage

from accounts.models import Account, User
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact
from contacts.services import person_erase
from messaging import inbound_media
from messaging.choices import BatchKind, Direction, InboundMediaState
from messaging.gateways.twilio_webhooks import parse_inbound
from messaging.inbound_media import MOST_TRIES, inbound_media_fetch
from messaging.models import (
    Batch,
    CarrierAccount,
    InboundMedia,
    Media,
    Message,
    SenderNumber,
)
from messaging.receipts.inbound import inbound_file
from messaging.retention import texts_remove
from messaging.services import media_upload, message_send
from messaging.services.media import media_sweep
from tests.messaging.conftest import send_all
from tests.pictures import opened, picture

pytestmark = pytest.mark.django_db

CAROL = "+12025550140"
STORED, REFUSED, WAITING = (
    InboundMediaState.STORED,
    InboundMediaState.REFUSED,
    InboundMediaState.WAITING,
)


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def arrive(sender: SenderNumber, sim: Client) -> Any:
    """`arrive(body, media=[(type, bytes)])`: a phone's text, as its webhook is filed."""
    sim.add_number(sender.phone, sender.carrier_account.external_id)

    def _arrive(body: str = "", *, media: Any = (), **changed: str) -> Message:
        shown = sim.text(CAROL, sender.phone, body, media=list(media))
        folder = f"{sim.base_url}{shown['subresource_uris']['media'].removesuffix('.json')}"
        payload = {
            "MessageSid": shown["sid"],
            "AccountSid": sender.carrier_account.external_id,
            "From": CAROL,
            "To": sender.phone,
            "Body": body,
            "NumSegments": "1",
            "NumMedia": str(len(media)),
            **{f"MediaUrl{n}": f"{folder}/ME{n:032x}" for n in range(len(media))},
            **changed,
        }
        message = inbound_file(
            carrier_account=sender.carrier_account, text=parse_inbound(payload), at=now()
        )
        assert message is not None
        return message

    return _arrive


def rows() -> list[tuple[str, str]]:
    return list(InboundMedia.objects.order_by("message_id", "n").values_list("state", "error"))


def due() -> None:
    InboundMedia.objects.update(not_before=now() - timedelta(seconds=1))


def test_pictures_are_stored_in_the_account_and_the_text_stays_text(
    arrive: Any, account: Account
) -> None:
    message = arrive("Is this yours?", media=[("image/jpeg", picture()), ("image/png", b"")])

    assert (message.body, rows()) == ("Is this yours?", [(WAITING, "")] * 2)
    assert inbound_media_fetch() == 2

    first, second = InboundMedia.objects.select_related("media").order_by("n")
    assert (first.state, first.url) == (STORED, "")
    assert first.media is not None
    assert (first.media.account_id, first.media.content_type) == (account.pk, "image/jpeg")
    with default_storage.open(first.media.path) as file:
        assert opened(file.read()).size == (40, 30)
    # Said to be a picture and none: only ever saved.
    assert second.media is not None
    assert second.media.content_type == "application/octet-stream"
    assert inbound_media_fetch() == 0


def test_a_picture_alone_is_no_text_that_was_removed(arrive: Any) -> None:
    message = arrive(media=[("image/gif", picture("GIF"))])

    assert (message.body, message.is_text_removed) == ("", False)


def test_other_files_keep_what_the_carrier_calls_them(arrive: Any) -> None:
    arrive(media=[("audio/amr", b"#!AMR"), ("text/html", b"<p>"), ("X/y?z", b"?")])

    inbound_media_fetch()

    kinds = Media.objects.order_by("pk").values_list("content_type", flat=True)
    assert list(kinds) == ["audio/amr", "text/html", "application/octet-stream"]
    assert [media.is_picture for media in Media.objects.all()] == [False] * 3


def test_what_is_too_large_is_refused_and_said(arrive: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(inbound_media, "LIMIT_BYTES", 200_000)
    arrive(media=[("video/mp4", b"x" * 200_000), ("video/mp4", b"x" * 200_001)])

    assert inbound_media_fetch() == 1

    assert rows() == [(STORED, ""), (REFUSED, "It has more than 0.2 MB.")]
    assert Media.objects.count() == 1


class _Elsewhere(BaseHTTPRequestHandler):
    asked: ClassVar[list[Any]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"secret")

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[Any]]]:
    """A server of somebody else's, and what it was asked."""

    class Handler(_Elsewhere):
        asked: ClassVar[list[Any]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Handler.asked
    server.shutdown()


@pytest.mark.parametrize(
    "url",
    [
        "{there}/2010-04-01/Accounts/{sid}/Messages/MM{0}/Media/ME{0}",
        "{here}/2010-04-01/Accounts/{other}/Messages/MM{0}/Media/ME{0}",
        "{here}/2010-04-01/Accounts/{sid}/Messages/../../../sim/settings",
        "{here}@{there_host}/2010-04-01/Accounts/{sid}/Messages/MM{0}/Media/ME{0}",
        "{here}/2010-04-01/Accounts/{sid}/Messages/MM{0}/Media/ME{0}?x=1",
        "file:///etc/passwd",
    ],
)
def test_no_other_address_is_ever_asked(
    url: str, arrive: Any, sender: SenderNumber, sim: Client, elsewhere: tuple[str, list[Any]]
) -> None:
    there, asked = elsewhere
    arrive(
        "Look",
        NumMedia="1",
        MediaUrl0=url.format(
            "0" * 32,
            there=there,
            there_host=there.removeprefix("http://"),
            here=sim.base_url,
            sid=sender.carrier_account.external_id,
            other="AC" + "f" * 32,
        ),
    )

    assert inbound_media_fetch() == 0

    assert rows() == [(REFUSED, "Its address is not one of this carrier.")]
    assert (asked, Media.objects.count()) == ([], 0)


def test_a_carrier_that_sends_us_elsewhere_is_not_followed(
    arrive: Any, sender: SenderNumber, elsewhere: tuple[str, list[Any]], monkeypatch: Any
) -> None:
    there, asked = elsewhere
    answers = {"first": f"{there}/inside"}
    monkeypatch.setattr(inbound_media, "_asked", lambda url, headers: answers["first"])
    arrive(media=[("image/gif", picture("GIF"))])

    assert inbound_media_fetch() == 0

    assert rows() == [(REFUSED, "The carrier keeps it at a place we do not know.")]
    assert asked == []


@pytest.mark.parametrize("where", ["http://[", "https://x.twilio.com:port/", "https://[::1"])
def test_a_place_that_is_no_address_is_refused(where: str, arrive: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(inbound_media, "_asked", lambda url, headers: where)
    arrive(media=[("image/gif", picture("GIF"))])

    assert inbound_media_fetch() == 0

    assert rows() == [(REFUSED, "The carrier keeps it at a place we do not know.")]


def test_a_try_is_counted_when_the_file_is_asked_for_and_not_before(
    arrive: Any, monkeypatch: Any
) -> None:
    tried: list[list[int]] = []
    really = inbound_media._fetched

    def watched(one: InboundMedia) -> Any:
        tried.append(list(InboundMedia.objects.order_by("n").values_list("tries", flat=True)))
        return really(one)

    monkeypatch.setattr(inbound_media, "_fetched", watched)
    arrive(media=[("image/gif", picture("GIF")), ("image/png", picture("PNG"))])

    assert inbound_media_fetch() == 2

    assert tried == [[1, 0], [1, 1]]


def test_one_that_cannot_be_stored_does_not_keep_the_others(arrive: Any, monkeypatch: Any) -> None:
    arrive(media=[("image/gif", picture("GIF")), ("image/png", picture("PNG"))])
    really = default_storage.save

    def full(name: str, content: Any) -> str:
        if content.read(3) == b"GIF":
            raise OSError(28, "No space left on device")
        return str(really(name, content))

    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "save", full)
        assert inbound_media_fetch() == 1
    assert rows() == [(WAITING, ""), (STORED, "")]

    due()
    assert inbound_media_fetch() == 1
    assert rows() == [(STORED, "")] * 2


def test_the_login_goes_to_the_carrier_and_no_further(arrive: Any, monkeypatch: Any) -> None:
    asked: list[tuple[str, bool]] = []
    really = inbound_media._asked

    def watched(url: str, headers: dict[str, str]) -> Any:
        asked.append((url.split("/")[3], "Authorization" in headers))
        return really(url, headers)

    monkeypatch.setattr(inbound_media, "_asked", watched)
    arrive(media=[("image/gif", picture("GIF"))])

    assert inbound_media_fetch() == 1

    assert asked == [("2010-04-01", True), ("sim", False)]


def test_what_cannot_be_had_now_is_tried_again_ever_later(
    arrive: Any, sender: SenderNumber
) -> None:
    carrier = CarrierAccount.objects.get(pk=sender.carrier_account_id)
    arrive(NumMedia="1", MediaUrl0=(
        f"{carrier.api_base_url}/2010-04-01/Accounts/{carrier.external_id}"
        f"/Messages/MM{'1' * 32}/Media/ME{'1' * 32}"
    ))  # fmt: skip

    waits = []
    for _ in range(MOST_TRIES):
        due()
        begun = now()
        assert inbound_media_fetch() == 0
        row = InboundMedia.objects.get()
        waits.append(round((row.not_before - begun).total_seconds()))

    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3840]
    assert (row.state, row.error) == (
        REFUSED,
        "The carrier did not give it, however often it was asked.",
    )
    due()
    assert inbound_media_fetch() == 0
    assert InboundMedia.objects.get().tries == MOST_TRIES


def test_a_text_that_is_removed_takes_its_files_along(
    arrive: Any, account: Account, sender: SenderNumber
) -> None:
    message = arrive(media=[("image/gif", picture("GIF"))])
    inbound_media_fetch()
    media = Media.objects.get()
    Account.objects.filter(pk=account.pk).update(keep_bodies_days=30)
    Message.objects.update(created_at=now() - timedelta(days=31))
    Media.objects.update(wanted_at=now() - timedelta(days=31))
    assert media_sweep() == 0

    texts_remove()
    Media.objects.update(wanted_at=now() - timedelta(days=31))

    assert not InboundMedia.objects.exists()
    assert media_sweep() == 1
    assert not default_storage.exists(media.path)
    fresh = Message.objects.get(pk=message.pk)
    assert (fresh.direction, fresh.is_text_removed) == (Direction.IN, True)


def test_erasing_a_person_takes_what_they_sent_and_what_was_sent_to_them_alone(
    arrive: Any, account: Account, alice: User, sender: SenderNumber
) -> None:
    carol = Contact.objects.create(account=account, phone=CAROL, first_name="Carol")
    arrive(media=[("image/gif", picture("GIF"))])
    inbound_media_fetch()
    theirs = Media.objects.get()
    ours = media_upload(account=account, actor=alice, data=picture())
    message_send(
        account=account, actor=alice, phone=CAROL, body="", kind=BatchKind.REPLY, sender=sender,
        request_key="1", media_ids=[ours.pk],
    )  # fmt: skip
    send_all()

    person_erase(account=account, actor=alice, contact_id=carol.pk)

    assert not InboundMedia.objects.exists()
    assert Batch.objects.get().media_ids == []
    # The file they sent goes with the next sweep, ours a day after it was last wanted.
    assert media_sweep() == 1
    assert not default_storage.exists(theirs.path)
    assert Media.objects.get() == ours
