"""Pictures for carriers: by a signed address, for its time, and nothing else."""

import urllib.request
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage

from accounts.models import Account, User
from common.clock import now
from messaging.media_links import PREFIX, VALID_DAYS, media_url
from messaging.models import Media
from messaging.services.media import media_keep, media_upload
from tests.edge.conftest import EdgeClient
from tests.pictures import opened, picture


@pytest.fixture
def media(edge: EdgeClient, account: Account, alice: User) -> Any:
    """A picture in the place that the edge process reads."""
    made = media_upload(account=account, actor=alice, data=picture("PNG"))
    yield made
    default_storage.delete(made.path)


def _path(media: Media, *, days: float = 0) -> str:
    url = media_url(media.pk, at=now() + timedelta(days=days))
    return url[url.index(PREFIX) :]


def test_a_carrier_gets_the_picture_as_what_it_is(edge: EdgeClient, media: Media) -> None:
    with urllib.request.urlopen(edge.url + _path(media)) as answer:
        data, headers = answer.read(), answer.headers

    assert opened(data).size == (40, 30)
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(media.size_bytes)
    assert headers["content-disposition"] == f"inline; filename=picture-{media.pk}.png"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "public, max-age=86400, immutable"


def test_head_tells_the_same_without_the_bytes(edge: EdgeClient, media: Media) -> None:
    reply = edge.request(_path(media), method="HEAD")

    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, "", "image/png")
    assert edge.request(_path(media), method="POST", body=b"").status == 405


def test_an_address_holds_for_a_week(edge: EdgeClient, media: Media) -> None:
    statuses = [
        edge.request(_path(media, days=days), method="HEAD").status
        for days in (-VALID_DAYS, -VALID_DAYS - 1, -400)
    ]

    assert statuses == [200, 404, 404]


def test_nobody_makes_or_changes_an_address(edge: EdgeClient, media: Media) -> None:
    path = _path(media)
    name, signature = path.rsplit(".", 1)
    number, day = name[len(PREFIX) :].split(".")
    tries = [
        f"{PREFIX}{int(number) + 1}.{day}.{signature}",
        f"{PREFIX}{number}.{int(day) + 1}.{signature}",
        f"{path[:-1]}{'A' if path[-1] != 'A' else 'B'}",
        f"{PREFIX}{number}.{day}.",
        f"{PREFIX}{number}.{day}",
        f"{PREFIX}{number}",
        PREFIX,
        f"{PREFIX}../../etc/passwd",
    ]

    assert [edge.request(one).status for one in tries] == [404] * len(tries)


def test_what_is_gone_is_not_found(edge: EdgeClient, media: Media) -> None:
    path = _path(media)
    media.delete()

    assert edge.request(path).status == 404


def test_what_is_no_picture_is_only_saved(edge: EdgeClient, account: Account) -> None:
    page = media_keep(
        account=account, actor=None, data=b"<script>alert(1)</script>", content_type="text/html"
    )

    reply = edge.request(_path(page))

    default_storage.delete(page.path)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
    assert reply.headers["content-disposition"] == f"attachment; filename=picture-{page.pk}.bin"
    assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
