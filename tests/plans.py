"""Looks at the plans of statements: none may be quadratic, whatever the planner knows.

Just after an import its statistics say that an account has one contact or none. A nested loop that
goes through a whole result for each of a million contacts looks cheap then, and takes days.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from common.sql import Sql

_INDEXED = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
# What passes on the rows of the node below it.
_PASSING = {"Limit", "Sort", "Aggregate", "Subquery Scan", "Memoize", "Unique", "LockRows"}
# Arrays and values that stand in the statement are as many as the planner says.
_GIVEN = {"Function Scan", "Values Scan", "Result"}
_LITTLE = 100
_QUOTED = re.compile(r"'[^']*'")
_OF_ACCOUNT = re.compile(r"account_id = \w+\.account_id")
_OTHER_SIDE = re.compile(r"\w\.\w")
_OF_PERSON = re.compile(r"\bphone\)?(::text)? = ")


@contextmanager
def planned() -> Iterator[list[str]]:
    """What is wrong with the plans of the statements that are run inside, filled in as they run."""
    found: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asks = sql.lstrip(" (\n").startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
        if asks and not many and "FROM" in sql:
            found.extend(f"{bad} in {sql}" for bad in _quadratic(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield found


def quadratic(statement: Sql) -> list[str]:
    """The loops of its plan that go through more than an index's finds for each row."""
    with connection.cursor():
        return _quadratic(statement.text, statement.params)


def _quadratic(sql: str, params: Any) -> list[str]:
    # Past Django, which would hand it to whoever looks on.
    with connection.connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params or None)
        (found,) = cursor.fetchone()
    (plan,) = json.loads(found) if isinstance(found, str) else found
    return list(_bad_loops(plan["Plan"]))


def _bad_loops(node: dict[str, Any]) -> Iterator[str]:
    inner = node.get("Plans", [])
    if node["Node Type"] == "Nested Loop":
        sides = {one["Parent Relationship"]: one for one in inner}
        if not _is_loop_good(node, sides["Outer"], sides["Inner"]):
            yield f"{node['Node Type']} over {_named(sides['Inner'])}"
    for one in inner:
        if one.get("Parent Relationship") == "SubPlan" and not _is_found(node, one):
            yield f"{_named(one)} for each row"
        yield from _bad_loops(one)


def _named(node: dict[str, Any]) -> str:
    return " ".join(filter(None, (node["Node Type"], node.get("Relation Name"))))


def _is_loop_good(loop: dict[str, Any], outer: dict[str, Any], inner: dict[str, Any]) -> bool:
    if _is_little(outer) or _is_little(inner):
        return True
    if any(map(_OF_PERSON.search, _index_conditions(inner))):
        return True  # one person's rows, whatever else is asked of them
    return "Join Filter" not in loop and (_is_product(inner) or _is_looked_up(inner))


def _is_product(inner: dict[str, Any]) -> bool:
    """Whether nothing is asked of it, so that each round of the loop is rows of the answer."""
    return inner["Node Type"] in {"CTE Scan", "Materialize"} and "Filter" not in inner


def _is_little(node: dict[str, Any]) -> bool:
    """Whether it is no more than some rows in truth, whatever the planner says."""
    if node["Node Type"] in _GIVEN:
        return bool(node["Plan Rows"] <= _LITTLE)
    if (table := node.get("Relation Name")) is not None:
        with connection.connection.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM (SELECT FROM "{table}" LIMIT {_LITTLE + 1}) t')
            return bool(cursor.fetchone()[0] <= _LITTLE)
    below = node.get("Plans", [])
    return bool(below) and all(map(_is_little, below))


def _is_looked_up(node: dict[str, Any]) -> bool:
    """Whether an index gives the rows that are wanted, and no more of the account.

    What an index gives and a filter then compares with the other side was not looked up for it.
    """
    if _is_little(node):
        return True
    below = [one for one in node.get("Plans", []) if "Subplan Name" not in one]
    if node["Node Type"] in _PASSING or node["Node Type"] == "Nested Loop":
        return _is_looked_up(below[0])
    if node["Node Type"] == "Append":
        return all(map(_is_looked_up, below))
    if node["Node Type"] not in _INDEXED:
        return False
    return not _asks(node.get("Filter", "")) or any(map(_asks, _index_conditions(node)))


def _asks(condition: str) -> bool:
    """Whether it asks for a value of the other side, other than its account."""
    return bool(_OTHER_SIDE.search(_OF_ACCOUNT.sub("", _QUOTED.sub("", condition))))


def _is_found(outer: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a subplan finds its rows by a value of the other side, or is hashed: runs once."""
    if f"hashed {node['Subplan Name']}" in json.dumps(outer) or _is_little(node):
        return True
    return any(map(_asks, _index_conditions(node)))


def _index_conditions(node: dict[str, Any]) -> Iterator[str]:
    yield node.get("Index Cond", "")
    for one in node.get("Plans", []):
        yield from _index_conditions(one)
