"""Every page, on a desk and on a phone, light and dark, in an empty account and in a full one.

What "whole" means for a page is said in `looking.py`, which pages there are in `pages.py`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core.management import call_command
from django.test import override_settings

from tests.contracts import routes
from tests.e2e import pages
from tests.e2e.looking import LOOKS, Look, Window
from tests.e2e.shops import PASSWORD, Shop, shop_at_work, shop_begun
from tests.stack import FAST, Stack

pytestmark = [
    # Only so that there is a test database: what the tests look at is committed by `shops`.
    pytest.mark.django_db,
    # One test looks at every page there is, and follows every link.
    pytest.mark.timeout(900),
]

Open = Callable[..., Window]

# --- One stack, with both accounts, for all tests of this file ---


@pytest.fixture(scope="module")
def stack(
    browser: Any,
    _session_stack: Stack,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """As the `stack` of tests/conftest.py, but its tables are emptied only after the last test."""
    stack = _session_stack
    names = ("PUBLIC_URL", "EDGE_URL", "LINK_URL", "TWILIO_API_BASE_URL")
    same = {name: stack.environment[name] for name in names}
    with (
        django_db_blocker.unblock(),
        override_settings(**same, **{name: float(value) for name, value in FAST.items()}),
    ):
        stack.refresh()
        mail = tmp_path_factory.mktemp("mail")
        stack.restart("web", settings={"EMAIL_URL": f"mailbox://{mail}"})
        yield stack
        stack.settle()
        call_command("flush", interactive=False, allow_cascade=True, verbosity=0)


@pytest.fixture(scope="module")
def shops(stack: Stack) -> dict[str, Shop]:
    """Both accounts; nothing goes on in the background once they are as they should be."""
    made = {"full": shop_at_work(stack), "empty": shop_begun()}
    stack.hold_background()
    return made


@pytest.fixture
def open_window(browser: Any, stack: Stack) -> Iterator[Open]:
    """`open_window(look, shop=None)`: a window of the shop's owner, or of a stranger."""
    opened: list[Window] = []

    def _open(look: Look, shop: Shop | None = None) -> Window:
        window = Window(browser, base_url=stack.web_url, look=look)
        opened.append(window)
        if shop:
            window.log_in(shop.owner.email, PASSWORD)
        return window

    yield _open
    for window in opened:
        window.close()


@pytest.fixture(scope="module")
def followed() -> dict[str, set[str]]:
    """Links that were asked for already, by whose they are."""
    return {"full": set(), "empty": set(), "nobody": set()}


# --- The pages ---


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
@pytest.mark.parametrize("whose", ["full", "empty"])
def test_pages_of_an_account_are_whole(
    whose: str,
    look: Look,
    shops: dict[str, Shop],
    open_window: Open,
    followed: dict[str, set[str]],
) -> None:
    shop = shops[whose]
    window = open_window(look, shop)
    paths = pages.addresses(pages.PAGES, shop.places)

    wrong = [found for path in paths for found in window.look_at(path)]
    wrong += window.follow(followed[whose])

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_pages_for_everybody_are_whole(
    look: Look, shops: dict[str, Shop], open_window: Open, followed: dict[str, set[str]]
) -> None:
    unconfirmed = EmailAddress(user=shops["empty"].owner, email="eve@example.com", pk=0)
    key = EmailConfirmationHMAC(unconfirmed).key
    places = {**shops["full"].places, "account_confirm_email": [{"key": key}]}
    window = open_window(look)
    paths = pages.addresses(pages.PUBLIC, places)

    wrong = [found for path in paths for found in window.look_at(path)]
    wrong += window.follow(followed["nobody"])

    assert not wrong, "\n".join(wrong)


def test_every_page_with_an_id_is_looked_at(shops: dict[str, Shop]) -> None:
    with_ids = {route.name for route in (*routes.ALL, *routes.LOG_IN) if route.parameters}

    assert with_ids & {*pages.PAGES} <= {*shops["full"].places}
