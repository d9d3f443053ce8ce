"""Every address of the `web` process is a page, an action or a part, and stands in one table."""

from collections.abc import Collection

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from tests.contracts import routes
from tests.e2e import pages

TABLES: list[Collection[str]] = [
    pages.PAGES,
    pages.PUBLIC,
    pages.MOMENTS,
    pages.ACTIONS,
    pages.PARTS,
]


def test_every_address_stands_in_one_table() -> None:
    rows = sorted(name for table in TABLES for name in table)
    described = {route.name for route in routes.REST} & {*pages.PARTS}

    names = {route.name for route in (*routes.DASHBOARD, *routes.LOG_IN)}

    assert rows == sorted(names | described)


@pytest.mark.django_db
def test_an_action_is_no_page(account: Account, alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    actions = [route for route in routes.DASHBOARD if route.name in pages.ACTIONS]

    answers = {
        route.name: browser.get(
            reverse(route.name, kwargs=dict.fromkeys(route.parameters, 999_999_999))
        ).status_code
        for route in actions
    }

    assert answers == dict.fromkeys(pages.ACTIONS, 405)
