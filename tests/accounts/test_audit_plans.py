"""No page of the audit trail reads more of it than it shows, however much was done."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Account, AuditEvent, User
from common.clock import now

pytestmark = pytest.mark.django_db

Browse = Callable[[User], Client]
OURS = 30_000
OTHERS = 20_000
Query = tuple[str, Any]


@pytest.fixture
def many(account: Account, other_account: Account, alice: User, bob: User) -> None:
    """Much by Alice, now and then something by the platform, and two acts of Bob's long ago."""
    acts = [AuditEvent(account=account, actor=bob, action="api_key.created") for _ in range(2)]
    acts += [
        AuditEvent(
            account=account if n < OURS else other_account,
            actor=alice if n % 3 else None,
            action=("blast.updated", "contact.deleted", "import.done")[n % 7 % 3],
            at=now(),
        )
        for n in range(OURS + OTHERS)
    ]
    AuditEvent.objects.bulk_create(acts, batch_size=5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_auditevent")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("params", "index"),
    [
        ({}, "audit_by_day"),
        ({"from": "2026-01-01", "to": "2026-01-31"}, "audit_by_day"),
        ({"who": "bob"}, "audit_by_actor"),
        ({"who": "alice"}, "audit_by_(actor|day)"),
        ({"who": "platform", "to": "2026-01-31"}, "audit_by_(actor|day)"),
        ({"kind": "api_key"}, "audit_by_kind"),
        ({"kind": "blast"}, "audit_by_(kind|day)"),
        ({"kind": "blast", "who": "bob"}, "audit_by_actor"),
        ({"kind": "api_key", "who": "alice"}, "audit_by_kind"),
    ],
)
def test_every_filter_has_its_index(
    params: dict[str, str], index: str, alice: User, bob: User, logged_in: Browse
) -> None:
    people = {"alice": str(alice.pk), "bob": str(bob.pk)}
    if "who" in params:
        params = {**params, "who": people.get(params["who"], params["who"])}
    [first] = _rows_of(logged_in(alice), params)

    plan = _plan(first)

    assert re.search(rf"Index Scan using {index} on accounts_auditevent", plan), plan
    assert "Seq Scan on accounts_auditevent" not in plan
    assert _read(plan) <= 250, plan


@pytest.mark.usefixtures("many")
def test_a_page_far_back_costs_what_the_first_does(
    account: Account, alice: User, logged_in: Browse
) -> None:
    middle = AuditEvent.objects.filter(account=account).order_by("at", "pk")[OURS // 2]
    place = f"{middle.at}_{middle.pk}"

    for params in ({"before": place}, {"after": place}, {"kind": "blast", "before": place}):
        [page] = _rows_of(logged_in(alice), params)
        plan = _plan(page)

        assert re.search("using audit_by_(day|kind) on accounts_auditevent", plan), plan
        assert _read(plan) <= 250, plan


@pytest.mark.usefixtures("many")
def test_whoever_acted_is_found_by_hops(alice: User, logged_in: Browse) -> None:
    [people] = [one for one in _asked(logged_in(alice), {}) if "RECURSIVE" in one[0]]

    plan = _plan(people)

    assert "using audit_by_actor on accounts_auditevent" in plan, plan
    assert "Seq Scan on accounts_auditevent" not in plan
    assert _read(plan) <= 10, plan


def _rows_of(client: Client, params: dict[str, str]) -> list[Query]:
    """The queries for rows of the trail."""
    return [one for one in _asked(client, params) if 'FROM "accounts_auditevent"' in one[0]]


def _asked(client: Client, params: dict[str, str]) -> list[Query]:
    asked: list[Query] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert client.get("/settings/audit/", params).status_code == 200
    return asked


def _plan(query: Query) -> str:
    """As it ran."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {query[0]}", query[1])
        return "\n".join(line for (line,) in cursor.fetchall())


def _read(plan: str) -> int:
    """How many rows of the trail were read, those that did not fit too."""
    read, is_of_trail = 0, False
    for line in plan.splitlines():
        if found := re.search(r"on accounts_auditevent.*actual rows=(\d+)\S* loops=(\d+)", line):
            read += int(found[1]) * int(found[2])
        is_of_trail = "on accounts_auditevent" in line or (is_of_trail and "->" not in line)
        if is_of_trail and (left := re.search(r"Rows Removed by Filter: (\d+)", line)):
            read += int(left[1])
    return read
