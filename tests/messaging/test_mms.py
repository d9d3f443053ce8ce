"""A text with pictures: one unit at its own price from estimate to end; carriersim judges."""

import io
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Account, CreditEntry, User
from accounts.selectors import credit_books
from carriersim.client import Client
from common.clock import now
from contacts.models import Contact
from messaging.choices import BatchKind, Reason, TextType
from messaging.errors import SenderWithoutPictures
from messaging.media_links import PREFIX, media_read
from messaging.models import Batch, Media, Message, Price, SenderNumber
from messaging.rendering import TemplateError
from messaging.retention import texts_remove
from messaging.selectors import prices_list, prices_now
from messaging.services import batch_retry, estimate, media_upload, message_send
from messaging.services.single import sender_default
from tests.messaging.conftest import Launch, People, make_sender, send_all, states
from tests.pictures import picture

pytestmark = pytest.mark.django_db

US, CANADA, JAMAICA, LONDON = "+14155550100", "+14165550100", "+18765550100", "+442071838750"
LONG = "Hi {{first_name}}, “fresh” " + "tulips " * 60  # seven segments of UCS-2


@pytest.fixture
def media(account: Account, alice: User, settings: Any, tmp_path: Any) -> Media:
    settings.MEDIA_ROOT = tmp_path
    return media_upload(account=account, actor=alice, data=picture())


def test_prices_of_pictures_have_rows_of_their_own() -> None:
    def costs() -> list[int]:
        prices = prices_now(kind=BatchKind.BLAST, type=TextType.MMS)
        return [prices.of(phone) for phone in (US, CANADA, JAMAICA, LONDON)]

    assert costs() == [3, 3, 15, 15]
    Price.objects.create(country="GB", credits=2)  # of a segment of words
    assert costs() == [3, 3, 15, 15]
    Price.objects.create(type=TextType.MMS, country="GB", credits=9)
    Price.objects.create(type=TextType.MMS, country="", credits=7)
    assert costs() == [3, 3, 7, 9]
    assert prices_now(kind=BatchKind.BLAST).of(LONDON) == 2
    assert prices_list(kind=BatchKind.BLAST, type=TextType.MMS)[-1] == ("Everywhere else", 7)


def test_a_blast_with_a_picture_costs_the_same_from_the_estimate_to_the_end(
    launch: Launch, people: People, account: Account, sim: Client, media: Media
) -> None:
    people(phones=[US, CANADA, JAMAICA, LONDON])
    sim.set(scripts={LONDON: "invalid"})
    everybody = Contact.objects.filter(account=account)

    words = estimate(account=account, body=LONG, audience=everybody)
    told = estimate(account=account, body=LONG, audience=everybody, has_media=True)
    batch = launch(body=LONG, media_ids=[media.pk], smart_encoding=True)
    Price.objects.create(type=TextType.MMS, credits=50)
    send_all()

    batch.refresh_from_db()
    assert (words.max_segments, words.credits) == (7, 84)
    assert (told.segments, told.max_segments, told.credits) == (4, 1, 36)
    assert batch.credits_reserved == 36
    assert (batch.credits_settled, batch.credits_released) == (21, 15)
    costs = Message.objects.filter(batch=batch).values_list("phone", "segments", "credits")
    assert set(costs) == {(US, 1, 3), (CANADA, 1, 3), (JAMAICA, 1, 15), (LONDON, 0, 0)}
    assert credit_books(account).used == 21
    call_command("verify_reports", stdout=io.StringIO())


def test_the_carrier_is_told_where_the_picture_is(
    launch: Launch, people: People, sim: Client, media: Media, account: Account, alice: User,
    settings: Any,
) -> None:  # fmt: skip
    second = media_upload(account=account, actor=alice, data=picture(color="blue"))
    people(phones=[US, CANADA])

    launch(body="Hi {{first_name}}, it’s spring", media_ids=[second.pk, media.pk])
    send_all()

    taken = sim.messages()
    assert [one["sid"][:2] for one in taken] == ["MM", "MM"]
    assert {one["body"] for one in taken} == {"Hi Ann0, it’s spring", "Hi Ann1, it’s spring"}
    assert [one["num_segments"] for one in taken] == [1, 1]
    for one in taken:
        base = settings.EDGE_URL + PREFIX
        assert [url.startswith(base) for url in one["media"]] == [True, True]
        named = [media_read(url[len(base) :], at=now()) for url in one["media"]]
        assert named == [second.pk, media.pk]
    # The same address for everybody, so that a carrier may keep what it fetched.
    assert taken[0]["media"] == taken[1]["media"]


