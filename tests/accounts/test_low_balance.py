"""Low credits are told once each time they fall below the account's line."""

from smtplib import SMTPException
from typing import Any

import pytest
from django.core import mail

from accounts.choices import Role
from accounts.models import Account, Membership, User
from accounts.services import balances_warn, credits_grant, credits_reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def low(account: Account, bob: User) -> Account:
    """Wants to hear when fewer than 500 are left, and 400 are."""
    Account.objects.filter(pk=account.pk).update(low_balance_credits=500)
    credits_reserve(account=account, batch_id=7, credits=99_600, key="reserve")
    account.refresh_from_db()
    return account


def test_owners_and_admins_are_told_once(low: Account, bob: User, other_account: Account):
    admin = User.objects.create_user("dana@example.com")
    Membership.objects.create(account=low, user=admin, role=Role.ADMIN)

    assert [balances_warn(), balances_warn()] == [1, 0]

    (letter,) = mail.outbox
    assert sorted(letter.to) == ["alice@example.com", "dana@example.com"]  # not the marketer
    assert letter.subject == "Alice's Flowers: 400 credits left"
    assert "has 400 credits left, fewer than the 500" in letter.body
    assert "99,600 more are held" in letter.body
    assert "/settings/credits/" in letter.body


def test_the_next_crossing_is_told_again(low: Account):
    balances_warn()
    credits_grant(account=low, credits=100, kind="grant", key="more", actor=None)
    assert balances_warn() == 0
    credits_reserve(account=low, batch_id=8, credits=1, key="one too many")

    assert balances_warn() == 1

    assert [letter.subject[-16:] for letter in mail.outbox] == [
        "400 credits left",
        "499 credits left",
    ]


def test_no_line_no_mail(low: Account):
    Account.objects.update(low_balance_credits=0)

    assert balances_warn() == 0
    assert mail.outbox == []


def test_a_mail_that_was_not_taken_is_tried_again(low: Account, monkeypatch: Any):
    def refuse(*_: Any) -> None:
        raise SMTPException("busy")

    with monkeypatch.context() as broken:
        broken.setattr("accounts.services.mailing.send_mail", refuse)
        assert balances_warn() == 0

    assert balances_warn() == 1
    assert len(mail.outbox) == 1
