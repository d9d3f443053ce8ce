"""The message log and the page of one message: found by anything, explained, nobody else's."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from common.clock import now
from contacts.models import Contact
from messaging.choices import BatchKind, Direction, MessageState, Outcome, Reason
from messaging.models import Attempt, Batch, CarrierAccount, CarrierEvent, Message, SenderNumber

pytestmark = pytest.mark.django_db

CAROL = "+12025550170"


@pytest.fixture
def batch(account: Account, sender: SenderNumber, alice: User) -> Batch:
    """Alice's blast."""
    return Batch.objects.create(
        account=account,
        kind=BatchKind.BLAST,
        name="Roses",
        body="Hi {{first_name}}",
        sender=sender,
        created_by=alice,
        size=3,
        request_key="roses",
    )


@pytest.fixture
def messages(account: Account, batch: Batch, alice: User) -> dict[str, Message]:
    """A delivered, a failed, a skipped and a waiting text of the blast, and an answer."""
    carol = Contact.objects.create(
        account=account, phone=CAROL, first_name="Carol", last_name="Cook"
    )

    def make(no: int | None, **fields: Any) -> Message:
        return Message.objects.create(
            **{
                "account": account,
                "batch": batch if no else None,
                "recipient_no": no,
                "phone": f"+1202555017{no}",
                "our_number": batch.sender.phone,
                "created_by": alice if no else None,
            }
            | fields
        )

    return {
        "delivered": make(
            1,
            phone=CAROL,
            contact=carol,
            body="Hi Carol",
            state=MessageState.DELIVERED,
            segments=1,
            human_click_at=now(),
        ),
        "failed": make(
            2,
            body="Hi you",
            state=MessageState.UNDELIVERED,
            reason=Reason.LANDLINE,
            carrier_code="30006",
        ),
        "skipped": make(3, state=MessageState.SKIPPED, reason=Reason.OPTED_OUT),
        "waiting": make(4),
        "answer": make(
            None,
            phone=CAROL,
            contact=carol,
            direction=Direction.IN,
            state=MessageState.RECEIVED,
            body="Lovely tulips",
            answers_batch_id=batch.pk,
        ),
    }


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's."""
    client = Client()
    client.force_login(alice)
    return client


def _log(client: Client, **query: str) -> str:
    answer = client.get(reverse("message_log"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def _shown(page: str, messages: dict[str, Message]) -> set[str]:
    return {
        name
        for name, message in messages.items()
        if f'data-href="{reverse("message_detail", args=[message.pk])}"' in page
    }


def test_an_empty_log_teaches_the_first_step(account: Account, browser: Client):
    page = _log(browser)

    assert "No texts yet" in page
    assert reverse("blast_create") in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"delivered", "failed", "skipped", "waiting", "answer"}),
        ({"direction": "in"}, {"answer"}),
        ({"state": "skipped"}, {"skipped"}),
        ({"reason": "landline"}, {"failed"}),
        ({"did": "clicked"}, {"delivered"}),
        ({"q": "carol"}, {"delivered", "answer"}),
        ({"q": "(202) 555-0172"}, {"failed"}),
        ({"q": "tulips\0"}, {"answer"}),
        ({"q": "carol", "direction": "out"}, {"delivered"}),
        ({"state": "nonsense", "direction": "x", "did": "y", "before": "z"}, set()),
    ],
)
def test_the_log_finds_by_anything(
    messages: dict[str, Message], browser: Client, query: dict[str, str], shown: set[str]
):
    assert _shown(_log(browser, **query), messages) == (shown or set(messages))


