"""A thread tells in order what was sent, clicked, answered, noted and refused."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from common.clock import now
from contacts.choices import ConsentSource
from contacts.models import Contact
from contacts.services import consent_revoke, group_add, group_create
from inbox.models import Conversation
from inbox.selectors import person_pane, thread
from inbox.services import conversation_reply, note_add
from messaging.choices import BatchKind, MessageState
from messaging.models import Batch, Message, SenderNumber
from messaging.services import batch_launch
from tests.inbox.conftest import CAROL, Inbound, browser

pytestmark = pytest.mark.django_db

BODY = "Hi {{first_name}}, see https://example.com/roses today"


@pytest.fixture
def blast(account: Account, alice: User, sender: SenderNumber, carol: Contact) -> Batch:
    """A blast to Carol, an hour ago."""
    batch = batch_launch(
        account=account,
        actor=alice,
        kind=BatchKind.BLAST,
        name="Roses",
        body=BODY,
        sender=sender,
        audience=Contact.objects.filter(pk=carol.pk),
        request_key="roses",
    )
    Message.objects.filter(batch=batch).update(created_at=now() - timedelta(hours=1))
    return batch


def _kinds(conversation: Conversation) -> list[tuple[str, str]]:
    return [(item.kind, item.body) for item in thread(conversation=conversation)]


def test_everything_stands_in_order(account: Account, bob: User, blast: Batch, inbound: Inbound):
    Message.objects.filter(batch=blast).update(
        body="Hi Carol, see http://x/1 today", human_click_at=now() - timedelta(minutes=50)
    )
    inbound("How much?", at=now() - timedelta(minutes=40))
    conversation = Conversation.objects.get()
    conversation_reply(
        account=account, actor=bob, conversation=conversation, body="30 dollars", request_key="k"
    )
    note_add(account=account, actor=bob, conversation=conversation, text="Likes roses")
    inbound("STOP")

    assert _kinds(conversation)[:5] == [
        ("message", "Hi Carol, see http://x/1 today"),
        ("click", ""),
        ("message", "How much?"),
        ("message", "30 dollars"),
        ("note", ""),
    ]
    assert {kind for kind, _ in _kinds(conversation)[5:]} == {"message", "consent"}


def test_what_has_not_gone_yet_reads_as_it_will(blast: Batch, inbound: Inbound):
    inbound("Hello")

    assert _kinds(Conversation.objects.get())[0] == (
        "message",
        "Hi Carol, see https://example.com/roses today",
    )


def test_a_blast_that_was_not_sent_to_them_is_no_text(blast: Batch, inbound: Inbound):
    Message.objects.filter(batch=blast).update(state=MessageState.SKIPPED, reason="landline")
    inbound("Hello")

    assert _kinds(Conversation.objects.get())[0] == ("skipped", "")


def test_a_stop_the_carrier_confirmed_itself_shows_no_failure(
    inbound: Inbound, account: Account, alice: User
):
    inbound("STOP")
    ours = Message.objects.filter(batch__kind=BatchKind.AUTO)
    assert ours.update(state=MessageState.REFUSED, reason="opted_out", carrier_code="21610") == 1
    conversation = Conversation.objects.get()

    page = browser(alice).get(reverse("conversation", args=[conversation.pk])).content.decode()

    thread_shown = page[page.index("talk theirs") : page.index("<form", page.index("talk theirs"))]
    assert "Opt-out confirmed by the carrier" in thread_shown
    assert "role-failed" not in thread_shown


def test_texts_of_another_account_or_number_are_not_in_it(
    account: Account, other_account: Account, sender: SenderNumber, inbound: Inbound
):
    inbound("Hello")
    conversation = Conversation.objects.get()
    for owner, ours in ((other_account, sender.phone), (account, "+12025550109")):
        Message.objects.create(
            account=owner, phone=CAROL, our_number=ours, direction="in", body="Not here"
        )

    assert _kinds(conversation) == [("message", "Hello")]


def test_a_thread_costs_the_same_at_any_length(
    account: Account,
    bob: User,
    inbound: Inbound,
    django_assert_num_queries,
):
    for number in range(30):
        inbound(f"Text {number}")
    conversation = Conversation.objects.get()
    for number in range(10):
        note_add(account=account, actor=bob, conversation=conversation, text=f"Note {number}")
        conversation_reply(
            account=account,
            actor=bob,
            conversation=conversation,
            body="Yes",
            request_key=str(number),
        )

    with django_assert_num_queries(4):
        assert len(thread(conversation=conversation)) == 50


def test_the_pane_knows_the_person(
    account: Account, alice: User, bob: User, blast: Batch, inbound: Inbound, carol: Contact
):
    group = group_create(account=account, actor=alice, name="Regulars")
    group_add(account=account, actor=alice, group_id=group.pk, contact_ids=[carol.pk])
    inbound("Hello")
    conversation = Conversation.objects.get()
    note_add(account=account, actor=bob, conversation=conversation, text="Likes roses")

    pane = person_pane(account=account, conversation=conversation)

    assert pane.contact == carol
    assert [one.name for one in pane.groups] == ["Regulars"]
    assert [message.batch for message in pane.blasts] == [blast]
    assert [note.text for note in pane.notes] == ["Likes roses"]
    assert (pane.opt_out, pane.cannot) == (None, None)


@pytest.mark.parametrize(
    ("source", "place", "remedy"),
    [
        (ConsentSource.KEYWORD, "", "text START to +1 202 555 0100"),
        (ConsentSource.FREE_TEXT, "reviews", "If that was misread, say so."),
        (ConsentSource.MANUAL, "contact", "record that in their contact"),
    ],
)
def test_what_would_let_us_text_them_again(
    account: Account, thread: Conversation, source: ConsentSource, place: str, remedy: str
):
    consent_revoke(account=account, phone=thread.phone, source=source)

    cannot = person_pane(account=account, conversation=thread).cannot

    assert cannot is not None
    assert cannot.place == place
    assert remedy in cannot.remedy


def test_a_number_given_up_offers_the_current_one(
    account: Account, thread: Conversation, sender: SenderNumber, bobs: Client
):
    SenderNumber.objects.filter(pk=sender.pk).update(released_at=now())
    current = SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )

    cannot = person_pane(account=account, conversation=thread).cannot
    assert cannot is not None
    assert cannot.place == "start"
    contact = Contact.objects.get(phone=thread.phone)
    answers = [
        bobs.post(reverse("conversation_start", args=[contact.pk])).headers["Location"]
        for _ in range(2)
    ]

    started = Conversation.objects.get(our_number=current.phone)
    assert answers == [reverse("conversation", args=[started.pk])] * 2
