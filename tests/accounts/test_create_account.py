"""`manage.py create_account`: JSON for programs, all or nothing."""

import json

import pytest
from django.core.management import CommandError, call_command

from accounts import selectors
from accounts.choices import AccountStatus, Role
from accounts.models import Account, ApiKey, CreditEntry, Membership, User
from common.ids import secret_hash
from messaging.models import SenderNumber

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "name": "Flowers",
    "email": "Rosie@Example.com",
    "password": "correct horse battery",
    "credits": 500,
}


def test_it_prints_what_a_program_needs(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_account", **ARGUMENTS)

    answer = json.loads(capsys.readouterr().out)
    account = Account.objects.get(name="Flowers")
    user = User.objects.get()
    assert answer["account_id"] == account.pk
    assert (answer["email"], answer["credits"]) == ("rosie@example.com", 500)
    assert (account.status, account.credit_balance) == (AccountStatus.ACTIVE, 500)
    assert [(e.kind, e.available) for e in CreditEntry.objects.all()] == [("grant", 500)]
    assert Membership.objects.get(user=user).role == Role.OWNER
    assert user.check_password("correct horse battery")
    assert selectors.user_may_send(user)
    key = ApiKey.objects.get(key_hash=secret_hash(answer["api_key"]))
    assert (key.account, key.scopes) == (account, ["read", "write", "send", "erase"])
    assert SenderNumber.objects.filter(account=account).count() == 1


@pytest.mark.parametrize(
    "changes",
    [{"email": "taken@example.com"}, {"name": " "}, {"timezone": "Mars"}, {"credits": -1}],
)
def test_what_cannot_be_makes_nothing(changes: dict[str, object]) -> None:
    User.objects.create_user("taken@example.com")

    with pytest.raises(CommandError):
        call_command("create_account", **{**ARGUMENTS, **changes})

    assert User.objects.count() == 1
    assert not Account.objects.exists()
