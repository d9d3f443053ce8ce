"""Sign-up, log-in, password reset and the second step, as a browser does them."""

import re
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core import mail
from django.test import Client

from accounts import selectors
from accounts.choices import AccountStatus, Role
from accounts.models import Account, CreditEntry, Membership, User
from common.clock import now
from messaging.models import SenderNumber
from tests.accounts.conftest import verify

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ANSWERS = {
    "name": "Nora Novak",
    "account_name": "Nora's Noodles",
    "email": "nora@example.com",
    "password1": PASSWORD,
    "timezone": "America/Denver",
}


def _sign_up(browser: Client, **changes: str) -> Any:
    return browser.post("/auth/signup/", {**ANSWERS, **changes})


def _link(text: str) -> str:
    """The path of the one link in a mail."""
    (url,) = re.findall(r"http://localhost:8000(/\S+)", text)
    return str(url)


def test_a_new_account_has_its_own_empty_space_credits_and_a_number() -> None:
    browser = Client()

    answer = _sign_up(browser)

    assert answer.status_code == 302
    user = User.objects.get(email="nora@example.com")
    account = Account.objects.get()
    assert user.name == "Nora Novak"
    assert Membership.objects.get(user=user).role == Role.OWNER
    assert (account.name, account.timezone) == ("Nora's Noodles", "America/Denver")
    assert account.status == AccountStatus.TRIAL
    assert account.credit_balance == 100
    assert [(e.kind, e.available) for e in CreditEntry.objects.all()] == [("trial", 100)]
    sender = SenderNumber.objects.get()
    assert (sender.account, sender.is_default) == (account, True)
    assert re.fullmatch(r"\+1555[2-9]\d{6}", sender.phone)
    assert browser.get("/settings/").status_code == 200


def test_the_address_is_confirmed_by_the_mailed_link() -> None:
    browser = Client()
    _sign_up(browser)
    user = User.objects.get(email="nora@example.com")
    assert not selectors.user_may_send(user)

    (letter,) = mail.outbox
    assert letter.subject == "Confirm your email address"
    browser.get(_link(str(letter.body)))

    assert selectors.user_may_send(user)


