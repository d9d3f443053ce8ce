"""Account settings, profile, credits and staff pages in a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.choices import AccountStatus, CreditKind
from accounts.models import Account, AuditEvent, CreditEntry, User
from common.errors import Invalid

pytestmark = pytest.mark.django_db

Browse = Callable[[User], Client]

SETTINGS = {
    "business": {"name": "Alice's Roses", "timezone": "Europe/Berlin", "default_country": "DE"},
    "texting": {
        "quiet_start": "20:30",
        "quiet_end": "09:00",
        "cap_texts": "2",
        "cap_days": "14",
        "attribution_hours": "48",
    },
    "consent": {"requires_consent": "on", "consent_wording": "Asked at the till."},
    "approval": {
        "requires_approval": "on",
        "approval_over_people": "12",
        "template_rule": "marketers",
    },
    "credits": {"monthly_budget_credits": "5000", "low_balance_credits": "300"},
    "answers": {"brand": "Roses", "help_text": "Call us."},
    "keeping": {"keep_bodies_days": "90", "keep_events_days": "60"},
}


def save(browser: Client, section: str, **changes: str) -> Any:
    """A section filled in and saved."""
    return browser.post("/settings/account/", {"section": section, **SETTINGS[section], **changes})


def test_settings_are_changed_and_the_trail_says_what(
    account: Account, alice: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)

    answers = [save(browser, section) for section in SETTINGS]

    assert [answer.headers["Location"] for answer in answers] == [
        f"/settings/account/?saved={section}#{section}" for section in SETTINGS
    ]
    account.refresh_from_db()
    assert (account.name, account.brand, account.timezone) == (
        "Alice's Roses",
        "Roses",
        "Europe/Berlin",
    )
    assert (str(account.quiet_start), str(account.quiet_end)) == ("20:30:00", "09:00:00")
    assert (account.requires_consent, account.attribution_hours) == (True, 48)
    assert (account.cap_texts, account.cap_days) == (2, 14)
    assert account.monthly_budget_credits == 5000
    assert account.low_balance_credits == 300
    assert (account.keep_bodies_days, account.keep_events_days) == (90, 60)
    assert (account.requires_approval, account.approval_over_people) == (True, 12)
    assert (account.template_rule, account.consent_wording) == ("marketers", "Asked at the till.")
    trail = AuditEvent.objects.filter(action="account.changed").order_by("pk")
    assert [set(event.data) for event in trail] == [set(fields) for fields in SETTINGS.values()]
    event = trail[0]
    assert event.data["timezone"] == ["America/New_York", "Europe/Berlin"]
    assert account.default_country == "DE"
    assert event.data["default_country"] == ["US", "DE"]
    assert event.actor == alice


def test_the_settings_tell_the_quiet_hours_or_that_there_are_none(
    account: Account, alice: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)

    none = browser.get("/settings/").content.decode()
    Account.objects.update(quiet_start="21:00", quiet_end="08:00")
    usual = browser.get("/settings/").content.decode()

    assert "texts at any hour" in none
    assert "quiet 00:00" not in none
    assert "quiet 21:00 to 08:00" in usual
    assert "texts at any hour" not in usual


def test_own_keywords_are_kept_once_each_and_the_trail_reads_well(
    account: Account, alice: User, logged_in: Browse
) -> None:
    words = {"stop_words": "basta,  no  more , basta", "start_words": "rejoin"}

    save(logged_in(alice), "answers", **words)

    account.refresh_from_db()
    assert (account.stop_words, account.start_words) == (["basta", "no more"], ["rejoin"])
    event = AuditEvent.objects.get(action="account.changed")
    assert event.data["stop_words"] == ["", "basta, no more"]


def test_saving_the_same_again_leaves_no_trail(
    account: Account, alice: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)
    save(browser, "business")
    save(browser, "business")

    assert AuditEvent.objects.filter(action="account.changed").count() == 1


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("business", {"timezone": "Mars"}),
        ("business", {"default_country": "ZZ"}),
        ("business", {"name": ""}),
        ("texting", {"attribution_hours": "0"}),
        ("texting", {"quiet_start": "25:00"}),
        ("credits", {"monthly_budget_credits": "-1"}),
        ("credits", {"low_balance_credits": "2147483648"}),
        ("approval", {"approval_over_people": "-1"}),
        ("answers", {"stop_words": "!!!"}),
        ("answers", {"start_words": "x" * 41}),
        ("answers", {"stop_words": ",".join(f"word{n}" for n in range(31))}),
        ("keeping", {"keep_bodies_days": "29"}),
        ("keeping", {"keep_bodies_days": "3651"}),
        ("keeping", {"keep_events_days": "29"}),
    ],
)
def test_impossible_settings_change_nothing(
    account: Account, alice: User, logged_in: Browse, section: str, wrong: dict[str, str]
) -> None:
    before = Account.objects.values().get(pk=account.pk)

    answer = save(logged_in(alice), section, **wrong)

    assert answer.content.count(b"field-error") == 1
    assert Account.objects.values().get(pk=account.pk) == before
    assert not AuditEvent.objects.filter(action="account.changed").exists()


def test_a_section_saves_its_own_and_says_so(
    account: Account, alice: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)
    Account.objects.filter(pk=account.pk).update(low_balance_credits=77)

    done = browser.post(
        "/settings/account/",
        {"section": "keeping", **SETTINGS["keeping"], "low_balance_credits": "1", "name": "Other"},
    )
    page = browser.get(done.headers["Location"]).content.decode()

    account.refresh_from_db()
    assert (account.keep_bodies_days, account.low_balance_credits) == (90, 77)
    assert account.name == "Alice's Flowers"
    assert page.count('class="saved"') == 1
    assert page.index('id="keeping"') < page.index('class="saved"')
    assert browser.post("/settings/account/", SETTINGS["keeping"]).status_code == 404


def test_a_country_without_phone_numbers_is_refused(account: Account, alice: User) -> None:
    with pytest.raises(Invalid) as refused:
        services.account_update(account=account, actor=alice, default_country="AQ")

    assert set(refused.value.fields) == {"default_country"}
    assert Account.objects.get(pk=account.pk).default_country == "US"
    assert not AuditEvent.objects.filter(action="account.changed").exists()


def test_a_marketer_changes_no_settings(account: Account, bob: User, logged_in: Browse) -> None:
    answer = save(logged_in(bob), "business")

    assert answer.status_code == 403
    assert Account.objects.get(pk=account.pk).name == "Alice's Flowers"


def test_everybody_changes_their_own_name(account: Account, bob: User, logged_in: Browse) -> None:
    logged_in(bob).post("/settings/profile/", {"name": "Robert"})

    bob.refresh_from_db()
    assert bob.name == "Robert"


def test_the_statement_names_every_cause_and_goes_on_to_the_next_page(
    account: Account, alice: User, logged_in: Browse
) -> None:
    services.credits_reserve(account=account, batch_id=7, credits=40, key="reserve")
    for n in range(60):
        services.credits_grant(
            account=account,
            credits=n + 1,
            kind=CreditKind.GRANT,
            key=str(n),
            actor=alice,
            note=f"Gift {n}",
        )
    browser = logged_in(alice)

    first = browser.get("/settings/credits/")
    second = browser.get("/settings/credits/", {"before": first.context["page"].older})

    page = first.content.decode()
    assert "101,790" in page  # 100,000 - 40 + 1,830
    assert "<strong>40</strong> held" in page
    assert "Gift 59" in page
    assert len(first.context["page"].rows) == 50
    assert [row.note for row in second.context["page"].rows[:2]] == ["Gift 9", "Gift 8"]
    assert len(second.context["page"].rows) == 12  # 10 gifts, the reservation, the trial
    assert "A send" in second.content.decode()


def test_every_movement_can_still_be_read(
    account: Account, other_account: Account, alice: User, logged_in: Browse
) -> None:
    services.credits_reserve(account=account, batch_id=7, credits=40, key="reserve")
    services.credits_settle(account=account, batch_id=7, credits=30, key="settle")
    services.credits_reserve(account=account, batch_id=8, credits=3, key="other")
    services.credits_reserve(account=other_account, batch_id=9, credits=5, key="theirs")
    browser = logged_in(alice)

    every = browser.get("/settings/credits/movements/").context["page"].rows
    of_one = browser.get("/settings/credits/movements/", {"batch": "7"}).context["page"].rows
    theirs = browser.get("/settings/credits/movements/", {"batch": "9"}).context["page"].rows

    assert [row.kind for row in every] == ["reserve", "settle", "reserve", "trial"]
    assert [(row.kind, row.batch_id) for row in of_one] == [("settle", 7), ("reserve", 7)]
    assert list(theirs) == []


def test_the_page_of_the_password_speaks_as_the_others_do(alice: User, logged_in: Browse) -> None:
    alice.set_password("a long password")
    alice.save()

    page = logged_in(alice).get("/auth/password/change/").content.decode()

    for label in ("Current password", "New password", "New password (again)"):
        assert f">{label}</label>" in page
    assert page.count("Forgot") == 1


# --- Staff ---


@pytest.fixture
def staff(logged_in: Browse) -> Client:
    """A browser of the platform's staff."""
    return logged_in(User.objects.create_superuser("staff@example.com", "a long password"))


