"""A person in a browser: from signing up to a live report, and from a reply to a STOP.

Nothing here calls a service: what the person does, the pages do. The phones are carriersim's.
"""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account
from messaging.choices import MessageState
from messaging.models import Message
from tests.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 24
UNDO_S = 10
SPEED = 20
PHONES = [f"+120155501{place:02}" for place in range(PEOPLE)]
SCRIPTS = dict(
    zip(PHONES, ("landline", "unreachable", "click", "click", "click", "reply_yes"), strict=False)
)
ASKING = PHONES[10]


@pytest.fixture
def shop_door(stack: Stack, page: Any, tmp_path: Path) -> Any:
    """The log-in page, on a platform that keeps its mail and waits a moment before it sends."""
    stack.restart(
        "web", settings={"EMAIL_URL": f"mailbox://{tmp_path / 'mail'}", "UNDO_S": str(UNDO_S)}
    )
    # A tap within two seconds of the text would count as a robot's, at this speed too, and a busy
    # worker hears a little late that the text was taken.
    delays = {"click": [5 * SPEED, 7 * SPEED], "reply": [5, 20]}
    stack.carriersim.set(speed=SPEED, scripts=SCRIPTS, delays=delays)
    page.goto("/auth/login/")
    return page


def test_from_signing_up_to_a_reply(shop_door: Any, stack: Stack, tmp_path: Path) -> None:
    page = shop_door

    _sign_up(page)
    _import(page, tmp_path)
    _compose(page)
    _send_take_back_and_send(page)
    _watch(page)
    _answer(page, stack)
    _leave(page, stack)


def _sign_up(page: Any) -> None:
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Your name").fill("Rosie Reed")
    page.get_by_label("Your business").fill("Rosie's Flowers")
    page.get_by_label("Email").fill("rosie@example.com")
    page.get_by_label("Password").fill("tulips-in-november")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("Nothing you send goes out until you open the link").wait_for()
    page.get_by_role("link", name="local mailbox").click()
    page.get_by_role("link", name="/auth/confirm-email/").click()
    page.get_by_text("rosie@example.com is confirmed.").wait_for()
    page.get_by_text("Three steps to your first blast").wait_for()
    assert page.get_by_text("Nothing you send goes out").count() == 0


def _import(page: Any, folder: Path) -> None:
    lines = ["First name,Mobile", *(f"Person{at},{phone}" for at, phone in enumerate(PHONES))]
    file = folder / "spring.csv"
    file.write_text("\n".join([*lines, "Nobody,12345"]))

    page.get_by_role("link", name="Import contacts").click()
    page.get_by_label("CSV or Excel file").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_label("Or make a new group").fill("Spring customers")
    page.get_by_label("How did these people agree").fill("Signed the list at the till")
    page.get_by_role("button", name="Check the rows").click()
    page.get_by_role("button", name=f"Import {PEOPLE} people").click()
    page.get_by_text(f"{PEOPLE} rows taken, 1 refused.").wait_for()
    page.get_by_role("link", name="Text this group").click()


def _compose(page: Any) -> None:
    count = page.locator("#count-line")
    text = page.get_by_label("Text", exact=True)
    text.press_sequentially("Hi ")
    count.get_by_text("3 characters").wait_for()
    text.press_sequentially("{{first_name|there}}, tulips 🌷")
    count.get_by_text("UCS-2").wait_for()
    text.fill("Hi {{first_name|there}}, tulips are in: https://shop.example/t")
    count.get_by_text("GSM-7").wait_for()
    page.get_by_label("Name of the new campaign").fill("Spring")
    page.get_by_role("button", name=f"Send to {PEOPLE} people, {PEOPLE} credits").wait_for()
    page.get_by_text("Hi Person").wait_for()


def _send_take_back_and_send(page: Any) -> None:
    send = page.get_by_role("button", name=f"Send to {PEOPLE} people, {PEOPLE} credits")
    sure = page.get_by_role("dialog").get_by_role("button", name="Send", exact=True)

    send.click()
    sure.click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Taken back. Nothing was sent").wait_for()
    assert not Message.objects.exists()

    send.click()
    sure.click()
    page.get_by_text("Going out in a moment.").wait_for()


def _watch(page: Any) -> None:
    """The page becomes the report, and the report counts to its end, with no hand on it."""
    told = "22 of 24 people got it (91.7%). 3 tapped the link and 1 replied."
    page.get_by_text(told).wait_for(timeout=90_000)
    steps = [words.split() for words in page.locator(".funnel-step").all_inner_texts()]
    assert [int(words[0]) for words in steps] == [24, 24, 22, 3, 1]
    page.get_by_role("link", name="2 not delivered").wait_for()
    states = dict.fromkeys(PHONES, MessageState.DELIVERED) | dict.fromkeys(
        PHONES[:2], MessageState.UNDELIVERED
    )
    sent = Message.objects.filter(batch__blast__isnull=False)
    assert dict(sent.values_list("phone", "state")) == states


def _answer(page: Any, stack: Stack) -> None:
    ours = Account.objects.get(name="Rosie's Flowers").sender_numbers.get().phone
    stack.carriersim.text(ASKING, ours, "Are you open on Sunday?")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Inbox").click()
    row = page.locator(".inbox-row.unread").filter(has_text="Are you open on Sunday?")
    row.wait_for()
    row.click()
    thread = page.get_by_role("log", name="Texts")
    thread.get_by_text("Are you open on Sunday?").wait_for()
    box = page.get_by_label("Your reply")
    box.fill("Yes, from ten to four.")
    box.press("Enter")
    answer = thread.locator(".ours").filter(has_text="Yes, from ten to four.")
    answer.filter(has_text="Rosie Reed").filter(has_text="Delivered").wait_for()
    assert box.input_value() == ""
    assert page.locator(".inbox-row.active.unread").count() == 0


def _leave(page: Any, stack: Stack) -> None:
    ours = Account.objects.get(name="Rosie's Flowers").sender_numbers.get().phone
    stack.carriersim.text(ASKING, ours, "STOP")

    page.get_by_text("This person opted out, so you cannot text them.").wait_for()
    assert not page.get_by_label("Your reply").is_visible()
    page.get_by_role("log", name="Texts").get_by_text("Opted out by texting “STOP”").wait_for()
