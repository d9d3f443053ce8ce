"""Smart groups too large to be counted or listed in a moment: the page answers, a worker works."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from accounts.choices import Scope
from accounts.models import Account, User
from accounts.services import apikey_create
from common.clock import now
from common.sql import Sql
from contacts import duplicates
from contacts.errors import CountTooLong
from contacts.models import Contact, ContactTag, Group
from contacts.rules_sql import fitting, fitting_ids
from contacts.services import contact_upsert, group_count, group_create, rules_count
from contacts.tasks import group_count as count_task

pytestmark = pytest.mark.django_db

RULES = {"field": "first_name", "op": "filled"}
BUILDER = {"name": "Named", "act": "look", "b0.match": "all", "b0.r0.what": "first_name"}
BUILDER |= {"b0.r0.op": "filled"}


@pytest.fixture
def page(alice: User, shop: Account) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def group(shop: Account, alice: User) -> Group:
    """Ann and Ben are in it, a nameless third is not."""
    for n, name in enumerate(("Ann", "Ben", "")):
        contact_upsert(account=shop, actor=alice, phone=f"+1305555010{n}", first_name=name)
    return group_create(account=shop, actor=alice, name="Named", rules=RULES)


@pytest.fixture
def huge(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on asking rules takes longer than a page may; called, it does not any more."""
    limits = (
        "contacts.services.smart.LOOK_S",
        "contacts.looking.LOOK_S",
        "exports.services._LOOK_S",
    )
    counted, listed = "contacts.membership.fitting_ids", "contacts.membership.fitting"

    def slow(**asked: Any) -> Sql:
        found = fitting_ids(**asked)
        return Sql(f"SELECT f.* FROM ({found.text}) f, pg_sleep(10)", found.params)

    def slow_list(**asked: Any) -> QuerySet[Contact]:
        return fitting(**asked).extra(where=["pg_sleep(10) IS NOT NULL"])

    def limit(seconds: float) -> None:
        for place in limits:
            monkeypatch.setattr(place, seconds)

    def quick() -> None:
        limit(30.0)
        monkeypatch.setattr(counted, fitting_ids)
        monkeypatch.setattr(listed, fitting)

    limit(0.05)
    monkeypatch.setattr(counted, slow)
    monkeypatch.setattr(listed, slow_list)
    return quick


def _timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def test_what_takes_too_long_is_given_up_and_later_statements_are_not_limited(
    shop: Account, group: Group, huge: Callable[[], None]
):
    before = _timeout()

    with pytest.raises(CountTooLong):
        rules_count(account=shop, rules=RULES)
    assert _timeout() == before

    huge()
    assert rules_count(account=shop, rules=RULES) == 2
    assert _timeout() == before


def test_the_builder_says_that_it_cannot_tell(page: Client, group: Group, huge: Callable[[], None]):
    long = page.post("/contacts/groups/smart/", BUILDER)
    huge()
    short = page.post("/contacts/groups/smart/", BUILDER)

    assert (long.status_code, long.context["people"], long.context["is_long"]) == (200, None, True)
    assert "longer than a moment" in long.content.decode()
    assert (short.context["people"], short.context["is_long"]) == (2, False)


def test_the_page_of_a_group_keeps_its_last_figure(
    page: Client, shop: Account, group: Group, huge: Callable[[], None]
):
    counted_at = now() - timedelta(hours=3)
    Group.objects.filter(pk=group.pk).update(people=7, counted_at=counted_at)

    told = page.get(f"/contacts/groups/{group.pk}/").content.decode()

    assert "7 of 3 people fitted its rules when they were counted" in told
    assert "Count exactly" in told
    group.refresh_from_db()
    assert (group.people, group.counted_at) == (7, counted_at)


