"""The inbox's pages: the list and its live refresh, reading, handing over, notes, closing."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from common.clock import now
from contacts.models import Contact
from contacts.services import contact_delete
from inbox.choices import ConversationStatus
from inbox.models import Conversation, Note
from messaging.models import Batch, Message, SenderNumber
from tests.contracts.world import everything
from tests.inbox.conftest import Inbound, browser

pytestmark = pytest.mark.django_db


def _page(client: Client, name: str, *args: int, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def _conversations(account: Account, sender: SenderNumber, many: int) -> None:
    for number in range(many):
        phone = f"+1202555{number:04d}"
        Contact.objects.create(account=account, phone=phone, first_name=f"Person {number}")
        Conversation.objects.create(
            account=account,
            our_number=sender.phone,
            phone=phone,
            snippet=f"Word {number}",
            unread=number % 2,
            last_message_at=now() - timedelta(minutes=number),
        )


def test_a_contact_can_be_written_to_first(
    account: Account, sender: SenderNumber, carol: Contact, bobs: Client
):
    start = reverse("conversation_start", args=[carol.pk])
    assert start in _page(bobs, "contact_detail", carol.pk)

    page = bobs.post(start, follow=True).content.decode()

    assert "No texts yet. Write the first one below." in page
    made = Conversation.objects.get()
    assert (made.our_number, made.phone, made.unread) == (sender.phone, carol.phone, 0)


def test_without_a_number_nothing_is_started(account: Account, carol: Contact, bobs: Client):
    page = bobs.post(reverse("conversation_start", args=[carol.pk]), follow=True).content.decode()

    assert "no number to text from" in page
    assert not Conversation.objects.exists()


def test_an_empty_inbox_says_what_will_come(bobs: Client):
    page = _page(bobs, "inbox")

    assert "Nothing waits for an answer" in page
    assert reverse("contact_list") in page


def test_the_refresh_is_the_list_alone_with_its_row_marked(thread: Conversation, bobs: Client):
    rows = _page(bobs, "inbox_rows", selected=str(thread.pk))

    assert "<html" not in rows
    assert rows.count("data-inbox-row") == 1
    assert f'inbox-row unread active" id="row-{thread.pk}"' in rows
    assert "Carol Cook" in rows
    assert "Do you deliver to Oakland?" in rows
    assert 'aria-current="true"' not in _page(bobs, "inbox_rows", selected="no number")


def test_the_person_is_whoever_has_the_phone_now(
    account: Account, inbound: Inbound, bob: User, bobs: Client
):
    inbound("Hello", phone="+12025550175")
    assert "+1\u00a0202\u00a0555\u00a00175" in _page(bobs, "inbox_rows")

    late = Contact.objects.create(account=account, phone="+12025550175", first_name="Lena")
    assert "Lena" in _page(bobs, "inbox_rows")

    contact_delete(account=account, actor=bob, contact_id=late.pk)
    assert "Lena" not in _page(bobs, "inbox_rows")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"a", "b"}),
        ({"show": "mine"}, {"b"}),
        ({"show": "unread"}, {"a"}),
        ({"show": "closed"}, {"c"}),
        ({"show": "all"}, {"a", "b", "c"}),
        ({"show": "nonsense"}, {"a", "b"}),
        ({"show": "all", "q": "anna al"}, {"a"}),
        ({"show": "all", "q": "(202) 555-0002"}, {"b"}),
        ({"show": "all", "q": "0003"}, {"c"}),
        ({"show": "all", "q": "tulips"}, {"b"}),
        ({"show": "all", "q": "nobody\0"}, set()),
        ({"n": "1"}, {"a"}),
    ],
)
def test_views_and_search_of_the_list(
    account: Account,
    sender: SenderNumber,
    bob: User,
    bobs: Client,
    query: dict[str, str],
    shown: set[str],
):
    Contact.objects.create(
        account=account, phone="+12025550001", first_name="Anna", last_name="Albers"
    )
    closed = ConversationStatus.CLOSED
    made = {
        "a": {"phone": "+12025550001", "unread": 2},
        "b": {"phone": "+12025550002", "assignee": bob, "snippet": "Any tulips?"},
        "c": {"phone": "+12025550003", "assignee": bob, "status": closed},
    }
    names = {}
    for minutes, (name, fields) in enumerate(made.items()):
        row = Conversation.objects.create(
            account=account,
            our_number=sender.phone,
            last_message_at=now() - timedelta(minutes=minutes),
            **fields,
        )
        names[f'id="row-{row.pk}"'] = name

    page = _page(bobs, "inbox_rows", **query)

    assert {name for mark, name in names.items() if mark in page} == shown


def test_older_ones_are_a_click_away(account: Account, sender: SenderNumber, bobs: Client):
    _conversations(account, sender, 61)

    page = _page(bobs, "inbox")
    assert page.count("data-inbox-row") == 60
    assert "?n=120" in page
    assert _page(bobs, "inbox", n="120").count("data-inbox-row") == 61


def test_a_long_list_costs_no_more_queries(
    account: Account, sender: SenderNumber, bobs: Client, django_assert_max_num_queries
):
    _conversations(account, sender, 50)

    with django_assert_max_num_queries(10):
        assert _page(bobs, "inbox").count("data-inbox-row") == 50
    first = Conversation.objects.first()
    assert first is not None
    with django_assert_max_num_queries(27):
        _page(bobs, "conversation", first.pk)


def test_opening_reads_it_for_who_may_answer(thread: Conversation, vera: User, bobs: Client):
    _page(browser(vera), "conversation", thread.pk)
    thread.refresh_from_db()
    assert thread.unread == 1

    _page(bobs, "conversation", thread.pk)
    thread.refresh_from_db()
    assert thread.unread == 0


def test_what_arrives_while_it_is_open_is_read(
    thread: Conversation, inbound: Inbound, bobs: Client
):
    inbound("Hello?")

    part = _page(bobs, "conversation_thread", thread.pk)

    assert "<html" not in part
    assert part.index("Do you deliver to Oakland?") < part.index("Hello?")
    thread.refresh_from_db()
    assert thread.unread == 0


def test_the_refresh_brings_a_stop_to_the_box_and_keeps_the_draft(
    thread: Conversation, inbound: Inbound, bobs: Client
):
    inbound("STOP")

    part = _page(bobs, "conversation_thread", thread.pk)

    assert 'id="cannot" hx-swap-oob="true"' in part
    assert "This person opted out" in part
    assert "<textarea" not in part


def test_texts_are_shown_and_never_run(inbound: Inbound, bobs: Client):
    inbound("<script>alert(1)</script> https://example.com/?a=1&b=2")

    page = _page(bobs, "conversation", Conversation.objects.get().pk)

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://example.com' not in page


def test_a_note_is_kept_and_never_sent(thread: Conversation, bob: User, bobs: Client):
    before = (Message.objects.count(), Batch.objects.count())

    answer = bobs.post(reverse("conversation_note", args=[thread.pk]), {"text": " Likes roses "})

    assert answer.headers["Location"] == reverse("conversation", args=[thread.pk])
    note = Note.objects.get()
    assert (note.text, note.author, note.conversation) == ("Likes roses", bob, thread)
    assert (Message.objects.count(), Batch.objects.count()) == before
    assert "Likes roses" in _page(bobs, "conversation", thread.pk)


@pytest.mark.parametrize("text", ["  ", "x" * 4001])
def test_an_empty_or_endless_note_is_refused(thread: Conversation, bobs: Client, text: str):
    url = reverse("conversation_note", args=[thread.pk])

    page = bobs.post(url, {"text": text}, follow=True).content.decode()

    assert "nothing was saved" in page
    assert not Note.objects.exists()


def test_handing_over_goes_to_members_only(
    thread: Conversation, alice: User, charlie: User, other_account: Account, bobs: Client
):
    url = reverse("conversation_assign", args=[thread.pk])

    bobs.post(url, {"assignee": str(alice.pk)})
    thread.refresh_from_db()
    assert thread.assignee == alice
    assert AuditEvent.objects.get(action="conversation.assigned").data == {"assignee": alice.pk}

    page = bobs.post(url, {"assignee": str(charlie.pk)}, follow=True).content.decode()
    thread.refresh_from_db()
    assert "not in your team" in page
    assert thread.assignee == alice
    assert AuditEvent.objects.filter(action="conversation.assigned").count() == 1

    bobs.post(url, {"assignee": ""})
    thread.refresh_from_db()
    assert thread.assignee is None


def test_closing_goes_back_to_the_same_list(thread: Conversation, bobs: Client):
    url = reverse("conversation_status", args=[thread.pk]) + "?show=mine&q=carol"

    answer = bobs.post(url, {"status": "closed"})

    assert answer.headers["Location"] == reverse("inbox") + "?show=mine&q=carol"
    thread.refresh_from_db()
    assert thread.status == ConversationStatus.CLOSED
    bobs.post(url, {"status": "open"})
    thread.refresh_from_db()
    assert thread.status == ConversationStatus.OPEN


def test_marking_unread_puts_it_back(thread: Conversation, bobs: Client):
    _page(bobs, "conversation", thread.pk)

    bobs.post(reverse("conversation_unread", args=[thread.pk]))

    thread.refresh_from_db()
    assert thread.unread == 1


@pytest.mark.parametrize(
    "name",
    [
        "conversation_reply",
        "conversation_note",
        "conversation_assign",
        "conversation_status",
        "conversation_unread",
    ],
)
def test_a_viewer_and_a_stranger_change_nothing(
    name: str, thread: Conversation, vera: User, charlie: User, other_account: Account
):
    form = {"body": "Hi", "request_key": "k", "text": "Hi", "status": "closed", "assignee": ""}
    url = reverse(name, args=[thread.pk])
    before = everything()

    assert browser(vera).post(url, form).status_code == 403
    assert browser(charlie).post(url, form).status_code == 404

    assert everything() == before


def test_a_stranger_sees_nothing(thread: Conversation, charlie: User, other_account: Account):
    stranger = browser(charlie)
    before = everything()

    assert stranger.get(reverse("conversation", args=[thread.pk])).status_code == 404
    assert stranger.get(reverse("conversation_thread", args=[thread.pk])).status_code == 404
    assert "Carol" not in _page(stranger, "inbox", show="all")
    assert "Carol" not in _page(stranger, "inbox_rows", show="all", q="cook")

    assert everything() == before
