from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account, User
from accounts.services import account_create


@pytest.fixture
def alice(db: None) -> User:
    """Owner of the shop."""
    return User.objects.create_user("alice@shop.example", "pw-of-alice", name="Alice")


@pytest.fixture
def shop(alice: User) -> Account:
    """Alice's account."""
    return account_create(name="Flower shop", owner=alice)


@pytest.fixture
def charlie(db: None) -> User:
    """A stranger with an account of his own."""
    return User.objects.create_user("charlie@other.example", "pw-of-charlie", name="Charlie")


@pytest.fixture
def other_shop(charlie: User) -> Account:
    """Charlie's account."""
    return account_create(name="Another shop", owner=charlie)


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> Path:
    """Where uploads of the test lie."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path