def test_a_worker_counts_when_asked(
    page: Client, shop: Account, group: Group, huge: Callable[[], None]
):
    asked = page.post(f"/contacts/groups/{group.pk}/recount/")
    since = asked.headers["Location"].partition("?")[2]
    part = f"/contacts/groups/{group.pk}/size/?{since}"
    waiting = page.get(part).content.decode()
    assert "Being counted" in waiting
    assert "every 3s" in waiting

    huge()
    count_task(shop.pk, group.pk)

    done = page.get(part).content.decode()
    assert "2 of 3 people fitted" in done
    assert "every 3s" not in done


def test_the_worker_counts_nothing_that_is_not_the_accounts(
    shop: Account, other_shop: Account, group: Group
):
    count_task(other_shop.pk, group.pk)
    assert Group.objects.get(pk=group.pk).counted_at is None

    group_count(account=shop, group=group)
    assert Group.objects.get(pk=group.pk).people == 2


def test_a_program_gets_the_last_figure_with_its_time(
    shop: Account, alice: User, group: Group, huge: Callable[[], None]
):
    _, secret = apikey_create(account=shop, actor=alice, name="Sync", scopes=Scope.values)
    api = Client(headers={"authorization": f"Bearer {secret}"})

    long = api.get(f"/api/v1/groups/{group.pk}/").json()
    huge()
    short = api.get(f"/api/v1/groups/{group.pk}/").json()

    assert (long["size"], long["counted_at"]) == (0, None)
    assert short["size"] == 2
    assert short["counted_at"] is not None


def test_its_people_are_listed_or_the_page_says_that_it_takes_too_long(
    page: Client, group: Group, huge: Callable[[], None]
):
    address, file = f"/contacts/groups/{group.pk}/", f"/contacts/people.csv?group={group.pk}"
    before = _timeout()

    long = page.get(address)
    narrowed = page.get("/contacts/", {"group": str(group.pk), "tag": ""})
    offered = page.get(file)
    assert _timeout() == before
    huge()
    short = page.get(address)

    told = "Finding these people takes too long"
    assert (long.status_code, told in long.content.decode()) == (200, True)
    assert file in long.content.decode()
    assert (narrowed.status_code, told in narrowed.content.decode()) == (200, True)
    assert "We make the file in the background" in offered.content.decode()
    assert told not in short.content.decode()
    assert [one.first_name for one in short.context["page"].rows] == ["Ben", "Ann"]


def test_changing_everybody_in_it_is_not_offered_blindly(
    page: Client, group: Group, huge: Callable[[], None]
):
    query = {"who": "all", "group": str(group.pk)}

    long = page.get("/contacts/many/", query, follow=True)
    huge()
    short = page.get("/contacts/many/", query)

    assert long.redirect_chain == [(f"/contacts/?group={group.pk}", 302)]
    assert "Finding these people takes longer than a page may" in long.content.decode()
    assert not ContactTag.objects.exists()
    assert short.context["people"] == 2


def test_a_program_is_told_that_its_people_take_too_long(
    shop: Account, alice: User, group: Group, huge: Callable[[], None]
):
    _, secret = apikey_create(account=shop, actor=alice, name="Sync", scopes=[Scope.READ])
    api = Client(headers={"authorization": f"Bearer {secret}"})
    address = f"/api/v1/contacts/?group={group.pk}"

    long = api.get(address)
    huge()
    short = api.get(address)

    assert (long.status_code, long.json()["code"]) == (409, "list_too_long")
    assert [one["first_name"] for one in short.json()["results"]] == ["Ben", "Ann"]


def test_a_list_of_duplicates_that_takes_too_long_says_what_to_do(
    page: Client, group: Group, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("contacts.looking.LOOK_S", 0.05)
    email, _, having = duplicates._KEYS["email"]
    slow = (email, "pg_sleep(10) IS NOT NULL", having)
    monkeypatch.setitem(duplicates._KEYS, "email", slow)

    long = page.get("/contacts/duplicates/").content.decode()
    monkeypatch.setattr("contacts.looking.LOOK_S", 30.0)
    short = page.get("/contacts/duplicates/?by=name").content.decode()

    assert "too many to be compared while you wait" in long
    assert "No likely duplicates" in short
