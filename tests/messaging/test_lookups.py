"""Paid look-ups of line types: the price, the ledger, crashes, and what they are for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client as Browser

from accounts.errors import InsufficientCredits
from accounts.models import Account, CreditEntry, User
from accounts.selectors import credit_books
from carriersim.client import Client
from common.clock import now
from contacts.choices import ConsentSource
from contacts.models import Contact, LineFact
from contacts.rules_sql import fitting
from contacts.services import consent_revoke, contact_update, group_add, group_create
from messaging import lookups
from messaging.errors import NobodyToLookUp
from messaging.lookups import lookup_run, lookup_sweep
from messaging.models import CarrierAccount, Lookup, LookupRun, SenderNumber
from messaging.recounting import differences
from messaging.services.lookups import lookup_offer, lookup_start
from tests.messaging.conftest import Launch, People, states

pytestmark = pytest.mark.django_db

MOBILE, LANDLINE, INVALID = "+14155550100", "+14155550151", "+14155550158"
LOST, LIMITED, LIMITED_TWICE, UNAVAILABLE = (f"+141555501{n}" for n in (70, 75, 76, 74))
URL = "/contacts/line-types/"

Start = Callable[..., LookupRun]


@pytest.fixture(autouse=True)
def _price(settings: Any) -> None:
    settings.LOOKUP_CREDITS = 3
    lookups._transport.cache_clear()


@pytest.fixture
def start(account: Account, alice: User, sender: SenderNumber) -> Start:
    def _start(key: str = "k1") -> LookupRun:
        return lookup_start(
            account=account,
            actor=alice,
            audience=Contact.objects.filter(account=account),
            title="Customers",
            request_key=key,
            most_credits=1_000_000,
        )

    return _start


@pytest.fixture
def page(alice: User, account: Account) -> Browser:
    browser = Browser()
    browser.force_login(alice)
    return browser


def _movements() -> list[tuple[str, int, int]]:
    entries = CreditEntry.objects.filter(idempotency_key__startswith="lookups:").order_by("pk")
    return list(entries.values_list("kind", "available", "held"))


def _states(run: LookupRun) -> dict[str, str]:
    return dict(Lookup.objects.filter(run=run).values_list("phone", "state"))


def _age(run: LookupRun) -> None:
    """Two minutes pass."""
    ago = now() - timedelta(minutes=2)
    LookupRun.objects.filter(pk=run.pk).update(touched_at=ago)
    Lookup.objects.filter(run=run, state="asked").update(asked_at=ago)


def test_line_types_are_told_kept_and_paid_for(
    start: Start, people: People, account: Account, sim: Client
):
    sim.set(line_types={"0107": "fixedVoip"})
    people(phones=[MOBILE, LANDLINE, "+14155550107", INVALID])

    run = start()
    assert _movements() == [("reserve", -12, 12)]
    lookup_run(run.pk)

    run.refresh_from_db()
    assert (run.state, run.numbers, run.told, run.credits_settled) == ("done", 4, 4, 12)
    types = dict(Contact.objects.values_list("phone", "line_type"))
    assert types == {
        MOBILE: "mobile", LANDLINE: "landline", "+14155550107": "voip", INVALID: "unknown",
    }  # fmt: skip
    facts = LineFact.objects.order_by("phone").values_list("line_type", "source", "carrier_name")
    assert facts[0] == ("mobile", "lookup", "Simulated Wireless")
    assert LineFact.objects.count() == 4
    assert _movements() == [("reserve", -12, 12), ("settle", 0, -12)]
    assert credit_books(account).used == 12
    assert differences() == []
    assert set(sim.lookups().values()) == {1}


def test_landlines_are_skipped_by_the_next_blast(
    start: Start, people: People, launch: Launch, sim: Client
):
    people(phones=[MOBILE, LANDLINE])
    lookup_run(start().pk)

    batch = launch()

    assert states(batch) == {("pending", ""): 1, ("skipped", "landline"): 1}


def test_what_was_told_survives_a_change_of_the_contact(
    start: Start, people: People, account: Account, alice: User
):
    (contact,) = people(phones=[LANDLINE])
    lookup_run(start().pk)

    contact_update(account=account, actor=alice, contact_id=contact.pk, last_name="Rose")

    contact.refresh_from_db()
    assert (contact.last_name, contact.line_type) == ("Rose", "landline")


def test_who_is_known_left_or_is_being_asked_is_not_asked_again(
    start: Start, people: People, account: Account, sim: Client
):
    people(phones=[MOBILE, LANDLINE, "+14155550101"])
    consent_revoke(account=account, phone=LANDLINE, source=ConsentSource.KEYWORD, wording="STOP")
    LineFact.objects.create(
        account=account, phone=MOBILE, line_type="mobile", at=now() - timedelta(days=91)
    )
    everybody = Contact.objects.filter(account=account)

    offer = lookup_offer(account=account, audience=everybody)
    assert (offer.numbers, offer.credits, offer.known, offer.opted_out) == (2, 6, 0, 1)

    run = start()
    offer = lookup_offer(account=account, audience=everybody)
    assert (offer.numbers, offer.known, offer.opted_out) == (0, 2, 1)
    with pytest.raises(NobodyToLookUp):
        start("k2")
    lookup_run(run.pk)
    with pytest.raises(NobodyToLookUp):
        start("k3")

    assert sim.lookups() == {MOBILE: 1, "+14155550101": 1}
    assert LookupRun.objects.count() == 1


def test_asking_twice_asks_once(start: Start, people: People, sim: Client):
    people(2)
    first = start()

    assert start() == first
    for _ in range(3):
        lookup_run(first.pk)

    assert set(sim.lookups().values()) == {1}
    assert _movements() == [("reserve", -6, 6), ("settle", 0, -6)]


def test_without_credits_nothing_is_asked(
    start: Start, people: People, account: Account, settings: Any
):
    people(4)
    settings.LOOKUP_CREDITS = 30_000  # and the account has 100,000

    with pytest.raises(InsufficientCredits):
        start()

    assert not LookupRun.objects.exists()
    assert not Lookup.objects.exists()


class Killed(BaseException):
    """The worker is gone."""


@pytest.mark.parametrize(
    ("dies_in", "asked"),
    [("_ask", 0), ("_record", 1), ("_finish", 1)],
)
def test_a_worker_that_dies_asks_and_charges_nobody_twice(
    start: Start,
    people: People,
    account: Account,
    sim: Client,
    monkeypatch: pytest.MonkeyPatch,
    dies_in: str,
    asked: int,
):
    monkeypatch.setattr(lookups, "_STEP", 3)
    contacts = people(5)
    run = start()

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(lookups, dies_in, die)
        with pytest.raises(Killed):
            lookup_run(run.pk)
    lookup_run(run.pk)  # a repeated hint, at once
    _age(run)
    lookup_sweep()
    lookup_run(run.pk)
    lookup_run(run.pk)

    run.refresh_from_db()
    lost = 0 if dies_in == "_finish" else 3
    assert (run.state, run.told) == ("done", 5 - lost)
    found = sorted(_states(run).values())
    assert found == ["lost"] * lost + ["told"] * (5 - lost)
    counts = sim.lookups()
    assert set(counts.values()) == {1}
    assert len(counts) == 5 - lost + lost * asked
    assert credit_books(account).used == 3 * (5 - lost)
    assert credit_books(account).held == 0
    assert Contact.objects.filter(line_type="mobile").count() == len(contacts) - lost


def test_what_is_being_asked_is_not_lost_while_its_worker_may_live(start: Start, people: People):
    people(2)
    run = start()
    assert len(lookups._claim(run)) == 2

    LookupRun.objects.filter(pk=run.pk).update(touched_at=now() - timedelta(minutes=2))
    lookup_sweep()
    lookup_run(run.pk)

    run.refresh_from_db()
    assert (run.state, set(_states(run).values())) == ("running", {"asked"})


def test_two_workers_at_once_share_the_numbers(start: Start, people: People, sim: Client):
    people(4)
    run = start()
    mine = lookups._claim(run)
    Lookup.objects.filter(pk__in=[pk for pk, _ in mine[2:]]).update(state="waiting")

    lookup_run(run.pk)

    assert sorted(sim.lookups()) == sorted(phone for _, phone in mine[2:])
    run.refresh_from_db()
    assert run.state == "running"


def test_lost_answers_are_not_asked_again_and_not_charged(
    start: Start, people: People, account: Account, sim: Client
):
    people(phones=[MOBILE, LOST])
    run = start()

    lookup_run(run.pk)

    run.refresh_from_db()
    assert _states(run) == {MOBILE: "told", LOST: "lost"}
    assert sim.lookups() == {MOBILE: 1, LOST: 1}
    assert _movements() == [("reserve", -6, 6), ("settle", 0, -3), ("release", 3, -3)]


def test_what_was_turned_away_is_asked_again_some_times(start: Start, people: People, sim: Client):
    people(phones=[LIMITED, LIMITED_TWICE, UNAVAILABLE])
    run = start()

    for _ in range(8):
        lookup_run(run.pk)

    assert _states(run) == {LIMITED: "refused", LIMITED_TWICE: "told", UNAVAILABLE: "lost"}
    assert sim.lookups() == {LIMITED_TWICE: 1}
    assert sim.stats()["faults"] == {"rate_limited": 8, "unavailable": 1}
    run.refresh_from_db()
    assert (run.state, run.told) == ("done", 1)


def test_a_log_in_that_is_refused_ends_the_run(
    start: Start, people: People, account: Account, sim: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lookups, "_STEP", 2)
    people(5)
    run = start()
    CarrierAccount.objects.update(external_id="AC" + "9" * 32)

    lookup_run(run.pk)

    run.refresh_from_db()
    assert (run.state, run.told) == ("failed", 0)
    assert "paid back" in run.error
    assert set(_states(run).values()) == {"refused"}
    assert credit_books(account).held == 0
    assert credit_books(account).used == 0


# --- The pages ---


def test_the_page_states_the_price_before_it_asks(
    page: Browser, people: People, account: Account, alice: User, sender: SenderNumber, sim: Client
):
    group = group_create(account=account, actor=alice, name="Regulars")
    contacts = people(3)
    members = [contact.pk for contact in contacts[:2]]
    group_add(account=account, actor=alice, group_id=group.pk, contact_ids=members)

    told = page.get(f"{URL}?group={group.pk}")
    assert told.context["offer"].credits == 6
    assert "6 credits" in told.content.decode()
    assert not LookupRun.objects.exists()

    answer = page.post(f"{URL}?group={group.pk}", {"key": told.context["key"], "credits": "6"})
    run = LookupRun.objects.get()
    assert answer.headers["Location"] == f"{URL}{run.pk}/"
    assert (run.title, run.numbers, run.asked_by) == ("Regulars", 2, alice)
    assert "every 2s" in page.get(f"{URL}{run.pk}/").content.decode()
    lookup_run(run.pk)
    done = page.get(f"{URL}{run.pk}/")
    assert done.context["counts"].types == [("Mobile", 2)]
    assert account.audit_events.filter(action="lines.looked_up").count() == 1
    assert "Line types of Regulars" in page.get("/settings/credits/").content.decode()


def test_people_who_take_too_long_to_be_found_get_no_price(
    page: Browser,
    people: People,
    account: Account,
    sender: SenderNumber,
    monkeypatch: pytest.MonkeyPatch,
):
    people(phones=[MOBILE])
    rules = {"field": "phone", "op": "filled"}
    group = group_create(account=account, actor=None, name="All", rules=rules)

    def slow(**asked: Any) -> QuerySet[Contact]:
        return fitting(**asked).extra(where=["pg_sleep(10) IS NOT NULL"])

    monkeypatch.setattr("messaging.services.lookups._LOOK_S", 0.05)
    monkeypatch.setattr("contacts.looking.LOOK_S", 0.05)
    monkeypatch.setattr("contacts.membership.fitting", slow)
    answer = page.get(f"{URL}?group={group.pk}", follow=True)

    assert answer.redirect_chain == [(f"/contacts/groups/{group.pk}/", 302)]
    assert "Finding these people takes longer than a page may" in answer.content.decode()
    assert not LookupRun.objects.exists()


@pytest.mark.parametrize("shown", ["6", "", "x"])
def test_more_than_the_page_said_is_not_reserved(
    page: Browser, people: People, account: Account, alice: User, sender: SenderNumber, shown: str
):
    group = group_create(account=account, actor=alice, name="Regulars")
    contacts = people(3)
    ids = [contact.pk for contact in contacts]
    group_add(account=account, actor=alice, group_id=group.pk, contact_ids=ids[:2])
    told = page.get(f"{URL}?group={group.pk}").content.decode()
    assert 'name="credits" value="6"' in told
    group_add(account=account, actor=alice, group_id=group.pk, contact_ids=ids[2:])

    form = {"key": "a", "credits": shown}
    answer = page.post(f"{URL}?group={group.pk}", form, follow=True).content.decode()

    assert "This would cost 9 credits by now, and the page said" in answer
    assert not LookupRun.objects.exists()
    assert _movements() == []
    page.post(f"{URL}?group={group.pk}", {"key": "a", "credits": "9"})
    assert _movements() == [("reserve", -9, 9)]


def test_one_contact_is_looked_up_from_its_page(
    page: Browser, people: People, sender: SenderNumber
):
    (contact,) = people(phones=[LANDLINE])
    there = f"{URL}?contact={contact.pk}"
    assert there in page.get(f"/contacts/{contact.pk}/").content.decode()

    page.post(there, {"key": "a", "credits": "3"})
    lookup_run(LookupRun.objects.get().pk)

    shown = page.get(f"/contacts/{contact.pk}/").content.decode()
    assert "Landline" in shown
    assert "Simulated Wireless" in shown
    assert there not in shown


def test_where_the_carrier_does_not_tell_it_nothing_is_offered(
    page: Browser, people: People, sender: SenderNumber, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.gateways.twilio.TwilioGateway.tells_lines", False)
    (contact,) = people(1)

    told = page.get(f"{URL}?contact={contact.pk}").content.decode()
    page.post(f"{URL}?contact={contact.pk}", {"key": "a", "credits": "3"})

    assert "does not tell line types" in told
    assert not LookupRun.objects.exists()


def test_a_strangers_people_are_not_looked_up(
    people: People, charlie: User, other_account: Account, account: Account, alice: User
):
    (contact,) = people(1)
    group = group_create(account=account, actor=alice, name="Hers")
    browser = Browser()
    browser.force_login(charlie)

    for query in (f"?contact={contact.pk}", f"?group={group.pk}", "", "?contact=x"):
        assert browser.get(URL + query).status_code == 404
        assert browser.post(URL + query).status_code == 404
    assert not LookupRun.objects.exists()
