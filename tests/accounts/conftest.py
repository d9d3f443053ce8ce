"""What tests of this app share: logged-in browsers, and limits that start at nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from accounts.choices import Role
from accounts.models import Account, Membership, Package, Purchase, User
from tests.accounts.purchasing import SECRET
from tests.accounts.stripe_stand_in import StripeStandIn, stand_in

Member = Callable[[Role, str], Membership]


@pytest.fixture(autouse=True)
def _no_limits_left_over() -> None:
    """allauth counts attempts in the cache, which outlives a test's transaction."""
    cache.clear()


@pytest.fixture
def logged_in() -> Callable[[User], Client]:
    """`logged_in(user)`: a browser in which the user has logged in."""

    def _logged_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return _logged_in


@pytest.fixture
def member(account: Account) -> Member:
    """`member(role, name)`: somebody more in Alice's shop, with a confirmed address."""

    def _member(role: Role, name: str) -> Membership:
        user = User.objects.create_user(f"{name.lower()}@example.com", name=name)
        verify(user)
        return Membership.objects.create(account=account, user=user, role=role)

    return _member


def verify(user: User) -> None:
    """As if the user had opened the link in the mail."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True, "verified": True}
    )


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeStandIn]:
    """The stand-in, with this process' keys set for it."""
    with stand_in() as server:
        settings.STRIPE_SECRET_KEY = "sk_test_stand_in"
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        settings.STRIPE_API_BASE_URL = server.base_url
        yield server


@pytest.fixture
def package(db: None) -> Package:
    """2,500 credits for 50 dollars."""
    return Package.objects.create(name="Shop", credits=2500, price_cents=5000)


@pytest.fixture
def purchase(account: Account, alice: User) -> Purchase:
    """The one that the recorded payloads are about, not paid yet."""
    return Purchase.objects.create(
        account=account,
        name="Shop",
        credits=2500,
        price_cents=5000,
        currency="usd",
        reference="ref-of-the-recording",
        request_key="form",
        session_id="cs_test_a1fWqcm2Yb0Tz9dLk3",
        created_by=alice,
    )


def membership_of(account: Account, user: User) -> Membership:
    """The user's membership in the account."""
    return Membership.objects.get(account=account, user=user)
