"""The palette: from any page by keys alone, and by a tap on a phone."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account, User
from contacts.models import Contact

pytestmark = pytest.mark.django_db(transaction=True)

LogIn = Callable[[Any, User], None]


def test_keys_alone_lead_to_a_person_and_to_a_page(
    page: Any, log_in: LogIn, account: Account, alice: User
) -> None:
    carol, _ = (
        Contact.objects.create(account=account, phone=phone, first_name=name)
        for phone, name in (("+12025550170", "Carol"), ("+12025550171", "Carla"))
    )
    log_in(page, alice)
    page.goto("/campaigns/")

    page.keyboard.press("Control+k")
    page.wait_for_selector("#search [role=option] >> text=New blast")
    page.keyboard.type("car")
    page.wait_for_selector("#search [aria-selected=true] >> text=Carla")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#search [aria-selected=true] >> text=Carol")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/contacts/{carol.pk}/")

    page.keyboard.press("/")
    page.keyboard.type("team")
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/team/")

    page.keyboard.press("Control+k")
    page.keyboard.type("x")
    page.keyboard.press("Escape")
    page.wait_for_selector("#search", state="hidden")


def test_a_slash_in_a_box_is_a_slash(
    page: Any, log_in: LogIn, account: Account, alice: User
) -> None:
    log_in(page, alice)
    page.goto("/contacts/new/")

    page.fill("[name=first_name]", "A")
    page.press("[name=first_name]", "/")

    assert page.input_value("[name=first_name]") == "A/"
    assert not page.is_visible("#search")


def test_on_a_phone_it_is_a_tap_and_fills_the_screen(
    phone_page: Any, log_in: LogIn, account: Account, alice: User
) -> None:
    log_in(phone_page, alice)
    phone_page.goto("/")

    phone_page.click(".topbar [data-search-open]")
    phone_page.wait_for_selector("#search [role=option] >> text=Import contacts")

    box = phone_page.locator("#search").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    assert phone_page.evaluate("document.documentElement.scrollWidth") == 390
    phone_page.click("#search [role=option] >> text=Import contacts")
    phone_page.wait_for_url("**/contacts/imports/new/")
