"""Files that the world owns lie in a folder of the test's own."""

from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts import services
from accounts.choices import Scope
from accounts.models import Account, User
from tests.contracts.world import (
    World,
    world_create,
)


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def alices(account: Account, alice: User) -> World:
    """What Alice's shop owns. Her address is confirmed, so that she may send."""
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    return world_create(account, alice)


@pytest.fixture
def charlies(other_account: Account, charlie: User) -> World:
    """The same in Charlie's shop."""
    return world_create(other_account, charlie)


def browser_of(user: User) -> Client:
    """A browser in which the user is logged in."""
    browser = Client()
    browser.force_login(user)
    return browser


def headers_of(account: Account, user: User) -> dict[str, str]:
    """Of calls with a key of the account that may do everything."""
    _, secret = services.apikey_create(
        account=account, actor=user, name="Test", scopes=Scope.values
    )
    return {"authorization": f"Bearer {secret}"}
