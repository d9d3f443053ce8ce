"""A reply goes through messaging's door, once per press, and not to who must not be texted."""

from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from accounts.choices import AccountStatus
from accounts.errors import EmailUnverified, InsufficientCredits
from accounts.models import Account, CreditEntry, User
from common.errors import Invalid
from contacts.choices import ConsentSource
from contacts.models import Contact
from contacts.services import consent_revoke
from inbox.errors import NumberGivenUp, ReplyChanged
from inbox.models import Conversation
from inbox.services import conversation_reply
from messaging.choices import BatchKind, Direction, MessageState, Priority, Reason
from messaging.models import Batch, Message, SenderNumber
from messaging.services import media_upload
from tests.contracts.world import everything
from tests.inbox.conftest import Inbound, browser
from tests.pictures import picture

pytestmark = pytest.mark.django_db


def _reply(
    thread: Conversation, actor: User, *, body: str = "Yes, on Fridays.", request_key: str = "k1"
) -> Message:
    return conversation_reply(
        account=thread.account,
        actor=actor,
        conversation=thread,
        body=body,
        request_key=request_key,
    )


def _post(client: Client, thread: Conversation, **given: str) -> Any:
    form = {"body": "Yes, on Fridays.", "request_key": "k1"} | given
    return client.post(reverse("conversation_reply", args=[thread.pk]), form)


def _nothing_went_out() -> bool:
    return not Batch.objects.exists() and not CreditEntry.objects.filter(kind="reserve").exists()


def test_a_reply_is_queued_ahead_of_blasts_and_read_and_taken_on(
    thread: Conversation, sender: SenderNumber, bob: User
):
    message = _reply(thread, bob)

    batch = Batch.objects.get()
    assert (batch.kind, batch.priority, batch.created_by) == (
        BatchKind.REPLY,
        Priority.REPLY,
        bob,
    )
    assert (message.phone, message.our_number) == (thread.phone, sender.phone)
    assert (message.state, message.created_by, message.contact) == (
        MessageState.PENDING,
        bob,
        Contact.objects.get(),
    )
    assert list(CreditEntry.objects.filter(kind="reserve").values_list("available", "held")) == [
        (-1, 1)
    ]
    thread.refresh_from_db()
    assert (thread.unread, thread.assignee) == (0, bob)
    assert (thread.snippet, thread.last_direction) == ("Yes, on Fridays.", Direction.OUT)


def test_a_reply_takes_no_thread_from_a_colleague(thread: Conversation, alice: User, bob: User):
    Conversation.objects.update(assignee=alice)

    _reply(thread, bob)

    thread.refresh_from_db()
    assert thread.assignee == alice


def test_a_double_click_replies_once(thread: Conversation, bobs: Client):
    answers = [_post(bobs, thread).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert Batch.objects.count() == 1
    assert Message.objects.filter(direction=Direction.OUT).count() == 1
    assert CreditEntry.objects.filter(kind="reserve").count() == 1


def test_a_text_changed_after_a_lost_answer_is_not_taken_for_the_first(
    thread: Conversation, bob: User
):
    _reply(thread, bob)

    with pytest.raises(ReplyChanged):
        _reply(thread, bob, body="No, only on Mondays.")

    assert [batch.body for batch in Batch.objects.all()] == ["Yes, on Fridays."]


@pytest.mark.parametrize(
    "given", [{"body": " \n"}, {"body": "\0"}, {"request_key": ""}, {"request_key": "k" * 81}]
)
def test_nothing_to_say_or_no_key_sends_nothing(
    thread: Conversation, bob: User, given: dict[str, str]
):
    with pytest.raises(Invalid):
        _reply(thread, bob, **given)

    assert _nothing_went_out()


def test_without_credits_the_text_stays_in_the_box(
    account: Account, thread: Conversation, bobs: Client
):
    Account.objects.filter(pk=account.pk).update(credit_balance=0)

    answer = _post(bobs, thread)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert "This needs 1 credits and the account has 0" in page
    assert ">Yes, on Fridays.</textarea>" in page
    assert _nothing_went_out()
    with pytest.raises(InsufficientCredits):
        _reply(thread, User.objects.get(email="bob@example.com"))


def test_whoever_has_not_confirmed_their_address_sends_nothing(thread: Conversation, bob: User):
    EmailAddress.objects.filter(user=bob).delete()

    with pytest.raises(EmailUnverified):
        _reply(thread, bob)

    assert _nothing_went_out()


def test_a_number_given_up_is_not_replaced_by_another(
    account: Account, thread: Conversation, sender: SenderNumber, bob: User
):
    SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )
    SenderNumber.objects.filter(pk=sender.pk).update(released_at=thread.created_at)

    with pytest.raises(NumberGivenUp):
        _reply(thread, bob)

    assert _nothing_went_out()


