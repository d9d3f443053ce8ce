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
from django.test.utils import CaptureQueriesContext

from common.sql import Sql

# What a loop may do for each row of the other side: look something up by an index.
_LOOKED_UP = {"Index Scan", "Index Only Scan", "Memoize", "Bitmap Heap Scan"}
_QUOTED = re.compile(r"'[^']*'")
_OTHER_SIDE = re.compile(r"\w\.\w")


@contextmanager
def planned() -> Iterator[list[str]]:
    """What is wrong with the plans of the statements that read inside, filled in at the end."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    for query in captured.captured_queries:
        statement = query["sql"]
        if statement.startswith(("SELECT", "WITH", "INSERT")) and "FROM" in statement:
            found += [f"{bad} in {statement}" for bad in quadratic(Sql(statement, []))]


def quadratic(statement: Sql) -> list[str]:
    """The loops of its plan that go through more than an index's finds for each row."""
    with connection.cursor() as cursor:
        params = statement.params or None  # without any a percent sign is one
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.text}", params)
        (found,) = cursor.fetchone()
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) <= 16384"
        )
        small = {row[0] for row in cursor.fetchall()}
    (plan,) = json.loads(found) if isinstance(found, str) else found
    return list(_bad_loops(plan["Plan"], small))


def _bad_loops(node: dict[str, Any], small: set[str]) -> Iterator[str]:
    inner = node.get("Plans", [])
    if node["Node Type"] == "Nested Loop" and not _is_looked_up(node, inner[1], small):
        yield f"{node['Node Type']} over {inner[1]['Node Type']}"
    for one in inner:
        if one.get("Parent Relationship") == "SubPlan" and not _is_found(node, one, small):
            yield f"{one['Node Type']} for each row"
        yield from _bad_loops(one, small)


def _is_looked_up(loop: dict[str, Any], inner: dict[str, Any], small: set[str]) -> bool:
    # The planner sees how large a table's file is at this moment, whatever its statistics say: one
    # that it reads as a whole for each row is a page or two. What an index gave and the loop then
    # compares was not looked up for the row.
    if inner.get("Relation Name") in small:
        return True
    return inner["Node Type"] in _LOOKED_UP and "Join Filter" not in loop


def _is_found(outer: dict[str, Any], node: dict[str, Any], small: set[str]) -> bool:
    """Whether a subplan finds its rows by a value of the other side, or is hashed: runs once."""
    if node.get("Relation Name") in small or f"hashed {node['Subplan Name']}" in json.dumps(outer):
        return True
    return any(_OTHER_SIDE.search(_QUOTED.sub("", asked)) for asked in _index_conditions(node))


def _index_conditions(node: dict[str, Any]) -> Iterator[str]:
    yield node.get("Index Cond", "")
    for one in node.get("Plans", []):
        yield from _index_conditions(one)
