"""The page with the phones in a real browser: a text arrives, its owner replies STOP."""

import pytest
from playwright.sync_api import Browser, expect
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as TwilioClient

from carriersim.client import Client
from tests.carriersim.conftest import OUR_NUMBER, PHONE, SID


@pytest.mark.parametrize("width", [1440, 390])
def test_a_visitor_reads_a_text_and_replies_stop(
    twilio: TwilioClient, carrier: Client, browser: Browser, width: int
) -> None:
    carrier.add_number(OUR_NUMBER, SID)
    page = browser.new_page(viewport={"width": width, "height": 800})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{carrier.base_url}/sim/phones")
    expect(page.get_by_text("No phone has a text yet.")).to_be_visible()
    expect(page.get_by_text("find others by number")).to_be_visible()

    twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="<b>Hi</b> http://127.0.0.1:9/x")
    carrier.flush()
    page.get_by_role("button", name=PHONE).click()
    expect(page.get_by_role("log")).to_contain_text("<b>Hi</b> http://127.0.0.1:9/x")
    expect(page.get_by_role("link", name="http://127.0.0.1:9/x")).to_be_visible()
    page.get_by_label("Text as this phone").fill("Who is this?")
    page.get_by_label("Text as this phone").press("Enter")
    expect(page.get_by_role("log")).to_contain_text("Who is this?")
    page.get_by_role("button", name="STOP", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("STOP")

    typed = [one["body"] for one in carrier.messages(direction="inbound")]
    assert typed == ["Who is this?", "STOP"]
    with pytest.raises(TwilioRestException):
        twilio.messages.create(to=PHONE, from_=OUR_NUMBER, body="Hi again")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
