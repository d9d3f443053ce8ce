"""API keys: made once, shown once, scoped, revoked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import services
from accounts.choices import Scope
from accounts.models import Account, ApiKey, AuditEvent, User
from common.clock import now
from common.errors import Invalid, NotFound
from common.ids import secret_hash

pytestmark = pytest.mark.django_db


class _Probe(APIView):
    """Answers which account a request is for."""

    required_scopes = {"DELETE": Scope.SEND}

    def get(self, request: Request) -> Response:
        key: Any = request.auth
        return Response({"account": key.account.pk})

    post = delete = get


def _ask(secret: str | None, method: str = "get") -> Any:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return _Probe.as_view()(getattr(APIRequestFactory(), method)("/", headers=headers))


def _key(account: Account, user: User, *scopes: Scope) -> tuple[ApiKey, str]:
    return services.apikey_create(account=account, actor=user, name="Shop", scopes=scopes)


def test_only_the_hash_is_kept(account: Account, alice: User) -> None:
    key, secret = _key(account, alice, Scope.SEND, Scope.READ)

    assert secret.startswith("tl_")
    assert len(secret) == 43
    stored = ApiKey.objects.values().get(pk=key.pk)
    assert stored["key_hash"] == secret_hash(secret)
    assert all(secret not in str(value) for value in stored.values())
    assert (stored["prefix"], stored["scopes"]) == (secret[:10], ["read", "send"])
    event = AuditEvent.objects.get(action="api_key.created")
    assert (event.actor, event.data) == (
        alice,
        {"prefix": secret[:10], "scopes": ["read", "send"]},
    )


def test_a_key_opens_its_own_account(account: Account, alice: User) -> None:
    _, secret = _key(account, alice, Scope.READ)

    answer = _ask(secret)

    assert (answer.status_code, answer.data) == (200, {"account": account.pk})


@pytest.mark.parametrize("secret", [None, "tl_wrong", "", "two words"])
def test_no_key_or_a_wrong_one_is_401(secret: str | None) -> None:
    answer = _ask(secret)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


SCOPES = [
    ("get", Scope.READ, 200),
    ("get", Scope.WRITE, 403),
    ("get", Scope.SEND, 403),
    ("post", Scope.WRITE, 200),
    ("post", Scope.READ, 403),
    ("delete", Scope.SEND, 200),
    ("delete", Scope.WRITE, 403),
]


@pytest.mark.parametrize(("method", "scope", "status"), SCOPES)
def test_a_key_does_what_its_scopes_name(
    account: Account, alice: User, method: str, scope: Scope, status: int
) -> None:
    _, secret = _key(account, alice, scope)

    assert _ask(secret, method).status_code == status


def test_a_revoked_key_is_dead_at_once(account: Account, alice: User) -> None:
    key, secret = _key(account, alice, Scope.READ)

    services.apikey_revoke(account=account, actor=alice, key_id=key.pk)
    services.apikey_revoke(account=account, actor=alice, key_id=key.pk)

    assert _ask(secret).status_code == 401
    assert AuditEvent.objects.filter(action="api_key.revoked").count() == 1


def test_a_strangers_key_is_not_there_to_revoke(
    account: Account, alice: User, other_account: Account, charlie: User
) -> None:
    key, secret = _key(account, alice, Scope.READ)

    with pytest.raises(NotFound):
        services.apikey_revoke(account=other_account, actor=charlie, key_id=key.pk)

    assert _ask(secret).status_code == 200


@pytest.mark.parametrize(("name", "scopes"), [("", ["read"]), ("Shop", []), ("Shop", ["all"])])
def test_a_key_needs_a_name_and_known_scopes(
    account: Account, alice: User, name: str, scopes: list[str]
) -> None:
    with pytest.raises(Invalid):
        services.apikey_create(account=account, actor=alice, name=name, scopes=scopes)

    assert not ApiKey.objects.exists()
    assert not AuditEvent.objects.filter(action="api_key.created").exists()


def test_last_use_is_known_to_the_minute(account: Account, alice: User) -> None:
    key, secret = _key(account, alice, Scope.READ)
    first = now()

    with time_machine.travel(first, tick=False):
        _ask(secret)
    with time_machine.travel(first + timedelta(seconds=59), tick=False):
        _ask(secret)
    key.refresh_from_db()
    assert key.last_used_at == first

    with time_machine.travel(first + timedelta(seconds=61), tick=False):
        _ask(secret)
    key.refresh_from_db()
    assert key.last_used_at == first + timedelta(seconds=61)


def test_the_page_shows_the_secret_once(
    account: Account, alice: User, logged_in: Callable[[User], Client]
) -> None:
    browser = logged_in(alice)

    made = browser.post("/settings/api-keys/", {"name": "Shop", "scopes": ["read", "send"]})
    key = ApiKey.objects.get()
    secret = made.context["secret"]

    assert secret in made.content.decode()
    assert f'Bearer {secret}" http://localhost:8000/api/v1/campaigns/' in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert secret not in browser.get("/settings/api-keys/").content.decode()
    browser.post(f"/settings/api-keys/{key.pk}/revoke/")
    assert _ask(secret).status_code == 401


def test_a_marketer_makes_and_sees_no_keys(
    account: Account, bob: User, logged_in: Callable[[User], Client]
) -> None:
    browser = logged_in(bob)

    asked = browser.get("/settings/api-keys/")
    made = browser.post("/settings/api-keys/", {"name": "Shop", "scopes": ["read"]})

    assert (asked.status_code, made.status_code) == (403, 403)
    assert not ApiKey.objects.exists()
