"""Lost answers to pictures: found in the carrier's list by words and pictures together."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account, User
from carriersim.client import Client
from messaging.choices import BatchKind
from messaging.models import (
    Attempt,
    Message,
    SenderNumber,
)
from messaging.services import media_upload, message_send
from tests.messaging.conftest import (
    send_all,
)
from tests.messaging.doubts import LOST, ends, look
from tests.pictures import picture

pytestmark = pytest.mark.django_db


Text = Callable[..., Message]


@pytest.fixture
def text(account: Account, alice: User, sim: Client, settings: Any, tmp_path: Any) -> Text:
    """`text(body, has_media=..., is_taken=...)`: sent to LOST, the carrier's answer lost."""
    settings.MEDIA_ROOT = tmp_path
    media = media_upload(account=account, actor=alice, data=picture())

    def send(body: str = "", *, has_media: bool = False, is_taken: bool = True) -> Message:
        sim.set(scripts={} if is_taken else {LOST: "server_error"})
        message = message_send(
            account=account,
            actor=alice,
            phone=LOST,
            body=body,
            kind=BatchKind.REPLY,
            request_key=f"reply:{LOST}:{Message.objects.count()}",
            media_ids=[media.pk] if has_media else [],
        )
        send_all()
        return message

    return send


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_picture_alone_takes_no_other_texts_proof(
    sender: SenderNumber, sim: Client, text: Text, is_taken: bool
) -> None:
    alone = text(has_media=True, is_taken=is_taken)
    worded = text("Fresh tulips")
    assert ends(alone, worded) == ["unknown", "unknown"]

    assert look() == [(1 + is_taken, 0)]

    assert ends(alone, worded) == ["accepted" if is_taken else "unknown", "accepted"]
    (proof,) = (one["sid"] for one in sim.messages() if one["body"] == "Fresh tulips")
    assert Attempt.objects.get(message=worded).carrier_id == proof


def test_of_pictures_in_doubt_the_one_with_the_listed_words_was_taken(
    sender: SenderNumber, text: Text
) -> None:
    alone = text(has_media=True, is_taken=False)
    part = text("Fresh", has_media=True, is_taken=False)
    worded = text("Fresh tulips", has_media=True)

    assert look() == [(1, 0)]

    assert ends(alone, part, worded) == ["unknown", "unknown", "accepted"]


def test_a_prefixed_text_is_no_proof_of_a_picture_alone(
    sender: SenderNumber, sim: Client, text: Text
) -> None:
    sim.set(trial_prefix=True)
    alone = text(has_media=True, is_taken=False)
    worded = text("Fresh tulips", has_media=True)

    assert look() == [(1, 0)]

    assert ends(alone, worded) == ["unknown", "accepted"]
