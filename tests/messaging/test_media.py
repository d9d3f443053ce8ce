"""Pictures of an account: kept once, used, removed when nobody uses them, nobody else's."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Account, AuditEvent, User
from accounts.services import apikey_create
from campaigns.models import Blast, Campaign, SavedText
from common.clock import now
from common.errors import NotFound
from messaging.choices import BatchKind
from messaging.errors import MediaRefused
from messaging.models import Media, SenderNumber
from messaging.pictures import picture_made
from messaging.services import media_upload, media_wanted, message_send
from messaging.services.media import media_keep, media_sweep
from tests.pictures import opened, picture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def _unwanted_for(days: float, *media: Media) -> None:
    Media.objects.filter(pk__in=[one.pk for one in media]).update(
        wanted_at=now() - timedelta(days=days)
    )


def test_the_same_picture_is_kept_once_in_each_account(
    account: Account, other_account: Account, alice: User, charlie: User
) -> None:
    first = media_upload(account=account, actor=alice, data=picture())
    again = media_upload(account=account, actor=alice, data=picture())
    theirs = media_upload(account=other_account, actor=charlie, data=picture())

    assert (first.pk == again.pk, first.pk == theirs.pk) == (True, False)
    assert Media.objects.count() == 2
    assert (first.content_type, first.width, first.height) == ("image/jpeg", 40, 30)
    with default_storage.open(first.path) as file:
        kept = file.read()
    assert (len(kept), opened(kept).size) == (first.size_bytes, (40, 30))
    assert default_storage.exists(theirs.path)
    assert first.path != theirs.path
    assert AuditEvent.objects.filter(account=account, action="media.uploaded").count() == 2


def test_a_refused_upload_leaves_nothing(account: Account, alice: User) -> None:
    with pytest.raises(MediaRefused):
        media_upload(account=account, actor=alice, data=b"no picture")

    assert not Media.objects.exists()
    assert not AuditEvent.objects.filter(action="media.uploaded").exists()


def test_pictures_are_wanted_in_order_each_once(account: Account, alice: User) -> None:
    red, blue = (
        media_upload(account=account, actor=alice, data=picture(color=color))
        for color in ("red", "blue")
    )

    wanted = media_wanted(account=account, media_ids=[blue.pk, red.pk, blue.pk])

    assert wanted == [blue.pk, red.pk]


def test_nobody_wants_anothers_picture_or_too_many(
    account: Account, other_account: Account, alice: User, charlie: User
) -> None:
    theirs = media_upload(account=other_account, actor=charlie, data=picture())
    mine = [
        media_upload(account=account, actor=alice, data=picture(size=(10 + n, 10))).pk
        for n in range(6)
    ]

    with pytest.raises(NotFound):
        media_wanted(account=account, media_ids=[theirs.pk])
    with pytest.raises(MediaRefused, match="up to 5 pictures; these are 6"):
        media_wanted(account=account, media_ids=mine)
    assert media_wanted(account=account, media_ids=mine[:5]) == mine[:5]


def test_what_nothing_refers_to_goes_after_a_day(
    account: Account, alice: User, sender: SenderNumber
) -> None:
    campaign = Campaign.objects.create(account=account, name="Spring")
    drafted, thrown, saved, sent, unused, fresh = (
        media_upload(account=account, actor=alice, data=picture(size=(10 + n, 10)))
        for n in range(6)
    )
    Blast.objects.create(account=account, campaign=campaign, name="d", media_ids=[drafted.pk])
    Blast.objects.create(
        account=account, campaign=campaign, name="t", media_ids=[thrown.pk], state="canceled"
    )
    SavedText.objects.create(account=account, name="s", body="s", media_ids=[saved.pk])
    message_send(
        account=account, actor=alice, phone="+14155550100", body="", kind=BatchKind.REPLY,
        request_key="1", sender=sender, media_ids=[sent.pk],
    )  # fmt: skip
    _unwanted_for(1.1, drafted, thrown, saved, sent, unused)
    _unwanted_for(0.9, fresh)

    assert media_sweep() == 2

    kept = [drafted, saved, sent, fresh]
    assert set(Media.objects.values_list("pk", flat=True)) == {one.pk for one in kept}
    files = [default_storage.exists(one.path) for one in (*kept, thrown, unused)]
    assert files == [True] * 4 + [False] * 2
    # What is in use is not looked at again before tomorrow.
    assert media_sweep() == 0
    assert not Media.objects.filter(wanted_at__lt=now() - timedelta(days=1)).exists()


def test_a_picture_uploaded_again_after_it_went_is_there_again(
    account: Account, alice: User
) -> None:
    media = media_upload(account=account, actor=alice, data=picture())
    _unwanted_for(2, media)
    media_sweep()

    again = media_upload(account=account, actor=alice, data=picture())

    assert again.pk != media.pk
    assert default_storage.exists(again.path)


def test_what_came_in_is_sent_on_only_once_it_was_uploaded(
    account: Account, alice: User, sender: SenderNumber
) -> None:
    clean = picture_made(picture())
    uploaded = media_upload(account=account, actor=alice, data=picture(color="blue"))
    came, paper = (
        media_keep(account=account, actor=None, data=data, content_type=kind)
        for data, kind in ((clean.data, "image/jpeg"), (b"%PDF-1.4", "application/pdf"))
    )
    for ids in ([came.pk], [uploaded.pk, paper.pk]):
        with pytest.raises(MediaRefused, match="only uploaded pictures are sent"):
            message_send(
                account=account, actor=alice, phone="+14155550100", body="Look",
                kind=BatchKind.REPLY, request_key="1", sender=sender, media_ids=ids,
            )  # fmt: skip

    again = media_upload(account=account, actor=alice, data=picture())
    media_keep(account=account, actor=None, data=clean.data, content_type="image/jpeg")

    assert again.pk == came.pk
    assert media_wanted(account=account, media_ids=[came.pk]) == [came.pk]
    came.refresh_from_db()
    assert (came.width, came.height) == (40, 30)


def test_a_part_of_a_file_is_written_anew(account: Account, alice: User) -> None:
    media = media_upload(account=account, actor=alice, data=picture())
    Path(default_storage.path(media.path)).write_bytes(b"\xff\xd8")

    media_upload(account=account, actor=alice, data=picture())

    assert default_storage.size(media.path) == media.size_bytes
    with default_storage.open(media.path) as file:
        assert opened(file.read()).size == (40, 30)


# --- By programs ---


@pytest.fixture
def upload(account: Account, alice: User) -> Callable[..., Any]:
    """`upload(file, **fields)`: a form with a file, as `curl -F file=@spring.jpg` sends it."""
    _, key = apikey_create(account=account, actor=alice, name="test", scopes=["read", "write"])

    def _upload(file: bytes, name: str = "spring.jpg", **fields: str) -> Any:
        form = {"file": SimpleUploadedFile(name, file), **fields}
        return Client().post("/api/v1/media/", form, headers={"authorization": f"Bearer {key}"})

    return _upload


def test_a_program_uploads_a_picture_as_a_form(
    upload: Callable[..., Any], account: Account
) -> None:
    answer = upload(picture(size=(4_000, 3_000)))
    again = upload(picture(size=(4_000, 3_000)), name="other.gif")

    media = Media.objects.get()
    assert (answer.status_code, media.account) == (201, account)
    told = answer.json()
    assert again.json() == {**told, "url": again.json()["url"]}
    assert {name: told[name] for name in ("id", "content_type", "width", "height")} == {
        "id": media.pk,
        "content_type": "image/jpeg",
        "width": 1_600,
        "height": 1_200,
    }


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "This file is empty."),
        (b"%PDF-1.4", "this file is none of them, whatever its name says"),
        (b"\xff" * 30_000_000, "This file has 30.0 MB; 10 MB is the most."),
    ],
    ids=["empty", "pdf", "30 MB"],
)
def test_a_file_that_is_no_picture_is_refused_by_what_is_in_it(
    upload: Callable[..., Any], file: bytes, sentence: str
) -> None:
    answer = upload(file)

    assert (answer.status_code, answer.json()["code"]) == (422, "media_refused")
    assert sentence in answer.json()["detail"]
    assert not Media.objects.exists()


def test_a_form_without_its_file_or_with_more_names_what_is_wrong(
    upload: Callable[..., Any], account: Account, alice: User
) -> None:
    _, key = apikey_create(account=account, actor=alice, name="two", scopes=["write"])
    bearer = {"authorization": f"Bearer {key}"}

    more = upload(picture(), caption="Spring")
    without = Client().post("/api/v1/media/", {"x": "1"}, headers=bearer)
    text = Client().post("/api/v1/media/", {"file": "spring.jpg"}, headers=bearer)
    raw = Client().post("/api/v1/media/", picture(), "image/jpeg", headers=bearer)

    assert [one.status_code for one in (more, without, text, raw)] == [422, 422, 422, 415]
    assert [list(one.json()["fields"]) for one in (more, without, text)] == [
        ["caption"], ["x"], ["file"],
    ]  # fmt: skip
    assert raw.json()["code"] == "unsupported_media_type"
    assert not Media.objects.exists()


# --- In the dashboard ---


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_form_gets_its_pictures_as_they_are_uploaded(account: Account, alice: User) -> None:
    held = media_upload(account=account, actor=alice, data=picture())

    answer = _browser(alice).post(
        "/messages/media/",
        {
            "media_ids": [held.pk],
            "picture": [
                SimpleUploadedFile("new.jpg", picture(color="blue")),
                SimpleUploadedFile("notes.txt", b"no picture"),
            ],
        },
    )

    new = Media.objects.exclude(pk=held.pk).get()
    page = answer.content.decode()
    assert [f'name="media_ids" value="{one.pk}"' in page for one in (held, new)] == [True, True]
    assert "this file is none of them" in page

    without = _browser(alice).post(
        "/messages/media/", {"media_ids": [held.pk, new.pk], "without": str(held.pk)}
    )
    page = without.content.decode()
    assert f'value="{new.pk}"' in page
    assert f'value="{held.pk}"' not in page


def test_the_sixth_picture_is_refused_and_anothers_is_not_shown(
    account: Account, other_account: Account, alice: User, charlie: User
) -> None:
    mine = [
        media_upload(account=account, actor=alice, data=picture(size=(10 + n, 10))).pk
        for n in range(5)
    ]
    theirs = media_upload(account=other_account, actor=charlie, data=picture())

    full = _browser(alice).post(
        "/messages/media/",
        {"media_ids": mine, "picture": SimpleUploadedFile("x.jpg", picture(color="blue"))},
    )
    foreign = _browser(alice).post("/messages/media/", {"media_ids": [theirs.pk]})

    assert "A text carries up to 5 pictures." in full.content.decode()
    assert Media.objects.filter(account=account).count() == 5
    assert "<img" not in foreign.content.decode()


def test_a_picture_is_shown_to_its_account_and_can_be_nothing_else(
    account: Account, alice: User, charlie: User, other_account: Account
) -> None:
    media = media_upload(account=account, actor=alice, data=picture("PNG"))

    shown = _browser(alice).get(f"/messages/media/{media.pk}")
    stranger = _browser(charlie).get(f"/messages/media/{media.pk}")

    assert (shown.status_code, shown["Content-Type"]) == (200, "image/png")
    assert opened(shown.content).size == (40, 30)
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert shown["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert shown["Cache-Control"] == "private, max-age=86400"
    assert stranger.status_code == 404


def test_what_is_no_picture_is_only_saved(account: Account, alice: User) -> None:
    page = media_keep(account=account, actor=None, data=b"<html>", content_type="text/html")

    shown = _browser(alice).get(f"/messages/media/{page.pk}")

    assert shown["Content-Type"] == "application/octet-stream"
    assert shown["Content-Disposition"] == f"attachment; filename=picture-{page.pk}.bin"


def test_a_file_of_30_mb_is_refused_before_it_is_read(account: Account, alice: User) -> None:
    answer = _browser(alice).post(
        "/messages/media/", {"picture": SimpleUploadedFile("huge.jpg", b"\xff" * 30_000_000)}
    )

    assert "This file has 30.0 MB; 10 MB is the most." in answer.content.decode()
    assert not Media.objects.exists()
