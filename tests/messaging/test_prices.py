"""What a segment costs: by country and kind, from a day on, and the same from estimate to end."""

from datetime import timedelta
from typing import Any

import phonenumbers
import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, CreditEntry, User
from accounts.selectors import credit_books
from carriersim.client import Client
from common.clock import today
from common.countries import COUNTRIES
from common.phone import prefixes
from contacts.models import Contact, Group, GroupMember
from messaging.choices import BatchKind
from messaging.models import Batch, Message, Price
from messaging.pricing import Prices, prices_by_country
from messaging.selectors import prices_now
from messaging.services import batch_retry, estimate, message_send
from tests.messaging.conftest import Launch, People, send_all

US, CANADA, JAMAICA = "+14155550100", "+14165550100", "+18765550100"
LONDON, BERLIN = "+442071838750", "+493012345678"


@pytest.mark.parametrize(
    ("by_country", "costs"),
    [
        ({}, {US: 1, CANADA: 1, JAMAICA: 5, LONDON: 5, BERLIN: 5}),
        ({"GB": 3}, {US: 1, CANADA: 1, JAMAICA: 5, LONDON: 3, BERLIN: 5}),
        ({"": 2, "JM": 9}, {US: 1, CANADA: 1, JAMAICA: 9, LONDON: 2, BERLIN: 2}),
        ({"US": 2, "CA": 3}, {US: 2, CANADA: 3, JAMAICA: 5, LONDON: 5, BERLIN: 5}),
        ({"US": 1, "CA": 1, "PR": 1, "VI": 1, "": 1}, dict.fromkeys([US, JAMAICA, BERLIN], 1)),
    ],
)
def test_a_number_costs_what_its_country_costs(by_country: dict[str, int], costs: dict[str, int]):
    prices = prices_by_country(by_country)

    assert {phone: prices.of(phone) for phone in costs} == costs
    assert prices.credits(JAMAICA, 3) == 3 * costs[JAMAICA]
    assert prices.only(JAMAICA).by_prefix == {"": costs[JAMAICA]}


def test_example_numbers_of_all_countries_cost_what_was_said():
    said = {country: 2 + place % 7 for place, country in enumerate(COUNTRIES)}
    prices = prices_by_country(said)
    owners = [country for country in COUNTRIES if prefixes(country)]

    wrong = {}
    for country in owners:
        number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
        assert number is not None
        phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if prices.of(phone) != said[country]:
            wrong[country] = phone

    assert len(owners) > 200
    assert wrong == {}


@pytest.mark.django_db
@given(
    by_prefix=st.dictionaries(st.text("0123456789", max_size=4), st.integers(1, 100), max_size=6),
    phone=st.text("0123456789", min_size=7, max_size=15).map("+".__add__),
)
def test_the_database_reckons_as_we_do(by_prefix: dict[str, int], phone: str):
    prices = Prices(by_prefix)
    price = prices.sql("%s::text")
    places = price.text.count("%s::text")
    # Parameters stand in the order of the text: a table, then the phone it is asked for.
    mixed = [part for table in price.params for part in (table, phone)]

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {price.text}", mixed)
        (found,) = cursor.fetchone()

    assert (found, places) == (prices.of(phone), len(price.params))


@pytest.mark.django_db
def test_the_closest_row_in_force_counts():
    def row(country: str, kind: str, credits: int, days: int = 0) -> None:
        Price.objects.create(
            country=country, kind=kind, credits=credits, valid_from=today() + timedelta(days)
        )

    row("GB", "", 4, -10)
    row("GB", "", 3, -2)
    row("GB", "", 9, +1)  # from tomorrow on
    row("GB", BatchKind.API, 6, -20)
    row("", BatchKind.API, 7)

    blasts, texts = prices_now(kind=BatchKind.BLAST), prices_now(kind=BatchKind.API)

    assert (blasts.of(LONDON), blasts.of(BERLIN), blasts.of(US)) == (3, 5, 1)
    assert (texts.of(LONDON), texts.of(BERLIN), texts.of(US)) == (6, 7, 1)