def test_a_filter_looks_through_so_many_texts_at_a_time(
    messages: dict[str, Message], browser: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.views.log.LOOKED_AT_MOST", 2)
    _, _, skipped, waiting, _ = messages.values()

    first = _log(browser, state="undelivered")
    second = _log(browser, state="undelivered", before=str(waiting.pk))
    third = _log(browser, state="undelivered", before=str(messages["failed"].pk))
    back = _log(browser, state="undelivered", after=str(messages["delivered"].pk))

    assert "Nothing yet" in first
    assert f'href="?state=undelivered&amp;before={waiting.pk}"' in first
    assert _shown(second, messages) == _shown(back, messages) == {"failed"}
    assert "Looked through 2 texts at once" in second
    assert f"before={messages['failed'].pk}" in second
    assert "Nothing matches" in third
    assert f"after={skipped.pk}" in back


def test_a_search_without_a_find_says_so(messages: dict[str, Message], browser: Client):
    assert "Nothing matches" in _log(browser, q="nobody at all")


def test_a_row_tells_text_numbers_sender_and_state(messages: dict[str, Message], browser: Client):
    page = _log(browser, state="delivered")

    for words in (
        "Carol Cook",
        "+1\u00a0202\u00a0555\u00a00170",
        "+1\u00a0202\u00a0555\u00a00100",
        "Hi Carol",
        "Roses",
        "Alice Adams",
        "Delivered",
    ):
        assert words in page


def test_pages_go_by_key_at_a_steady_cost(
    account: Account, batch: Batch, browser: Client, django_assert_max_num_queries
):
    Message.objects.bulk_create(
        Message(
            account=account,
            batch=batch,
            recipient_no=no,
            phone=f"+1202556{no:04d}",
            our_number=batch.sender.phone,
            body=f"Text {no}.",
        )
        for no in range(1, 121)
    )

    with django_assert_max_num_queries(10):
        first = _log(browser)

    assert first.count("data-href=") == 50
    assert "Text 120." in first
    oldest_shown = Message.objects.get(recipient_no=71)
    second = _log(browser, before=str(oldest_shown.pk))
    assert "Text 70." in second
    assert "Text 71." not in second


def test_a_message_tells_its_story(
    messages: dict[str, Message], carrier: CarrierAccount, browser: Client
):
    message = messages["failed"]
    Attempt.objects.create(
        message=message,
        n=1,
        carrier_account=carrier,
        carrier_id="SM" + "1" * 32,
        outcome=Outcome.ACCEPTED,
        answered_at=now(),
    )
    CarrierEvent.objects.create(
        carrier_account=carrier,
        kind="status",
        message_id=message.pk,
        word="undelivered",
        state="undelivered",
        code="30006",
        payload={"MessageStatus": "undelivered", "ErrorCode": "30006"},
    )

    page = browser.get(reverse("message_detail", args=[message.pk])).content.decode()

    assert "Landline" in page
    assert "carrier’s code 30006" in page
    story = page[page.index("What happened, in order") :]
    assert (
        story.index("Asked for")
        < story.index("Carrier accepted it")
        < story.index("Carrier says: undelivered")
        < story.index("ErrorCode = 30006")
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("skipped", "They asked not to be texted."),
        ("waiting", "Not sent yet"),
        ("answer", "<dt>Answers</dt><dd>Roses</dd>"),
        ("delivered", "the first by a person"),
    ],
)
def test_each_kind_of_message_has_its_page(
    messages: dict[str, Message], browser: Client, name: str, words: str
):
    Message.objects.filter(pk=messages["delivered"].pk).update(clicks=2)

    page = browser.get(reverse("message_detail", args=[messages[name].pk])).content.decode()

    assert words in page


@pytest.mark.parametrize(
    ("kind", "key", "is_calm"),
    [
        (BatchKind.AUTO, "stop:7", True),
        (BatchKind.AUTO, "help:1:+12025550170:2026050510", False),
        (BatchKind.REPLY, "stop:7", False),
    ],
)
def test_a_stop_that_the_carrier_confirmed_itself_is_no_failure(
    account: Account,
    batch: Batch,
    carrier: CarrierAccount,
    browser: Client,
    kind: str,
    key: str,
    is_calm: bool,
):
    Batch.objects.filter(pk=batch.pk).update(kind=kind, request_key=key)
    message = Message.objects.create(
        account=account,
        batch=batch,
        recipient_no=1,
        phone=CAROL,
        our_number=batch.sender.phone,
        body="You are opted out.",
        state=MessageState.REFUSED,
        reason=Reason.OPTED_OUT,
        carrier_code="21610",
    )
    Attempt.objects.create(
        message=message,
        n=1,
        carrier_account=carrier,
        outcome=Outcome.REJECTED,
        carrier_code="21610",
        answered_at=now(),
    )

    pages = [
        _log(browser),
        browser.get(reverse("message_detail", args=[message.pk])).content.decode(),
    ]

    for page in pages:
        shown = page[page.index("<main") :]
        assert ("Opt-out confirmed by the carrier" in shown) == is_calm
        assert ("role-failed" in shown) != is_calm
    assert ("our own confirmation was not needed" in pages[1]) == is_calm


def test_a_stranger_sees_no_message(
    messages: dict[str, Message], charlie: User, other_account: Account
):
    stranger = Client()
    stranger.force_login(charlie)

    assert _shown(_log(stranger), messages) == set()
    assert _shown(_log(stranger, q="carol"), messages) == set()
    answers = {
        stranger.get(reverse("message_detail", args=[message.pk])).status_code
        for message in messages.values()
    }
    assert answers == {404}
