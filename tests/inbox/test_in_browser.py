"""The inbox under a person's hands: keys, drafts, what arrives meanwhile, one pane on a phone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import User
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from messaging.choices import BatchKind, Direction
from messaging.models import Message
from tests.inbox.conftest import Inbound

LogIn = Callable[[Any, User], None]
PATIENT_MS = 90_000


def _url(thread: Conversation) -> str:
    return reverse("conversation", args=[thread.pk])


def test_a_day_at_the_keyboard(page: Page, log_in: LogIn, thread: Conversation, bob: User):
    log_in(page, bob)
    page.goto(reverse("inbox"))

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{_url(thread)}")
    page.keyboard.press("r")
    page.keyboard.type("Yes, on Fridays.")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("From 9 to 5.")
    page.keyboard.press("Enter")

    ours = page.locator(".talk.ours")
    expect(ours).to_contain_text("Yes, on Fridays.")
    expect(ours).to_contain_text("Bob Brown")
    expect(ours).to_contain_text("Delivered", timeout=PATIENT_MS)
    expect(page.locator("#reply-body")).to_have_value("")
    reply = Message.objects.get(batch__kind=BatchKind.REPLY)
    assert reply.body == "Yes, on Fridays.\nFrom 9 to 5."

    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#assignee")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.wait_for_url(f"**{reverse('inbox')}")
    thread.refresh_from_db()
    assert thread.status == ConversationStatus.CLOSED


def test_a_draft_outlives_what_arrives_and_a_reload(
    page: Page, log_in: LogIn, thread: Conversation, bob: User, inbound: Inbound
):
    log_in(page, bob)
    page.goto(_url(thread))
    box = page.locator("#reply-body")
    box.fill("Half a sen")

    inbound("Are you there?")

    expect(page.locator("#thread")).to_contain_text("Are you there?", timeout=PATIENT_MS)
    expect(page.locator("#inbox-rows .active")).to_contain_text(
        "Are you there?", timeout=PATIENT_MS
    )
    expect(box).to_have_value("Half a sen")
    page.reload()
    expect(box).to_have_value("Half a sen")
    assert not Message.objects.filter(direction=Direction.OUT).exists()


def test_a_stop_closes_the_box_while_one_types(
    page: Page, log_in: LogIn, thread: Conversation, bob: User, inbound: Inbound
):
    log_in(page, bob)
    page.goto(_url(thread))
    page.locator("#reply-body").fill("We also have a spe")

    inbound("STOP")

    cannot = page.locator("#cannot")
    expect(cannot).to_contain_text("This person opted out", timeout=PATIENT_MS)
    expect(page.locator("#reply-body")).to_be_hidden()
    expect(page.locator(".talk-event")).to_contain_text("Opted out by texting “STOP”")


def test_a_refused_reply_keeps_its_words(
    page: Page, log_in: LogIn, thread: Conversation, bob: User
):
    thread.account.credit_balance = 0
    thread.account.save(update_fields=["credit_balance"])
    log_in(page, bob)
    page.goto(_url(thread))

    page.locator("#reply-body").fill("Yes, on Fridays.")
    page.get_by_role("button", name="Send reply").click()

    expect(page.get_by_role("alert")).to_contain_text("the account has 0")
    expect(page.locator("#reply-body")).to_have_value("Yes, on Fridays.")


@pytest.mark.parametrize("step", ["list", "thread", "person"])
def test_a_phone_shows_one_pane_at_a_time(
    phone_page: Page, log_in: LogIn, thread: Conversation, bob: User, step: str
):
    log_in(phone_page, bob)
    panes = {"list": ".inbox-list", "thread": ".inbox-thread", "person": ".inbox-about"}

    phone_page.goto(reverse("inbox"))
    if step != "list":
        phone_page.get_by_text("Do you deliver to Oakland?").click()
        phone_page.wait_for_url(f"**{_url(thread)}")
    if step == "person":
        phone_page.get_by_label("About this person").first.click()

    for name, pane in panes.items():
        visible = phone_page.locator(pane).filter(visible=True)
        expect(visible).to_have_count(1 if name == step else 0)
    assert phone_page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_is_written_from_right_to_left_begins_at_the_right(
    page: Page, log_in: LogIn, thread: Conversation, bob: User, inbound: Inbound
):
    inbound("مرحبا، هل المحل مفتوح يوم الأحد؟")
    log_in(page, bob)
    page.goto(_url(thread))
    page.fill("#reply-body", "نعم، أهلا وسهلا.")

    for place in (".talk.theirs .talk-body >> nth=-1", ".inbox-snippet", "#reply-body"):
        expect(page.locator(place)).to_have_css("direction", "rtl")
    expect(page.locator(".talk.theirs .talk-body >> nth=0")).to_have_css("direction", "ltr")
