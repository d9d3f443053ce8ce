"""What only a browser knows at sign-up: the time zone of the device."""

from typing import Any

import pytest

from accounts.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_account_begins_in_the_zone_of_the_device(browser: Any, stack: Any) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", base_url=stack.web_url)
    try:
        page = context.new_page()
        page.goto("/auth/signup/")
        assert page.input_value("select[name=timezone]") == "Asia/Tokyo"

        page.fill("[name=name]", "Nora Novak")
        page.fill("[name=account_name]", "Nora's Noodles")
        page.fill("[name=email]", "nora@example.com")
        page.fill("[name=password1]", "correct horse battery")
        page.click("text=Make the account")
        page.wait_for_url("**/")
    finally:
        context.close()

    assert Account.objects.get(name="Nora's Noodles").timezone == "Asia/Tokyo"