@pytest.mark.django_db
def test_a_blast_costs_the_same_from_the_estimate_to_the_end(
    launch: Launch, people: People, account: Account, sim: Client
):
    Price.objects.create(country="GB", credits=3)
    people(phones=[US, CANADA, JAMAICA, LONDON])
    sim.set(scripts={LONDON: "invalid"})
    body = "Hi {{first_name}}, " + "tulips " * 30  # two segments

    told = estimate(account=account, body=body, audience=Contact.objects.filter(account=account))
    batch = launch(body=body)
    Price.objects.all().update(credits=50)
    Price.objects.create(country="US", credits=50)
    send_all()

    batch.refresh_from_db()
    assert (told.segments, told.credits) == (8, 20)
    assert batch.credits_reserved == 20
    assert (batch.credits_settled, batch.credits_released) == (14, 6)
    costs = dict(Message.objects.filter(batch=batch).values_list("phone", "credits"))
    assert costs == {US: 2, CANADA: 2, JAMAICA: 10, LONDON: 0}
    assert credit_books(account).used == 14


@pytest.mark.django_db
def test_the_estimate_tells_who_costs_what(account: Account, people: People, sender: Any):
    Price.objects.create(country="GB", credits=3, valid_from=today())
    people(phones=[US, CANADA, LONDON, BERLIN, JAMAICA])

    told = estimate(
        account=account,
        body="Fresh tulips today " * 10,  # two segments
        audience=Contact.objects.filter(account=account),
    )

    assert [(one.price, one.people, one.segments, one.credits) for one in told.by_price] == [
        (1, 2, 4, 4),
        (3, 1, 2, 6),
        (5, 2, 4, 20),
    ]
    assert (told.credits, told.segments) == (30, 10)


@pytest.mark.django_db
def test_pages_say_what_home_and_abroad_cost(
    account: Account, alice: User, people: People, sender: Any
):
    Price.objects.create(country="GB", credits=3, valid_from=today())
    contacts = people(phones=[US, LONDON])
    group = Group.objects.create(account=account, name="All")
    GroupMember.objects.bulk_create(
        GroupMember(account=account, group=group, contact=one) for one in contacts
    )
    browser = Browser()
    browser.force_login(alice)

    def told(body: str) -> str:
        form = {"body": body, "groups": [group.pk], "when": "now"}
        return browser.post("/blasts/count", form).content.decode()

    page = browser.get("/settings/credits/").content.decode()
    assert (
        "A segment costs 1 credit at home and 5 in countries without a price of their own;"
        " a picture message 3 and 15."
    ) in page
    assert "3 credits each" in told("Hello")
    assert "United Kingdom" in told("Hello")
    contacts[1].delete()
    assert "Credits a segment" not in told("Hello")


@pytest.mark.django_db
def test_trying_again_costs_what_the_first_try_cost(
    launch: Launch, people: People, account: Account, sim: Client
):
    people(phones=[US, JAMAICA])
    batch = launch()
    send_all()
    Price.objects.create(country="JM", credits=50)
    Message.objects.filter(batch=batch).update(
        state="undelivered", rank=4, reason="unreachable", carrier_code="30003"
    )

    assert batch_retry(account=account, actor=None, batch=batch) == 2
    send_all()

    batch.refresh_from_db()
    assert (batch.credits_reserved, batch.credits_settled) == (12, 12)


@pytest.mark.django_db
def test_a_text_to_one_person_has_the_price_of_its_kind(account: Account, sender: Any):
    Price.objects.create(country="", kind=BatchKind.API, credits=8)

    for phone in (BERLIN, US):
        message_send(
            account=account, actor=None, phone=phone, body="Your code", kind=BatchKind.API,
            request_key=phone,
        )  # fmt: skip

    reserved = CreditEntry.objects.filter(kind="reserve").order_by("pk")
    assert list(reserved.values_list("held", flat=True)) == [8, 1]
    frozen = Batch.objects.order_by("pk").values_list("prices", flat=True)
    assert list(frozen) == [{"": 8}, {"": 1}]


@pytest.mark.django_db
def test_staff_enter_prices_of_countries_that_can_be_told_apart(alice: User):
    staff = get_user_model().objects.create_superuser("staff@example.com", "a long password")
    browser = Browser()
    browser.force_login(staff)

    def enter(country: str) -> int:
        form = {
            "type": "sms", "country": country, "kind": "", "credits": "4",
            "valid_from": "2026-11-01",
        }  # fmt: skip
        return browser.post("/staff/messaging/price/add/", form).status_code

    assert [enter("gb"), enter("JE"), enter("XX"), enter("")] == [302, 200, 200, 302]
    assert list(Price.objects.values_list("country", flat=True)) == ["", "GB"]