def test_words_alone_carry_no_media(launch: Launch, people: People, sim: Client) -> None:
    people(phones=[US])

    launch()
    send_all()

    (taken,) = sim.messages()
    assert (taken["sid"][:2], taken["media"]) == ("SM", [])


def test_a_balance_that_covers_the_pictures_exactly_is_enough(
    launch: Launch, people: People, account: Account, media: Media
) -> None:
    people(phones=[US, CANADA])
    Account.objects.filter(pk=account.pk).update(credit_balance=6)

    batch = launch(body=LONG, media_ids=[media.pk])
    send_all()

    batch.refresh_from_db()
    assert (batch.credits_reserved, batch.credits_settled) == (6, 6)


def test_a_number_without_pictures_sends_none(
    launch: Launch, people: People, account: Account, sim: Client, media: Media
) -> None:
    people(phones=[US])
    code = make_sender(account, sim, phone="40404", can_mms=False)

    with pytest.raises(SenderWithoutPictures) as refused:
        launch(media_ids=[media.pk], also_from=[code])

    assert refused.value.message.startswith("40404 sends words only, no pictures")
    assert not Batch.objects.exists()
    assert not Message.objects.exists()
    assert not CreditEntry.objects.filter(kind="reserve").exists()
    launch(also_from=[code])


def test_a_text_to_one_person_may_be_a_picture_alone(
    account: Account, alice: User, sender: SenderNumber, sim: Client, media: Media
) -> None:
    def send(key: str, **text: Any) -> Message:
        return message_send(
            account=account, actor=alice, phone=US, kind=BatchKind.REPLY, request_key=key, **text
        )

    with pytest.raises(TemplateError):
        send("blank", body=" ")
    message = send("1", body="", media_ids=[media.pk])
    send_all()

    message.refresh_from_db()
    (taken,) = sim.messages()
    assert (taken["body"], len(taken["media"]), taken["num_segments"]) == ("", 1, 1)
    assert (message.state, message.segments, message.credits) == ("accepted", 1, 3)
    assert message.batch is not None
    assert message.batch.prices == {"": 3}
    assert sender_default(account) == sender


def test_trying_again_costs_one_unit_again(
    launch: Launch, people: People, account: Account, media: Media
) -> None:
    people(phones=[US, JAMAICA])
    batch = launch(body=LONG, media_ids=[media.pk])
    send_all()
    Message.objects.filter(batch=batch).update(
        state="undelivered", rank=4, reason=Reason.MEDIA, carrier_code="11200"
    )

    assert batch_retry(account=account, actor=None, batch=batch) == 2
    send_all()

    batch.refresh_from_db()
    assert (batch.credits_reserved, batch.credits_settled) == (36, 36)
    assert states(batch) == {("accepted", ""): 2}


def test_removing_a_text_removes_the_reference_to_its_picture(
    account: Account, alice: User, sender: SenderNumber, sim: Client, media: Media
) -> None:
    message = message_send(
        account=account, actor=alice, phone=US, body="Look", kind=BatchKind.REPLY, request_key="1",
        media_ids=[media.pk],
    )  # fmt: skip
    send_all()
    Account.objects.filter(pk=account.pk).update(keep_bodies_days=30)
    Batch.objects.update(settled_at="2026-01-01T00:00:00Z")
    Message.objects.update(created_at="2026-01-01T00:00:00Z")

    assert texts_remove() == 1

    batch = Batch.objects.get(messages=message)
    assert (batch.body, batch.media_ids) == ("", [])
