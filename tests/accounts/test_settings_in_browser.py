"""What only a browser knows of settings: a section saved by itself, beside what is still typed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from accounts.models import Account, User

pytestmark = pytest.mark.django_db(transaction=True)

LogIn = Callable[[Any, User], None]


@pytest.fixture
def settings_page(page: Any, log_in: LogIn, account: Account, alice: User) -> Any:
    """Alice's settings with something typed in two sections."""
    log_in(page, alice)
    page.goto("/settings/account/")
    page.fill("#keeping [name=keep_bodies_days]", "90")
    page.fill("#business [name=name]", "Alice's Roses")
    return page


def test_saving_a_section_keeps_what_is_typed_in_the_others(
    settings_page: Any, account: Account
) -> None:
    page = settings_page
    page.click("#business-save")
    page.wait_for_selector("#business .saved")

    assert page.input_value("#keeping [name=keep_bodies_days]") == "90"
    assert page.inner_text("#sidebar-account strong >> nth=0") == "Alice's Roses"
    assert page.evaluate("document.activeElement.id") == "business-save"
    account.refresh_from_db()
    assert account.name == "Alice's Roses"
    assert account.keep_bodies_days != 90

    page.fill("#answers [name=stop_words]", "!!!")
    page.click("#answers-save")
    page.wait_for_selector("#answers .field-error")
    assert page.input_value("#answers [name=stop_words]") == "!!!"
    page.click("#keeping-save")
    page.wait_for_selector("#keeping .saved")

    assert page.input_value("#answers [name=stop_words]") == "!!!"
    account.refresh_from_db()
    assert (account.keep_bodies_days, account.stop_words) == (90, [])


def test_who_was_logged_out_keeps_what_is_typed(settings_page: Any, account: Account) -> None:
    page = settings_page
    Session.objects.all().delete()

    page.click("#business-save")
    page.wait_for_selector("#toasts >> text=You were logged out")

    assert page.input_value("#business [name=name]") == "Alice's Roses"
    assert page.input_value("#keeping [name=keep_bodies_days]") == "90"
    account.refresh_from_db()
    assert account.name == "Alice's Flowers"


def test_a_section_is_saved_without_javascript(
    browser: Any, stack: Any, log_in: LogIn, account: Account, alice: User
) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=stack.web_url)
    try:
        page = context.new_page()
        log_in(page, alice)
        page.goto("/settings/account/")
        page.fill("#business [name=name]", "Alice's Roses")
        page.click("#business-save")
        page.wait_for_url("**/settings/account/?saved=business#business")
        page.wait_for_selector("#business .saved")
    finally:
        context.close()

    account.refresh_from_db()
    assert account.name == "Alice's Roses"
