"""A trial's phone is verified by a code that only its holder can read."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.choices import Role
from accounts.errors import EmailUnverified, TooManyCodes
from accounts.models import Account, Membership, User, VerifiedNumber
from common.errors import Conflict
from contacts.choices import ConsentSource
from contacts.services import consent_revoke
from messaging.models import Batch, Message
from messaging.senders import sender_assign
from messaging.verification import verification_send

pytestmark = pytest.mark.django_db

PHONE = "+12025550143"


@pytest.fixture
def nora(account: Account) -> User:
    """A marketer of Alice's, her address confirmed."""
    user = User.objects.create_user("nora@example.com")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    Membership.objects.create(account=account, user=user, role=Role.MARKETER)
    return user


def _code() -> str:
    (found,) = re.findall(r"^\d{6}", Batch.objects.latest("id").body)
    return str(found)


def test_the_code_is_texted_by_the_platform(account: Account, nora: User) -> None:
    number = verification_send(account=account, actor=nora, phone=PHONE)

    message = Message.objects.get()
    platform = Account.objects.get(is_platform=True)
    assert (message.account_id, message.phone) == (platform.pk, PHONE)
    assert not Message.objects.filter(account=account).exists()  # nobody reads it in the log
    assert number.verified_at is None
    assert Account.objects.get(pk=account.pk).credit_balance == 100_000


def test_the_page_asks_for_the_code_and_verifies(account: Account, nora: User) -> None:
    browser = Client()
    browser.force_login(nora)

    asked = browser.post("/settings/numbers/verify/", {"phone": "(202) 555-0143"})
    number = VerifiedNumber.objects.get()
    assert asked["Location"] == f"/settings/numbers/verify/{number.pk}/"
    page = browser.get(asked["Location"]).content.decode()
    assert _code() not in page
    assert "/sim/phones" not in page

    wrong = browser.post(asked["Location"], {"code": "000000" if _code() != "000000" else "1" * 6})
    assert b"not right" in wrong.content
    browser.post(asked["Location"], {"code": _code()})
    number.refresh_from_db()
    assert number.verified_at is not None


def test_who_texts_from_a_practice_number_is_told_where_its_texts_are(
    account: Account, nora: User
) -> None:
    browser = Client()
    browser.force_login(nora)
    sender_assign(account=account)

    asked = browser.post("/settings/numbers/verify/", {"phone": PHONE})

    for path in (asked["Location"], "/settings/numbers/"):
        assert "/sim/phones" in browser.get(path).content.decode()


def test_an_unconfirmed_address_texts_nothing(account: Account, nora: User) -> None:
    EmailAddress.objects.filter(user=nora).update(verified=False)

    with pytest.raises(EmailUnverified):
        verification_send(account=account, actor=nora, phone=PHONE)

    assert not Message.objects.exists()
    assert not VerifiedNumber.objects.exists()


def test_codes_beyond_the_limit_are_not_texted(account: Account, nora: User) -> None:
    for _ in range(5):
        verification_send(account=account, actor=nora, phone=PHONE)

    with pytest.raises(TooManyCodes):
        verification_send(account=account, actor=nora, phone=PHONE)

    assert Message.objects.count() == 5


def test_somebody_who_left_gets_no_codes(account: Account, nora: User) -> None:
    verification_send(account=account, actor=nora, phone=PHONE)
    platform = Account.objects.get(is_platform=True)
    consent_revoke(account=platform, phone=PHONE, source=ConsentSource.KEYWORD)

    with pytest.raises(Conflict):
        verification_send(account=account, actor=nora, phone=PHONE)

    assert Message.objects.count() == 1
    assert VerifiedNumber.objects.get().codes == 1


def test_where_the_carrier_is_real_and_gave_no_number(
    account: Account, nora: User, settings: Any
) -> None:
    settings.TWILIO_API_BASE_URL = "https://api.twilio.com"

    with pytest.raises(Conflict):
        verification_send(account=account, actor=nora, phone=PHONE)

    assert not Message.objects.exists()
    assert not VerifiedNumber.objects.exists()