def _act(browser: Client, action: str, account: Account, **more: str) -> Any:
    return browser.post(
        "/staff/accounts/account/",
        {"action": action, "_selected_action": [account.pk], **more},
        follow=True,
    )


def test_staff_approve_and_suspend(account: Account, staff: Client) -> None:
    Account.objects.filter(pk=account.pk).update(status=AccountStatus.TRIAL)

    _act(staff, "approve", account)
    assert Account.objects.get(pk=account.pk).status == AccountStatus.ACTIVE
    _act(staff, "suspend", account)
    assert Account.objects.get(pk=account.pk).status == AccountStatus.SUSPENDED

    events = AuditEvent.objects.filter(action="account.status").order_by("id")
    assert [e.data["status"] for e in events] == [["trial", "active"], ["active", "suspended"]]


def test_staff_give_credits_once_for_a_form(account: Account, staff: Client) -> None:
    for _ in range(2):
        _act(staff, "give_credits", account, credits="250", note="Sorry", once="form-1")

    entry = CreditEntry.objects.get(kind="grant")
    assert (entry.available, entry.note) == (250, "Sorry")
    assert entry.actor is not None
    assert entry.actor.email == "staff@example.com"
    assert Account.objects.get(pk=account.pk).credit_balance == 100_250


@pytest.mark.parametrize("credits", ["", "0", "-5", "1000000001", "9" * 30])
def test_giving_nothing_less_or_beyond_all_measure_is_refused(
    account: Account, staff: Client, credits: str
) -> None:
    answer = _act(staff, "give_credits", account, credits=credits)

    assert b"Say how many credits, 1 to 1,000,000,000." in answer.content
    assert not CreditEntry.objects.filter(kind="grant").exists()


def test_ledger_and_trail_cannot_be_edited(account: Account, staff: Client) -> None:
    entry = CreditEntry.objects.get(account=account)

    for url in (
        "/staff/accounts/creditentry/add/",
        f"/staff/accounts/creditentry/{entry.pk}/delete/",
        "/staff/accounts/auditevent/add/",
        "/staff/accounts/account/add/",
    ):
        assert staff.get(url).status_code == 403
    staff.post(f"/staff/accounts/creditentry/{entry.pk}/change/", {"available": "999"})

    entry.refresh_from_db()
    assert entry.available == 100_000


def test_account_users_are_no_staff(account: Account, alice: User, logged_in: Browse) -> None:
    _act(logged_in(alice), "give_credits", account, credits="250")

    assert Account.objects.get(pk=account.pk).credit_balance == 100_000


def test_every_section_of_the_staff_pages_has_its_own_name(staff: Client) -> None:
    sections = staff.get("/staff/").context["app_list"]

    names = {section["app_label"]: section["name"] for section in sections}
    assert names["accounts"] == "Accounts, users and credits"
    assert (names["account"], names["mfa"]) == ("Log-in: email addresses", "Log-in: second steps")
    assert len(set(names.values())) == len(names)
