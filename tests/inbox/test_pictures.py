"""What came in with texts, in the thread: pictures shown, files to save, what is missing said."""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account, User
from contacts.models import Contact
from inbox.models import Conversation
from messaging.choices import InboundMediaState
from messaging.models import InboundMedia, Media, Message
from messaging.services.media import media_keep
from tests.inbox.conftest import Inbound, browser
from tests.pictures import picture

pytestmark = pytest.mark.django_db


def _came(message: Message, n: int, *, media: Media | None = None, **fields: Any) -> None:
    InboundMedia.objects.create(
        account_id=message.account_id,
        message=message,
        carrier_account=message.account.sender_numbers.get().carrier_account,
        n=n,
        url="",
        media=media,
        **fields,
    )


def test_the_thread_shows_what_came_with_a_text(
    inbound: Inbound, account: Account, bob: User, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    message = inbound("")
    shown, sound = (
        media_keep(account=account, actor=None, data=data, content_type=kind)
        for data, kind in ((picture(), "image/jpeg"), (b"#!AMR", "audio/amr"))
    )
    _came(message, 0, media=shown, state=InboundMediaState.STORED)
    _came(message, 1, media=sound, state=InboundMediaState.STORED)
    _came(message, 2, state=InboundMediaState.WAITING)
    _came(message, 3, state=InboundMediaState.REFUSED, error="It has more than 10 MB.")

    thread = Conversation.objects.get()
    page = browser(bob).get(f"/inbox/{thread.pk}/").content.decode()
    detail = browser(bob).get(f"/messages/{message.pk}/").content.decode()

    assert thread.snippet == "Picture"
    for html in (page, detail):
        assert f'src="/messages/media/{shown.pk}"' in html
        assert f'href="/messages/media/{sound.pk}"' in html
        assert f'src="/messages/media/{sound.pk}"' not in html
        assert "is being fetched" in html
        assert "cannot be shown. It has more than 10 MB." in html
        assert "Text removed" not in html


def test_a_text_that_was_removed_says_so(inbound: Inbound, bob: User) -> None:
    message = inbound("Do you deliver?")
    Message.objects.filter(pk=message.pk).update(body="")

    thread = Conversation.objects.get()
    page = browser(bob).get(f"/inbox/{thread.pk}/").content.decode()

    assert "Text removed" in page


def test_a_picture_alone_is_called_so_in_the_log_and_on_the_persons_page(
    inbound: Inbound, carol: Contact, account: Account, bob: User, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    message = inbound("")
    media = media_keep(account=account, actor=None, data=picture(), content_type="image/jpeg")
    _came(message, 0, media=media, state=InboundMediaState.STORED)

    for path in ("/messages/", f"/contacts/{carol.pk}/"):
        page = browser(bob).get(path).content.decode()
        assert (">Picture<" in page, "Not sent yet" in page) == (True, False), path
