"""Fixtures that every part's tests share: the cast, the processes, the browser.

The cast: Alice owns a shop's account, Bob is her colleague and a marketer there, Charlie owns
another account and must never see anything of theirs.
"""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from accounts.choices import AccountStatus, Role
from accounts.models import Account, Membership, User
from accounts.services import account_create
from common.crypto import encrypt
from messaging import hours_rules
from messaging.models import CarrierAccount, SenderNumber
from smsplatform.local.places import LOCAL
from tests.e2e.looking import chromium
from tests.stack import FAST, Stack

# How long a draw or an example takes says what else the machine does, nothing of what is tested.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")

_STACK = pytest.StashKey[Stack]()
_LOOPBACK = ("127.", "localhost", "::1", "0.0.0.0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the fault tests in their long form")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop in this thread, in which asyncio.run refuses to work.
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "stack" in fixtures:
            item.add_marker(pytest.mark.stack)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether to run many times what otherwise runs once (`make faults`)."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(autouse=True, scope="session")
def _no_outside_sockets() -> Iterator[None]:
    """A test that reaches for another machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(_LOOPBACK):
            raise AssertionError(f"A test tried to reach {address[0]}.")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _rules_read_anew() -> None:
    """What one test entered of allowed hours is not what the next one keeps in mind."""
    hours_rules.forget()


# --- The cast ---


@pytest.fixture
def alice(db: None) -> User:
    """Owner of `account`."""
    return User.objects.create_user("alice@example.com", name="Alice Adams")


@pytest.fixture
def account(alice: User) -> Account:
    """Alice's shop: active, 100,000 credits, no quiet hours to depend on the time of day."""
    return _account("Alice's Flowers", owner=alice)


@pytest.fixture
def bob(account: Account) -> User:
    """A marketer in Alice's shop."""
    user = User.objects.create_user("bob@example.com", name="Bob Brown")
    Membership.objects.create(account=account, user=user, role=Role.MARKETER)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    """Owner of `other_account`: a stranger to Alice and Bob."""
    return User.objects.create_user("charlie@example.com", name="Charlie Clark")


@pytest.fixture
def other_account(charlie: User) -> Account:
    """Charlie's shop, in every way like Alice's."""
    return _account("Charlie's Cheese", owner=charlie)


def _account(name: str, *, owner: User) -> Account:
    account = account_create(
        name=name, owner=owner, status=AccountStatus.ACTIVE, trial_credits=100_000
    )
    account.quiet_start = account.quiet_end = "00:00"
    account.save(update_fields=["quiet_start", "quiet_end"])
    return account


@pytest.fixture
def carrier(request: pytest.FixtureRequest, db: None, settings: Any) -> CarrierAccount:
    """The platform's own log-in at carriersim."""
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack")  # which says where carriersim is
    return CarrierAccount.objects.create(
        name="carriersim",
        external_id=settings.TWILIO_ACCOUNT_SID,
        secret_encrypted=encrypt(settings.TWILIO_AUTH_TOKEN),
        api_base_url=settings.TWILIO_API_BASE_URL,
        list_delay_s=settings.CARRIER_LIST_DELAY_S,
        is_simulated=True,
    )


@pytest.fixture
def sender(account: Account, carrier: CarrierAccount) -> SenderNumber:
    """Alice's number, fast enough not to be what a test waits for."""
    return SenderNumber.objects.create(
        account=account,
        carrier_account=carrier,
        phone="+12025550100",
        rate_per_s=5_000,
        is_default=True,
    )


@pytest.fixture
def migrate(db: None) -> Callable[..., None]:
    """`migrate(app, name, back=...)`: one migration, whatever others came after it.

    PostgreSQL takes changes of tables back with the test's transaction.
    """
    loader = MigrationLoader(connection)

    def one(app: str, name: str, *, back: bool = False) -> None:
        migration = loader.graph.nodes[app, name]
        state = loader.project_state((app, name), at_end=False)
        connection.check_constraints()  # a table cannot be changed while they wait for its rows
        with connection.schema_editor() as editor:
            if back:
                migration.unapply(state, editor)
            else:
                migration.apply(state, editor)

    return one


# --- The processes ---


@pytest.fixture(scope="session")
def _session_stack(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Stack]:
    logs = Path(os.environ.get("TEST_LOGS") or LOCAL / "test" / f"logs-{os.getpid()}")
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    stack = Stack(database_url=_database_url(), logs=logs)
    request.config.stash[_STACK] = stack
    try:
        stack.start("carriersim", "edge", "web")
        yield stack
    finally:
        stack.end_all()


@pytest.fixture
def stack(transactional_db: None, _session_stack: Stack, settings: Any) -> Iterator[Stack]:
    """All processes over the committed test data, with an empty Redis.

    What a test killed of the others is started again. The settings of this process are those of
    the stack, so that a service called here makes the same links.
    """
    stack = _session_stack
    for name in ("PUBLIC_URL", "EDGE_URL", "LINK_URL", "TWILIO_API_BASE_URL"):
        setattr(settings, name, stack.environment[name])
    for name, value in FAST.items():
        setattr(settings, name, float(value))
    stack.refresh()
    yield stack
    stack.settle()


@pytest.fixture
def nothing_goes_out(stack: Stack) -> None:
    """Pages are served, but nobody launches or sends what a test writes by hand."""
    stack.hold_background()


def _database_url() -> str:
    """The address of the test database, as pytest-django made it."""
    given = django_settings.DATABASES["default"]
    credentials = f"{quote(given['USER'], safe='')}:{quote(given['PASSWORD'], safe='')}"
    return f"postgres://{credentials}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test over real processes shows what they wrote."""
    outcome: Any = yield
    report = outcome.get_result()
    stack = item.config.stash.get(_STACK, None)
    if report.failed and stack is not None and "stack" in getattr(item, "fixturenames", ()):
        report.sections.extend((f"log of {n}", tail) for n, tail in stack.log_tails().items())


# --- The browser ---


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium of this machine; tests that need it are skipped where there is none."""
    from playwright.sync_api import expect, sync_playwright

    found = chromium()
    if found is None:
        pytest.skip("Chromium is not on this machine's PATH, so no page is tested in a browser.")
    # Playwright keeps an event loop in this thread, where Django would refuse to use the database.
    patch = pytest.MonkeyPatch()
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    expect.set_options(
        timeout=30_000
    )  # as all else waits; five seconds are soon over on a busy machine
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()
    patch.undo()


@pytest.fixture
def page(browser: Any, stack: Stack) -> Iterator[Any]:
    """A desktop window on the stack's dashboard; fails the test on any script error."""
    yield from _page(browser, stack, width=1440, height=900)


@pytest.fixture
def phone_page(browser: Any, stack: Stack) -> Iterator[Any]:
    """The same on a phone's screen."""
    yield from _page(browser, stack, width=390, height=844)


def _page(browser: Any, stack: Stack, *, width: int, height: int) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": height}, base_url=stack.web_url
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def log_in(stack: Stack) -> Callable[[Any, User], None]:
    """`log_in(page, user)`: a browser session for `user` without the log-in page."""

    def _log_in(page: Any, user: User) -> None:
        client = Client()
        client.force_login(user)
        cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
        page.context.add_cookies(
            [{"name": cookie.key, "value": cookie.value, "url": stack.web_url}]
        )

    return _log_in
