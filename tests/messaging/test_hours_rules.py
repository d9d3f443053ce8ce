"""Rules of allowed hours as rows: those of a new installation, how staff change them, the page."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from accounts.models import Account, User
from common.clock import today
from contacts.models import Contact
from messaging import hours_rules
from messaging.choices import BatchKind
from messaging.errors import HoursOverlap
from messaging.gate import Hours, policy
from messaging.hours_law import SEED
from messaging.models import HoursRule
from messaging.services import hours_rule_add, hours_rule_end
from messaging.services.hours import RuleAsked

pytestmark = pytest.mark.django_db

NEW_YORKER, TEXAN, CALIFORNIAN = "+12125550101", "+15125550101", "+14155550101"
ADD = "/staff/messaging/hoursrule/add/"
ALL = list(range(7))
RULES = policy(
    kind=BatchKind.BLAST,
    ignores_quiet_hours=False,
    requires_consent=False,
    is_simulated=False,
    quiet_start=time(0),
    quiet_end=time(0),
    timezone="America/New_York",
)


def asked(region: str, opens: int, closes: int, **more: Any) -> RuleAsked:
    fields = {"weekdays": ALL, "valid_from": today(), "source": "a test", **more}
    return RuleAsked(region, opens=time(opens), closes=time(closes), **fields)


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "not-used-here"))
    return client


@pytest.fixture
def alices(alice: User, account: Account) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_an_installation_begins_with_the_rules_of_the_code():
    assert {hours_rules.rule_of(row) for row in HoursRule.objects.all()} == set(SEED)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_flushed_has_them_again():
    call_command("flush", interactive=False, verbosity=0)

    assert {hours_rules.rule_of(row) for row in HoursRule.objects.all()} == set(SEED)


def test_without_rows_the_rules_of_the_code_hold():
    before = hours_rules.law_now()
    HoursRule.objects.all().delete()
    hours_rules.forget()

    law = hours_rules.law_now()

    assert vars(law) == vars(before)


def test_rules_that_stand_are_not_added_to():
    HoursRule.objects.exclude(region="US").delete()

    hours_rules.seed(using="default")

    assert HoursRule.objects.count() == 1


def test_a_new_row_ends_the_one_before_it(django_capture_on_commit_callbacks: Callable[..., Any]):
    day = date(2031, 5, 1)

    with django_capture_on_commit_callbacks(execute=True):
        hours_rule_add(actor=None, asked=asked("FL", 10, 18, valid_from=day))

    rows = HoursRule.objects.filter(region="FL").values_list("opens", "valid_from", "valid_until")
    assert list(rows) == [
        (time(8), date(1991, 1, 1), date(2031, 4, 30)),
        (time(10), day, None),
    ]
    noons = [datetime(2031, 4, 30, 13, tzinfo=UTC), datetime(2031, 5, 1, 13, tzinfo=UTC)]
    until = [Hours(RULES, at).held_until("+13055550100", "") for at in noons]  # 09:00 in Miami
    assert until == [None, datetime(2031, 5, 1, 14, tzinfo=UTC)]


def test_days_that_the_new_row_leaves_out_go_on_as_they_were():
    day = today() + timedelta(days=3)

    hours_rule_add(actor=None, asked=asked("TX", 10, 14, weekdays=[5], valid_from=day))

    rows = HoursRule.objects.filter(region="TX").order_by("pk")
    assert [(row.weekdays, row.opens.hour, row.valid_until) for row in rows] == [
        ([0, 1, 2, 3, 4, 5], 9, day - timedelta(days=1)),
        ([6], 12, None),
        ([0, 1, 2, 3, 4], 9, None),
        ([5], 10, None),
    ]


@pytest.mark.parametrize(
    "again",
    [
        {"valid_from": date(2020, 1, 1)},  # a day on which others were texted under the old one
        {"valid_from": date(1990, 1, 1)},
        {"valid_until": date(2032, 1, 1)},  # and what then?
    ],
)
def test_overlapping_rules_are_refused(again: dict[str, Any]):
    before = list(HoursRule.objects.values())

    with pytest.raises(HoursOverlap):
        hours_rule_add(actor=None, asked=asked("WA", 9, 19, **again))

    assert list(HoursRule.objects.values()) == before


def test_a_rule_that_ends_leaves_room_after_its_last_day():
    rule = HoursRule.objects.get(region="KY")
    last = today() + timedelta(days=5)
    hours_rule_end(rule=rule, valid_until=last)

    with pytest.raises(HoursOverlap):
        hours_rule_add(actor=None, asked=asked("KY", 9, 20, valid_from=last))
    hours_rule_add(actor=None, asked=asked("KY", 9, 20, valid_from=last + timedelta(days=1)))

    rows = HoursRule.objects.filter(region="KY").values_list("valid_until", flat=True)
    assert list(rows) == [last, None]


def test_a_thousand_recipients_cost_one_query(django_assert_num_queries: Any):
    at = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)  # 08:30 in New York, 07:30 in Texas

    with django_assert_num_queries(1):
        hours = Hours(RULES, at)
        until = [hours.held_until(phone, "") for phone in (NEW_YORKER, TEXAN) * 500]
        assert Hours(RULES, at).held_until(NEW_YORKER, "") is None

    assert until == [None, at + timedelta(minutes=90)] * 500


def _typed(**fields: Any) -> dict[str, Any]:
    day = (today() + timedelta(days=30)).isoformat()
    return {
        "region": "WA",
        "weekdays": ["0", "1", "2", "3", "4"],
        "opens": "09:00",
        "closes": "19:00",
        "valid_from": day,
        "valid_until": "",
        "source": "RCW 1.2.3",
        "link": "",
        **fields,
    }


def test_staff_enter_a_rule_from_a_day_on(staff: Client):
    answer = staff.post(ADD, _typed())

    assert answer.status_code == 302
    made = HoursRule.objects.get(source="RCW 1.2.3")
    assert (made.weekdays, made.opens, str(made.created_by)) == (
        [0, 1, 2, 3, 4],
        time(9),
        "staff@example.com",
    )
    assert HoursRule.objects.filter(region="WA").count() == 3


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"closes": "08:00"}, "Before it opens."),
        ({"weekdays": []}, "This field is required."),
        ({"valid_until": "2001-01-01"}, "Before it begins."),
        ({"valid_from": "2020-01-01"}, "Nothing was changed."),
    ],
)
def test_staff_are_told_what_is_wrong(staff: Client, typed: dict[str, Any], told: str):
    before = list(HoursRule.objects.values())

    answer = staff.post(ADD, _typed(**typed))

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert list(HoursRule.objects.values()) == before


def test_of_a_rule_that_stands_staff_change_only_its_end(staff: Client):
    rule = HoursRule.objects.get(region="CT")
    page = f"/staff/messaging/hoursrule/{rule.pk}/change/"
    last = today() + timedelta(days=9)

    assert staff.post(page, {"valid_until": "2020-01-01"}).status_code == 200
    assert staff.post(page, {"valid_until": last.isoformat(), "opens": "00:00"}).status_code == 302
    assert staff.post(f"/staff/messaging/hoursrule/{rule.pk}/delete/").status_code == 403

    rule.refresh_from_db()
    assert (rule.opens, rule.valid_until) == (time(9), last)


# --- The page ---


def test_the_page_tells_every_rule_with_its_source(alices: Client):
    hours_rule_add(actor=None, asked=asked("OR", 9, 17, valid_from=today() + timedelta(days=2)))

    answer = alices.get("/settings/hours/")

    lines = answer.context["rules"]
    assert len(lines) == 17
    assert (lines[0].region, lines[0].days) == ("United States", "every day")
    assert [line.region for line in lines if line.is_coming] == ["Oregon"]
    assert {line.days for line in lines if line.region == "Texas"} == {"Mon to Sat", "Sun"}
    page = answer.content.decode()
    assert "https://www.ecfr.gov/current/title-47/section-64.1200" in page
    assert "no quiet hours of its own" in page


def test_every_rule_has_a_source_and_tells_since_when_it_is_known_to_hold(alices: Client):
    assert all(row.source and row.valid_from for row in HoursRule.objects.all())
    by_tables = HoursRule.objects.filter(link="")
    assert {row.region for row in by_tables} == {
        *("AL", "CT", "KY", "LA", "MA", "MD", "MS", "NJ", "OK", "RI"),
    }
    assert all(row.source.endswith("statute not read") for row in by_tables)

    shown = alices.get("/settings/hours/").content.decode()

    assert shown.count("since Mon 1 Sep 2025") == 2
    assert shown.count("as of Mon 23 Nov 2026") == HoursRule.objects.count() - 2
    assert "1991" not in shown


@time_machine.travel(datetime(2026, 11, 29, 16, 0, tzinfo=UTC), tick=False)  # a Sunday
def test_a_number_is_tried(alices: Client, account: Account):
    def tried(query: str) -> Any:
        return alices.get(f"/settings/hours/?{query}").context["tried"]

    page = alices.get("/settings/hours/?phone=512 555 0101").content.decode()
    assert "12:00 in Chicago" in page
    texan = tried("phone=512 555 0101")
    assert (texan.region, texan.zones, texan.zones_from) == (
        "Texas",
        ("America/Chicago",),
        "number",
    )
    assert texan.opens_at == datetime(2026, 11, 29, 18, 0, tzinfo=UTC)  # noon
    assert [line.region for line in texan.lines] == ["United States", "Texas", "Texas"]

    elsewhere = tried("phone=512 555 0101&zone=Europe/Paris")
    assert (elsewhere.zones_from, elsewhere.opens_at) == ("asked", None)
    assert tried("phone=%2B493012345678").lines == []
    assert tried("phone=800 555 0101").zones_from == "account"

    Contact.objects.create(account=account, phone=TEXAN, timezone="Pacific/Honolulu")
    moved = tried("phone=512 555 0101")
    assert (moved.zones_from, moved.opens_at) == (
        "contact",
        datetime(2026, 11, 29, 22, 0, tzinfo=UTC),
    )


def test_anothers_contact_tells_nothing(alices: Client, other_account: Account):
    Contact.objects.create(account=other_account, phone=TEXAN, timezone="Pacific/Honolulu")

    tried = alices.get("/settings/hours/?phone=512 555 0101").context["tried"]

    assert tried.zones_from == "number"


def test_what_is_no_number_is_said_beside_the_field(alices: Client):
    answer = alices.get("/settings/hours/?phone=rose")

    assert answer.status_code == 422
    assert answer.context["form"].errors["phone"]
