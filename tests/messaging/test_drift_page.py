"""The kept comparison of opt-outs with the carrier's: made, shown, repaired, repeated."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from accounts.choices import AccountStatus
from accounts.models import Account, User
from contacts.choices import ConsentSource
from contacts.models import ConsentEvent, OptOut
from contacts.selectors import opted_out
from contacts.services import consent_grant, consent_revoke
from messaging.models import DriftReport, DriftRow
from messaging.services.drift import drift_check, drifts_due

pytestmark = pytest.mark.django_db

URL = "/settings/opt-outs/"
MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
KEYWORD, CARRIER = ConsentSource.KEYWORD, ConsentSource.CARRIER
BLOCKED, WORD, OWN_WORDS, BY_HAND, AGREED, LISTED = (f"+1202555010{n}" for n in range(1, 7))


def _leaves(account: Account, phone: str, source: ConsentSource, wording: str) -> None:
    consent_revoke(account=account, phone=phone, source=source, wording=wording, at=MONDAY)


def _comes_back(account: Account, phone: str, wording: str, days: int = 1) -> None:
    at = MONDAY + timedelta(days=days)
    consent_grant(account=account, phone=phone, source=KEYWORD, wording=wording, at=at)


@pytest.fixture
def opt_outs(account: Account) -> None:
    """One phone only the carrier knows of, four only we know of, one both know of."""
    _leaves(account, BLOCKED, KEYWORD, "STOP")
    _comes_back(account, BLOCKED, "Texted “GARDEN”")
    _leaves(account, WORD, KEYWORD, "basta")
    _leaves(account, OWN_WORDS, ConsentSource.FREE_TEXT, "leave me alone")
    _leaves(account, BY_HAND, ConsentSource.MANUAL, "Called us")
    _leaves(account, LISTED, ConsentSource.IMPORT, "Old provider")
    _leaves(account, AGREED, KEYWORD, "STOP")


@pytest.fixture
def page(alice: User, account: Account) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def _checked(page: Client, account: Account) -> DriftReport:
    assert page.post(f"{URL}check/").status_code == 302
    drift_check(account.pk)
    return DriftReport.objects.get(account=account)


def test_a_comparison_is_asked_for_made_and_kept(
    page: Client, account: Account, other_account: Account, opt_outs: None
):
    _leaves(other_account, "+12025550109", ConsentSource.MANUAL, "Called")
    assert page.get(URL).context["report"] is None

    page.post(f"{URL}check/")
    page.post(f"{URL}check/")

    waiting = page.get(URL)
    assert waiting.context["report"].is_waiting
    assert "every 2s" in waiting.content.decode()
    assert account.audit_events.filter(action="consent.compared").count() == 1

    drift_check(account.pk)
    report = DriftReport.objects.get()
    assert (report.only_there, report.only_here, report.agreed) == (1, 4, 1)
    assert not report.is_waiting
    there = page.get(URL).context["lines"]
    assert [(row.phone, row.wording) for row, _ in there] == [(BLOCKED, "Texted “GARDEN”")]
    here = {
        row.phone: (row.wording, why) for row, why in page.get(f"{URL}?show=here").context["lines"]
    }
    assert {phone: wording for phone, (wording, _) in here.items()} == {
        WORD: "basta",
        OWN_WORDS: "leave me alone",
        BY_HAND: "Called us",
        LISTED: "Old provider",
    }
    assert "own words" in here[OWN_WORDS][1]
    assert "entered here" in here[LISTED][1]
    assert ConsentEvent.objects.filter(account=account).count() == 7


def test_a_second_comparison_replaces_the_first(page: Client, account: Account, opt_outs: None):
    _checked(page, account)
    _comes_back(account, BLOCKED, "START", days=2)
    _comes_back(account, WORD, "START", days=2)
    before = ConsentEvent.objects.count()

    report = _checked(page, account)

    assert (report.only_there, report.only_here, report.agreed) == (1, 3, 1)
    assert DriftRow.objects.count() == 4
    assert ConsentEvent.objects.count() == before


def test_nothing_is_compared_unasked(account: Account, page: Client, opt_outs: None):
    drift_check(account.pk)
    assert not DriftReport.objects.exists()

    first = _checked(page, account).checked_at
    drift_check(account.pk)

    assert DriftReport.objects.get().checked_at == first


def test_what_the_carrier_blocks_is_taken_over(page: Client, account: Account, opt_outs: None):
    _checked(page, account)
    row = DriftRow.objects.get(side="there")

    assert page.post(f"{URL}{row.pk}/take/").status_code == 302
    assert page.post(f"{URL}{row.pk}/take/").status_code == 404

    assert OptOut.objects.get(phone=BLOCKED).source == CARRIER
    event = ConsentEvent.objects.filter(phone=BLOCKED).latest("pk")
    assert event.wording == "Blocked at the carrier since 04 May 2026, 09:00 UTC"
    assert event.actor is not None
    report = DriftReport.objects.get()
    assert (report.only_there, report.agreed) == (0, 2)
    assert account.audit_events.filter(action="contact.opted_out", subject=BLOCKED).count() == 1


def test_whoever_texted_start_meanwhile_is_not_opted_out(
    page: Client, account: Account, opt_outs: None
):
    _checked(page, account)
    # A second opt-in of somebody who is in is put on record where it is an act of their own.
    ConsentEvent.objects.create(
        account=account, phone=BLOCKED, kind="in", source=KEYWORD, wording="START"
    )

    answer = page.post(f"{URL}{DriftRow.objects.get(side='there').pk}/take/", follow=True)

    assert not opted_out(account=account, phone=BLOCKED)
    assert "nothing differs" in answer.content.decode()
    assert DriftReport.objects.get().only_there == 0


def test_all_are_taken_over_at_once(page: Client, account: Account, opt_outs: None):
    for n in range(5):
        _leaves(account, f"+1202555015{n}", CARRIER, "Carrier code 21610")
        _comes_back(account, f"+1202555015{n}", "rejoin")
    assert _checked(page, account).only_there == 6

    answer = page.post(f"{URL}take/", follow=True)

    assert "Opted out 6 people here too." in answer.content.decode()
    assert not DriftRow.objects.filter(side="there").exists()
    assert OptOut.objects.filter(account=account, source=CARRIER).count() == 6


def test_accounts_are_compared_every_week(
    account: Account, other_account: Account, page: Client, opt_outs: None
):
    suspended = other_account
    _leaves(suspended, BY_HAND, ConsentSource.MANUAL, "Called us")
    Account.objects.filter(pk=suspended.pk).update(status=AccountStatus.SUSPENDED)

    drifts_due()
    first = DriftReport.objects.get()
    assert (first.account_id, first.only_there, first.asked_by) == (account.pk, 1, None)
    assert first.checked_at is not None

    _comes_back(account, WORD, "START", days=2)
    with time_machine.travel(first.checked_at + timedelta(days=6)):
        drifts_due()
        assert DriftReport.objects.get().only_here == 4
    with time_machine.travel(first.checked_at + timedelta(days=7, minutes=1)):
        drifts_due()
        assert DriftReport.objects.get().only_here == 3


def test_a_comparison_whose_hint_was_lost_is_made(account: Account, page: Client, opt_outs: None):
    page.post(f"{URL}check/")

    drifts_due()

    assert not DriftReport.objects.get().is_waiting
