"""What only a browser shows: counting while typing, replacing, confirming, taking back, themes."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest

from accounts.models import Account, User, VerifiedNumber
from campaigns import services
from campaigns.choices import BlastState
from campaigns.models import Blast, SavedText
from common.clock import now
from contacts.models import Group
from messaging.choices import BatchState
from messaging.models import Batch, SenderNumber
from tests.campaigns.launched import finished, launched
from tests.campaigns.test_report_page import paused_by_itself

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_goes_out"),
]

LogIn = Callable[[Any, User], None]


def test_from_a_pasted_text_to_a_schedule_and_back(
    page: Any, log_in: LogIn, alice: User, group: Group, sender: SenderNumber
) -> None:
    log_in(page, alice)
    page.goto("/")
    page.click(".sidebar >> text=New blast")

    page.fill("#id_body", "Hi {{first_name|there}}, it’s here: https://shop.example/sale")
    page.wait_for_selector("#count-line >> text=UCS-2")
    page.click("text=Replace with plain characters")
    page.wait_for_selector("#count-line >> text=GSM-7")
    assert page.input_value("#id_body").startswith("Hi {{first_name|there}}, it's here")
    page.fill("[name=new_campaign]", "Autumn")
    page.check("text=Customers")
    page.wait_for_selector("text=Send to 5 people, 5 credits")
    assert page.input_value("#id_body").endswith("https://shop.example/sale")
    assert "Hi Ann, it's here" in page.inner_text(".phone")

    page.click("text=Send to 5 people, 5 credits")
    page.click("dialog >> text=Not yet")
    assert Blast.objects.count() == 0
    page.click(".segmented >> text=Later")
    page.fill("#id_scheduled_at", f"{now() + timedelta(days=2):%Y-%m-%dT10:00}")
    page.click("text=Schedule for 5 people, 5 credits")
    page.click("dialog >> text=Schedule it")
    page.wait_for_selector("text=Goes out")
    assert Blast.objects.get().state == BlastState.SCHEDULED
    page.click("text=Take it back")
    page.wait_for_selector("text=Taken back. Nothing was sent")
    assert Blast.objects.get().state == BlastState.DRAFT
    assert Batch.objects.count() == 0


def test_a_template_is_counted_and_seen_while_it_is_written(
    page: Any, log_in: LogIn, alice: User, group: Group, sender: SenderNumber
) -> None:
    log_in(page, alice)
    page.goto("/templates/new")

    page.fill("#id_name", "Last call")
    page.fill("#id_body", "It’s the last day, ")
    page.click("text=Insert a field")
    page.click(".dropdown-menu >> text=First name")
    page.wait_for_selector("#count-line >> text=UCS-2")
    page.click("text=Replace with plain characters")
    page.wait_for_selector("#count-line >> text=GSM-7")
    page.select_option("#id_groups", label="Customers")
    page.wait_for_selector("#told >> text=Credits")
    assert "It's the last day, Ann" in page.inner_text(".phone")
    page.click("#told >> text=Save")

    page.wait_for_url("**/templates/")
    assert SavedText.objects.get().body == "It's the last day, {{first_name|there}}"


def test_an_unknown_field_is_said_while_typing(
    page: Any, log_in: LogIn, alice: User, group: Group
) -> None:
    log_in(page, alice)
    page.goto("/blasts/new")

    page.fill("#id_body", "Hi {{frist_name}}")

    page.wait_for_selector("text=Did you mean {{first_name}}?")


def test_a_test_s_answer_outlives_the_count_that_follows_it(
    page: Any,
    log_in: LogIn,
    account: Account,
    alice: User,
    group: Group,
    sender: SenderNumber,
) -> None:
    VerifiedNumber.objects.create(account=account, phone="+12025550123", verified_at=now())
    log_in(page, alice)
    page.goto("/blasts/new")
    page.fill("#id_body", "Hi there")
    page.wait_for_selector("#count-line >> text=8 characters")

    page.click("text=Send me a test to")
    page.wait_for_selector("text=On its way to")
    page.check("text=Customers")
    page.wait_for_selector("text=Send to 5 people, 5 credits")

    assert "On its way to" in page.inner_text("#tested")


def test_a_count_that_comes_while_a_button_is_pressed_swallows_no_click(
    page: Any, log_in: LogIn, account: Account, alice: User, group: Group, sender: SenderNumber
) -> None:
    VerifiedNumber.objects.create(account=account, phone="+12025550123", verified_at=now())
    log_in(page, alice)
    page.goto("/blasts/new")
    page.check("text=Customers")
    page.fill("#id_body", "Hi there")
    page.wait_for_selector("text=Send to 5 people, 5 credits")
    page.evaluate("document.getElementById('id_body').value = 'Hi there, it is spring'")

    page.hover("text=Send me a test to")
    with page.expect_response("**/blasts/count"):
        page.mouse.down()  # which leaves the text, so that it is counted anew
    page.wait_for_selector("#composer:not(.htmx-request)")
    page.mouse.up()

    page.wait_for_selector("text=On its way to")
    page.wait_for_selector("#count-line >> text=22 characters")


def test_a_form_that_comes_back_begins_at_what_is_to_mend(
    page: Any, log_in: LogIn, alice: User, group: Group, sender: SenderNumber
) -> None:
    log_in(page, alice)
    page.goto("/blasts/new")

    page.check("text=Customers")
    page.wait_for_selector("text=Write the text, and see here what it costs.")
    page.click(".told-actions [value=send]")

    page.wait_for_selector("text=Write the text first")
    assert page.evaluate("document.activeElement.id") == "id_body"


def test_whoever_logged_in_again_elsewhere_goes_on_where_they_were(
    page: Any, log_in: LogIn, alice: User, group: Group, sender: SenderNumber
) -> None:
    log_in(page, alice)
    page.goto("/blasts/new")
    page.evaluate("document.cookie = `csrftoken=${'a'.repeat(32)}; path=/`")

    page.fill("#id_body", "Hi there")
    page.wait_for_selector("#count-line >> text=8 characters")
    page.click(".told-actions [value=save]")

    page.wait_for_selector("text=The draft is kept")
    assert Blast.objects.get().body == "Hi there"


def test_dark_mode_is_kept_and_there_before_the_first_paint(
    page: Any, log_in: LogIn, alice: User, group: Group
) -> None:
    log_in(page, alice)
    page.goto("/")

    page.click(".sidebar .account-button")
    page.click(".sidebar [data-theme-set=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.goto("/campaigns/", wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.get_attribute("html", "data-bs-theme") == "dark"


def test_a_report_s_address_is_copied_as_it_stands(
    page: Any, log_in: LogIn, account: Account, alice: User, draft: Blast
) -> None:
    blast = launched(account, alice, draft)
    log_in(page, alice)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/blasts/{blast.pk}/?show=skipped")

    page.click("text=Share")
    page.wait_for_selector("text=Link copied; colleagues with a log-in can open it.")

    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.endswith("?show=skipped")


def test_a_report_that_counts_on_swallows_no_click(
    page: Any, log_in: LogIn, account: Account, alice: User, draft: Blast
) -> None:
    blast = launched(account, alice, draft)
    log_in(page, alice)
    page.goto(f"/blasts/{blast.pk}/")

    page.hover("#live >> text=Pause")
    page.mouse.down()
    for _ in range(2):  # whatever the first has brought stands when the second comes
        page.wait_for_event("response", lambda answer: "/live" in answer.url)
    page.mouse.up()

    page.wait_for_selector("text=Resume")
    assert Batch.objects.get().state == BatchState.PAUSED


def test_failed_texts_are_tried_again_once_confirmed(
    page: Any, log_in: LogIn, account: Account, alice: User, draft: Blast
) -> None:
    blast = launched(account, alice, draft)
    paused_by_itself(blast)
    log_in(page, alice)
    page.goto(f"/blasts/{blast.pk}/")

    page.click("text=Try 1 failed text again")
    page.click("dialog >> text=Keep as it is")
    assert Batch.objects.get().retries == 0
    page.click("text=Try 1 failed text again")
    assert "They wait with the rest until you resume." in page.inner_text("dialog[open]")
    page.click("dialog >> text=Try 1 again")
    page.wait_for_selector("text=1 person is back in line.")

    assert Batch.objects.get().retries == 1
    assert page.locator("text=Try 1 failed text again").count() == 0


@pytest.mark.parametrize("path", ["/", "/campaigns/", "/campaigns/new", "/blasts/new"])
def test_no_page_is_wider_than_a_phone(
    phone_page: Any, log_in: LogIn, alice: User, group: Group, sender: SenderNumber, path: str
) -> None:
    log_in(phone_page, alice)
    phone_page.goto(path)

    assert phone_page.evaluate("document.documentElement.scrollWidth") == 390
    assert phone_page.is_visible(".bottombar >> text=Campaigns")
    assert phone_page.is_visible(".topbar >> text=New blast")


def test_long_names_beside_bars_are_told_apart(
    phone_page: Any, log_in: LogIn, account: Account, alice: User, draft: Blast
) -> None:
    again = services.blast_duplicate(account=account, actor=alice, blast=draft)
    names = [f"Mother's Day: order early and choose your delivery day, {end}" for end in "AB"]
    for name, blast in zip(names, (draft, again), strict=True):
        finished(launched(account, alice, blast))
        Blast.objects.filter(pk=blast.pk).update(name=name)

    log_in(phone_page, alice)
    phone_page.goto(f"/campaigns/{draft.campaign_id}/")
    chart = phone_page.locator(".multiples [data-chart]").first
    chart.locator("svg text").first.wait_for()

    boxes = chart.evaluate(
        """chart => [...chart.querySelectorAll("svg text")].map((one) => {
            const { left, right, top, bottom } = one.getBoundingClientRect();
            const on = chart.getBoundingClientRect();
            return { words: one.textContent.trim(), left, right, top, bottom,
                     within: left >= on.left && right <= on.right };
        })"""
    )
    told = " ".join(box["words"] for box in boxes)
    assert all(box["within"] for box in boxes)
    assert told.count("…") == 2
    assert " day, A" in told
    assert " day, B" in told
    for one, other in combinations(boxes, 2):
        is_beside = one["right"] <= other["left"] or other["right"] <= one["left"]
        # A line's box is a little higher than its letters.
        is_below = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) <= 3
        assert is_beside or is_below, (one, other)
    chart.scroll_into_view_if_needed()
    place = chart.bounding_box()
    phone_page.mouse.move(place["x"] + place["width"] / 2, place["y"] + 30)
    chart.locator(f"text={names[0]}").wait_for()
