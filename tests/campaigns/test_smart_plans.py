"""The plans of a smart group stay linear where the planner knows nothing of the account.

Just after an import its statistics say that an account has one contact or none. A nested loop that
goes through a whole result for each of a million contacts would then look cheap, and take days.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account
from common.clock import now
from common.sql import Sql
from contacts.membership import members
from contacts.models import Contact, Group
from contacts.rules import parse
from contacts.rules_sql import fitting_ids
from contacts.services import group_create
from messaging.choices import BatchKind
from messaging.recipients import people, people_by_shape
from messaging.rendering import compile_body
from messaging.selectors.prices import prices_now

pytestmark = pytest.mark.django_db
# What a loop may do for each row of the other side: look something up by an index.
_LOOKED_UP = {"Index Scan", "Index Only Scan", "Memoize", "Bitmap Heap Scan"}
RULES = {
    "all": [
        {"field": "line_type", "op": "is", "value": "mobile"},
        {
            "any": [
                {"not": {"did": "clicked"}},
                {"did": "sent", "days": 30},
                {"field": "region", "op": "is", "value": "US"},
            ]
        },
    ]
}


@pytest.fixture
def group(account: Account, other_account: Account) -> Group:
    """Smart, of an account whose contacts came after the statistics."""
    _people(other_account, 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_contact, messaging_message, contacts_groupmember")
    _people(account, 2)
    return group_create(account=account, actor=None, name="Smart", rules=RULES)


def _people(account: Account, no: int) -> None:
    Contact.objects.bulk_create(
        Contact(account=account, phone=f"+1{no}02{n:07}", line_type="mobile") for n in range(3000)
    )


def _bad_loops(node: dict[str, Any], small: set[str]) -> Iterator[str]:
    inner = node.get("Plans", [])
    if node["Node Type"] == "Nested Loop" and not _is_looked_up(inner[1], small):
        yield f"{node['Node Type']} over {inner[1]['Node Type']}"
    if any(one.get("Parent Relationship") == "SubPlan" for one in inner):
        yield "a subplan for each row"
    for one in inner:
        yield from _bad_loops(one, small)


def _is_looked_up(node: dict[str, Any], small: set[str]) -> bool:
    # The planner sees how large a table's file is at this moment, whatever its statistics say: one
    # that it reads as a whole for each row is a page or two.
    return node["Node Type"] in _LOOKED_UP or node.get("Relation Name") in small


def _checked(statement: Sql) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.params)
        (found,) = cursor.fetchone()
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) <= 16384"
        )
        small = {row[0] for row in cursor.fetchall()}
    (plan,) = json.loads(found) if isinstance(found, str) else found
    return list(_bad_loops(plan["Plan"], small))


def test_counting(account: Account, group: Group) -> None:
    statement = fitting_ids(account=account, rule=parse(RULES), moment=now())

    assert _checked(Sql(f"SELECT count(*) FROM ({statement.text}) f", statement.params)) == []


def test_listing(account: Account, group: Group) -> None:
    found = members(account=account, group_ids=[group.pk]).order_by("-pk")[:50]

    text, params = found.query.sql_with_params()

    assert _checked(Sql(text, list(params))) == []


def test_launching(account: Account, group: Group) -> None:
    statement = people(
        account=account,
        sender=None,
        template=compile_body("Hello"),
        link_length=20,
        audience=members(account=account, group_ids=[group.pk]),
    )

    assert _checked(statement) == []


def test_estimating(account: Account, group: Group) -> None:
    statement = people_by_shape(
        account=account,
        sender=None,
        template=compile_body("Hello"),
        audience=members(account=account, group_ids=[group.pk]),
        prices=prices_now(kind=BatchKind.BLAST),
    )

    assert _checked(statement) == []