def test_links_in_mail_do_not_follow_the_host_header(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    Client().post("/auth/signup/", ANSWERS, headers={"host": "evil.example"})
    Client().post(
        "/auth/password/reset/", {"email": "nora@example.com"}, headers={"host": "evil.example"}
    )

    assert len(mail.outbox) == 2
    assert all("evil.example" not in letter.body for letter in mail.outbox)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Etc/UTC", ""])
def test_a_zone_nobody_knows_is_no_reason_to_refuse(zone: str) -> None:
    _sign_up(Client(), timezone=zone)

    assert Account.objects.get().timezone == "UTC"


def test_the_zone_is_shown_and_chosen_at_sign_up() -> None:
    page = Client().get("/auth/signup/").content.decode()
    wrong = _sign_up(Client(), name="").content.decode()

    assert '<option value="UTC" selected>' in page
    assert '<option value="America/Denver" selected>' in wrong
    # What was chosen stays: only a fresh form takes the device's.
    assert ("resolvedOptions" in page, "resolvedOptions" in wrong) == (True, False)


def test_line_breaks_in_names_reach_no_subject() -> None:
    _sign_up(Client(), name="Nora\r\nBcc: all@example.com", account_name="Noodles\nBcc: x")

    assert User.objects.get().name == "Nora Bcc: all@example.com"
    assert Account.objects.get().name == "Noodles Bcc: x"


@pytest.mark.parametrize(
    "changes",
    [{"password1": "12345678"}, {"email": "not an address"}, {"account_name": " "}, {"name": ""}],
)
def test_what_is_wrong_is_said_and_nothing_is_made(changes: dict[str, str]) -> None:
    answer = _sign_up(Client(), **changes)

    assert answer.status_code == 200
    assert b"field-error" in answer.content
    assert not User.objects.exists()
    assert not Account.objects.exists()
    assert mail.outbox == []


def test_an_address_signs_up_once() -> None:
    _sign_up(Client())

    answer = _sign_up(Client(), email="NORA@example.com")

    assert b"already registered" in answer.content
    assert (User.objects.count(), Account.objects.count()) == (1, 1)


@pytest.mark.parametrize("signup", ["invite", "closed"])
def test_sign_up_can_be_closed(settings: Any, signup: str) -> None:
    settings.SIGNUP = signup

    answer = _sign_up(Client())

    assert b"Sign-up is closed" in answer.content
    assert not User.objects.exists()
    assert b"Make an account" not in Client().get("/auth/login/").content


def test_signing_up_has_a_limit() -> None:
    with time_machine.travel(now(), tick=False):  # within a minute, however slow the machine
        answers = [_sign_up(Client(), email=f"nora{n}@example.com") for n in range(21)]

    assert [answer.status_code for answer in answers] == [302] * 20 + [429]
    assert b"Too many tries" in answers[-1].content
    assert User.objects.count() == 20


# --- Log-in ---


@pytest.fixture
def nora() -> User:
    """Somebody with a password and a confirmed address."""
    user = User.objects.create_user("nora@example.com", PASSWORD, name="Nora")
    verify(user)
    return user


def _log_in(browser: Client, password: str = PASSWORD, email: str = "nora@example.com") -> Any:
    return browser.post("/auth/login/?next=/settings/", {"login": email, "password": password})


def test_log_in_takes_the_address_in_any_case(nora: User) -> None:
    browser = Client()

    answer = _log_in(browser, email="Nora@Example.com")

    assert (answer.status_code, answer["Location"]) == (302, "/settings/")
    assert browser.session["_auth_user_id"] == str(nora.pk)


def test_guessing_passwords_ends_after_five_tries(nora: User) -> None:
    for _ in range(5):
        _log_in(Client(), password="wrong password")

    answer = _log_in(Client())

    assert b"Too many failed login attempts" in answer.content
    assert "_auth_user_id" not in Client().session


def test_staff_pages_ask_at_the_same_door(nora: User) -> None:
    answer = Client().get("/staff/login/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/auth/login/")


def test_a_password_is_reset_by_mail_and_the_link_works_once(nora: User) -> None:
    Client().post("/auth/password/reset/", {"email": "nora@example.com"})
    (letter,) = mail.outbox
    path = _link(str(letter.body))

    browser = Client()
    form_at = browser.get(path)["Location"]
    browser.post(form_at, {"password1": "another horse 9", "password2": "another horse 9"})

    nora.refresh_from_db()
    assert nora.check_password("another horse 9")
    assert b"This link no longer works" in Client().get(path, follow=True).content


def test_a_reset_does_not_tell_who_has_a_log_in(nora: User) -> None:
    known = Client().post("/auth/password/reset/", {"email": "nora@example.com"}, follow=True)
    unknown = Client().post("/auth/password/reset/", {"email": "nobody@example.com"}, follow=True)

    assert known.content == unknown.content


def test_two_step_log_in_asks_for_the_code(nora: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(nora, secret)
    browser = Client()

    first = _log_in(browser)
    assert (first.status_code, first["Location"].split("?")[0]) == (302, "/auth/2fa/authenticate/")
    assert "_auth_user_id" not in browser.session

    wrong = browser.post("/auth/2fa/authenticate/", {"code": "000000"})
    assert b"Incorrect code" in wrong.content
    assert "_auth_user_id" not in browser.session

    code = f"{hotp_value(secret, next(yield_hotp_counters_from_time())):06d}"
    browser.post("/auth/2fa/authenticate/", {"code": code})
    assert browser.session["_auth_user_id"] == str(nora.pk)


def test_the_second_step_is_set_up_from_the_profile(nora: User) -> None:
    browser = Client()
    _log_in(browser)

    asked = browser.get("/auth/2fa/totp/activate/")["Location"]
    page = browser.post(asked, {"password": PASSWORD}, follow=True).content.decode()
    match = re.search(r'<code class="mono">(\w+)</code>', page)
    assert match
    code = f"{hotp_value(match[1], next(yield_hotp_counters_from_time())):06d}"
    browser.post("/auth/2fa/totp/activate/", {"code": code})

    types = set(Authenticator.objects.filter(user=nora).values_list("type", flat=True))
    assert types == {"totp", "recovery_codes"}
    assert match[1] not in str(list(Authenticator.objects.values()))  # encrypted


# --- Without an account, and with two ---


def test_somebody_without_an_account_can_make_one(nora: User) -> None:
    browser = Client()
    browser.force_login(nora)
    assert browser.get("/settings/")["Location"] == "/accounts/none/"

    browser.post("/accounts/none/", {"account_name": "Nora's", "timezone": "Europe/Paris"})

    account = Account.objects.get()
    assert (account.name, account.timezone) == ("Nora's", "Europe/Paris")
    assert browser.get("/settings/").status_code == 200


def test_where_sign_up_is_closed_they_cannot(nora: User, settings: Any) -> None:
    settings.SIGNUP = "invite"
    browser = Client()
    browser.force_login(nora)

    browser.post("/accounts/none/", {"account_name": "Nora's"})

    assert not Account.objects.exists()


def test_switching_goes_only_to_ones_own_accounts(
    account: Account, other_account: Account, alice: User
) -> None:
    second = Account.objects.create(name="Alice's Attic")
    Membership.objects.create(account=second, user=alice, role=Role.VIEWER)
    browser = Client()
    browser.force_login(alice)

    browser.post(f"/accounts/{second.pk}/switch/")
    assert b"Alice&#x27;s Attic" in browser.get("/settings/credits/").content

    answer = browser.post(f"/accounts/{other_account.pk}/switch/")
    assert answer.status_code == 404
    assert b"Alice&#x27;s Attic" in browser.get("/settings/credits/").content