def test_who_left_while_the_reply_was_written_is_not_texted(
    thread: Conversation, inbound: Inbound, bobs: Client
):
    inbound("STOP")
    before = CreditEntry.objects.count()

    answer = _post(bobs, thread)

    message = Message.objects.get(batch__kind=BatchKind.REPLY)
    assert (message.state, message.reason) == (MessageState.SKIPPED, Reason.OPTED_OUT)
    assert CreditEntry.objects.count() == before
    page = answer.content.decode()
    assert "This person opted out, so you cannot text them." in page
    assert "text START to +1 202 555 0100" in page


@pytest.mark.parametrize(
    ("status", "words"),
    [(AccountStatus.SUSPENDED, "Sending was stopped"), (AccountStatus.ACTIVE, "opted out")],
)
def test_the_box_says_why_it_cannot_text(
    account: Account, thread: Conversation, bobs: Client, status: str, words: str
):
    Account.objects.filter(pk=account.pk).update(status=status)
    consent_revoke(account=account, phone=thread.phone, source=ConsentSource.MANUAL)

    page = bobs.get(reverse("conversation", args=[thread.pk])).content.decode()

    assert words in page.split('id="cannot"')[1].split("</footer>")[0]


def test_a_viewer_cannot_reply(thread: Conversation, vera: User):
    before = everything()

    answer = _post(browser(vera), thread)

    assert answer.status_code == 403
    assert everything() == before
    assert (
        'name="body"'
        not in browser(vera).get(reverse("conversation", args=[thread.pk])).content.decode()
    )


def test_a_strangers_reply_reaches_nothing(
    thread: Conversation, other_account: Account, charlie: User
):
    before = everything()

    answer = _post(browser(charlie), thread)

    assert answer.status_code == 404
    assert everything() == before


# --- Pictures ---


def test_a_reply_may_be_a_picture_alone_once_per_press(
    thread: Conversation, alice: User, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    media = media_upload(account=thread.account, actor=alice, data=picture())
    client = browser(alice)

    first = _post(client, thread, body="", media_ids=str(media.pk))
    _post(client, thread, body="", media_ids=str(media.pk))
    changed = _post(client, thread, body="", media_ids="")

    batch = Batch.objects.get()
    assert (first.status_code, batch.body, batch.media_ids) == (200, "", [media.pk])
    assert (batch.credits_reserved, changed.status_code) == (3, 422)
    assert f'src="/messages/media/{media.pk}"' in first.content.decode()
    thread.refresh_from_db()
    assert thread.snippet == "Picture"


def test_a_picture_named_twice_is_one_also_when_the_reply_is_sent_again(
    thread: Conversation, alice: User, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    media = media_upload(account=thread.account, actor=alice, data=picture())

    first, second = (
        conversation_reply(
            account=thread.account,
            actor=alice,
            conversation=thread,
            body="Look",
            request_key="k1",
            media_ids=[media.pk, media.pk],
        )
        for _ in range(2)
    )

    assert (first.pk, Batch.objects.get().media_ids) == (second.pk, [media.pk])


def test_a_refused_reply_keeps_its_words_and_pictures(
    thread: Conversation, alice: User, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    media = media_upload(account=thread.account, actor=alice, data=picture())
    SenderNumber.objects.update(can_mms=False)

    answer = _post(browser(alice), thread, body="Look", media_ids=str(media.pk))

    page = answer.content.decode()
    assert (answer.status_code, _nothing_went_out()) == (422, True)
    assert "sends words only, no pictures" in page
    assert ">Look</textarea>" in page
    assert f'name="media_ids" value="{media.pk}"' in page
