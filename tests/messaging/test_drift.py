"""Our opt-outs held against what the carrier has told us of its own."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.services import consent_grant, consent_revoke
from messaging.drift import Blocked, drift

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)


def leaves(account: Account, phone: str, source: ConsentSource, wording: str) -> None:
    consent_revoke(account=account, phone=phone, source=source, wording=wording, at=MONDAY)


def comes_back(account: Account, phone: str, wording: str) -> None:
    consent_grant(
        account=account, phone=phone, source=ConsentSource.KEYWORD, wording=wording, at=TUESDAY
    )


def test_who_came_back_by_another_word_than_start_is_blocked_at_the_carrier_still(
    account: Account, other_account: Account
) -> None:
    keyword, carrier = ConsentSource.KEYWORD, ConsentSource.CARRIER
    leaves(account, "+12025550101", keyword, "Stop!")
    comes_back(account, "+12025550101", "Texted “GARDEN”")
    leaves(account, "+12025550102", carrier, "Carrier code 21610")
    comes_back(account, "+12025550102", "rejoin")
    leaves(account, "+12025550103", keyword, "STOP")
    comes_back(account, "+12025550103", "START")
    leaves(account, "+12025550104", keyword, "basta")  # a word of the account's own
    comes_back(account, "+12025550104", "rejoin")
    leaves(other_account, "+12025550105", keyword, "STOP")
    comes_back(other_account, "+12025550105", "rejoin")

    found = drift(account)

    assert found.blocked == [
        Blocked("+12025550101", MONDAY, "Texted “GARDEN”"),
        Blocked("+12025550102", MONDAY, "rejoin"),
    ]
    assert (found.agreed, found.only_ours) == (0, 0)


def test_opt_outs_of_which_the_carrier_knows_nothing_are_counted(account: Account) -> None:
    leaves(account, "+12025550101", ConsentSource.KEYWORD, "STOP")
    leaves(account, "+12025550102", ConsentSource.CARRIER, "Carrier code 21610")
    leaves(account, "+12025550103", ConsentSource.FREE_TEXT, "leave me alone")
    leaves(account, "+12025550104", ConsentSource.MANUAL, "Called us")
    leaves(account, "+12025550105", ConsentSource.KEYWORD, "basta")
    comes_back(account, "+12025550106", "START")

    said = StringIO()
    call_command("opt_out_drift", account=account.pk, stdout=said)

    assert said.getvalue() == (
        f"Account {account.pk}: 2 opted out here and at the carrier, 3 only here, 0 only at the"
        " carrier.\n"
    )
