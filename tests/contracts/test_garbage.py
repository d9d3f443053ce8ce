"""Whatever stands behind a question mark: a page ignores it or says a sentence, and never breaks.

Nobody lists the parameters here: what a page asks of its address is recorded while it is opened,
and then it is given each of them as garbage. So a parameter that is new tomorrow is tried too.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.http import HttpResponseBase, QueryDict
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.choices import Scope
from accounts.models import Account, User
from tests.contracts import routes
from tests.contracts.test_isolation import CALLS, PAGES, SECRETS
from tests.contracts.world import World, world_create

pytestmark = pytest.mark.django_db

GARBAGE: Final = (
    "\0",
    "9" * 30,
    "9" * 5_000,
    "-1",
    "٣٣",
    "NaN",
    "2026-02-30",
    "9999-12-31T23:59:59-23:59_1",
    "' OR 1=1 --<script>",
    "word " * 2_000,
    "x" * 5_000,
)
# Cursors of the API are a form of their own, in base64: o=offset, r=reverse, p=position.
CURSORS: Final = ("cD1hYmM=", "cj0xJnA9MjAyNg==", "bz0xJnA9LTE=", f"cD05{'OTk5' * 12}", "%%%", "é")

Ask = Callable[[str, dict[str, Any]], HttpResponseBase]


@pytest.fixture
def world(account: Account, alice: User) -> World:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    return world_create(account, alice)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that were asked of any address or form since it was emptied."""
    names: set[str] = set()
    for method in ("get", "getlist", "__getitem__", "__contains__"):
        monkeypatch.setattr(QueryDict, method, _recording(getattr(QueryDict, method), names))
    return names


def _recording(method: Any, names: set[str]) -> Any:
    def recorded(self: QueryDict, name: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(name, str):
            names.add(name)
        return method(self, name, *args, **kwargs)

    return recorded


def _broken(ask: Ask, url: str, asked: set[str], garbage: tuple[str, ...]) -> Iterator[str]:
    """What answers with an error of the server, of all that `url` asks for."""
    asked.clear()
    _status(ask, url, {})
    for value in garbage:
        # What an answer to garbage asks for is garbage in the next round.
        params = dict.fromkeys(asked, value)
        status = _status(ask, url, params) if params else 200
        if status >= 500:
            yield f"{url} {sorted(params)} {value[:12]!r}: {status}"


def _status(ask: Ask, url: str, params: dict[str, Any]) -> int:
    """The answer's status; what it wrote is taken back, also where the database refused."""
    before = transaction.savepoint()
    try:
        answer = ask(url, params)
        if answer.streaming:
            b"".join(answer)
        return answer.status_code
    finally:
        transaction.set_rollback(False)
        transaction.savepoint_rollback(before)


def _address(route: routes.Route, names: dict[str, str], ids: dict[str, int]) -> str:
    return reverse(route.name, kwargs={key: ids[thing] for key, thing in names.items()})


def test_no_page_breaks_on_what_stands_in_its_address(
    world: World, alice: User, asked: set[str]
) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    pages = [route for route in routes.DASHBOARD if route.name not in SECRETS]

    broken = [
        told
        for route in pages
        for told in _broken(
            browser.get, _address(route, PAGES.get(route.name, {}), world.ids()), asked, GARBAGE
        )
    ]

    assert len(pages) > 100
    assert "\n".join(broken) == ""


def test_no_form_breaks_on_what_it_is_sent(world: World, alice: User, asked: set[str]) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)

    broken = [
        told
        for route in routes.DASHBOARD
        if route.name not in SECRETS
        for told in _broken(
            browser.post, _address(route, PAGES.get(route.name, {}), world.ids()), asked, GARBAGE
        )
    ]

    assert "\n".join(broken) == ""


def test_no_call_breaks_on_what_stands_in_its_address(
    world: World, account: Account, alice: User, asked: set[str]
) -> None:
    _, key = services.apikey_create(account=account, actor=alice, name="x", scopes=Scope.values)
    program = Client(raise_request_exception=False, headers={"authorization": f"Bearer {key}"})

    def bare(url: str, params: dict[str, Any]) -> HttpResponseBase:
        return program.get(url, {name: params[name] for name in params if name != "format"})

    broken: list[str] = []
    for route in routes.REST:
        if "GET" in route.actions:
            ids = {name: world.ids()[CALLS[route.name]] for name in route.parameters}
            url = reverse(route.name, kwargs=ids)
            broken += _broken(bare, url, asked, GARBAGE)
            for cursor in CURSORS:
                for narrowed in ({}, {"batch": str(world.batch.pk)}):
                    status = _status(bare, url, {"cursor": cursor, **narrowed})
                    if status >= 500:
                        broken.append(f"{url} cursor {cursor!r}: {status}")

    assert "\n".join(broken) == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"{", b"\xff\xfe", b'{"a":' * 2_000, b"[" * 100_000, b"NaN"],
)
def test_no_call_breaks_on_a_body_that_is_none(
    body: bytes, world: World, account: Account, alice: User
) -> None:
    _, key = services.apikey_create(account=account, actor=alice, name="x", scopes=Scope.values)
    program = Client(raise_request_exception=False, headers={"authorization": f"Bearer {key}"})

    statuses = {}
    for route in routes.REST:
        ids = {name: world.ids()[CALLS[route.name]] for name in route.parameters}
        for method in {"POST", "PATCH", "PUT"} & route.actions.keys():
            before = transaction.savepoint()
            answer = program.generic(
                method, reverse(route.name, kwargs=ids), body, content_type="application/json"
            )
            transaction.set_rollback(False)
            transaction.savepoint_rollback(before)
            statuses[method, route.name] = answer.status_code

    assert {what: status for what, status in statuses.items() if status >= 500} == {}
    assert len(statuses) > 20
