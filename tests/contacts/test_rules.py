"""The language of smart groups: what it takes, what it refuses, and with which words."""

from typing import Any

import pytest

from contacts.errors import RulesInvalid
from contacts.rules import LEAVES_MAX, parse, plain

ANN = {"field": "first_name", "op": "is", "value": "Ann"}


@pytest.mark.parametrize(
    "rules",
    [
        ANN,
        {"field": "email", "op": "contains", "value": "@shop.example"},
        {"field": "last_name", "op": "starts_with", "value": "L'"},
        {"field": "custom.city", "op": "one_of", "value": ["Köln", "Paris"]},
        {"field": "custom.city", "op": "filled"},
        {"field": "line_type", "op": "is", "value": "mobile"},
        {"field": "consent", "op": "one_of", "value": ["opted_in", "unknown"]},
        {"field": "timezone", "op": "is", "value": "America/New_York"},
        {"field": "created_at", "op": "last_days", "value": 30},
        {"field": "custom.points", "op": "less_than", "value": "12.5"},
        {"field": "custom.points", "op": "between", "value": ["-1", "12.5"]},
        {"field": "custom.born", "op": "before", "value": "2026-05-03"},
        {"field": "custom.born", "op": "next_days", "value": 0},
        {"field": "custom.born", "op": "yearly_days", "value": 364},
        {"group": 7},
        {"tag": 5},
        {"did": "clicked"},
        {"did": "replied", "days": 90},
        {"did": "sent", "blast": 3},
        {"did": "delivered", "campaign": 4, "days": 1},
        {"not": {"any": [ANN, {"all": [{"group": 7}, {"not": {"did": "opted_out"}}]}]}},
    ],
)
def test_what_was_read_is_written_the_same(rules: dict[str, Any]) -> None:
    assert plain(parse(rules)) == rules


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"field": "phone", "op": "contains", "value": "(202) 555-01"}, "20255501"),
        ({"field": "timezone", "op": "is", "value": "america/new york"}, "America/New_York"),
        ({"field": "region", "op": "is", "value": " us "}, "US"),
        ({"field": "first_name", "op": "is", "value": "  Ann "}, "Ann"),
        ({"field": "custom.points", "op": "more_than", "value": 1000.50}, "1000.5"),
        ({"field": "custom.points", "op": "between", "value": ["01", "1,000"]}, ["1", "1000"]),
        ({"field": "region", "op": "one_of", "value": ["us", "US", "ca"]}, ["US", "CA"]),
    ],
)
def test_values_are_kept_as_the_field_holds_them(typed: dict[str, Any], kept: Any) -> None:
    assert plain(parse(typed))["value"] == kept


def _nested(times: int) -> dict[str, Any]:
    rules: dict[str, Any] = ANN
    for _ in range(times):
        rules = {"not": rules}
    return rules


@pytest.mark.parametrize(
    ("rules", "code", "path"),
    [
        (None, "rule_unreadable", ""),
        ([ANN], "rule_unreadable", ""),
        ("SELECT 1", "rule_unreadable", ""),
        ({}, "rule_unknown", ""),
        ({"sql": "true"}, "rule_unknown", ""),
        ({"all": []}, "rule_empty", "all"),
        ({"all": ANN}, "rule_unreadable", "all"),
        ({"any": [ANN, 3]}, "rule_unreadable", "any[1]"),
        ({"all": [ANN], "any": [ANN]}, "rule_unreadable", ""),
        ({**ANN, "sql": "x"}, "rule_unreadable", ""),
        ({"not": {"any": [ANN, {"not": {}}]}}, "rule_unknown", "not.any[1].not"),
        ({"field": "account_id", "op": "is", "value": "1"}, "rule_field_unknown", ""),
        ({"field": "custom.A b", "op": "is", "value": "1"}, "rule_field_unknown", ""),
        ({"field": "custom.x') OR 1=1 --", "op": "filled"}, "rule_field_unknown", ""),
        ({"field": ["phone"], "op": "is", "value": "1"}, "rule_field_unknown", ""),
        ({"field": "phone", "op": "regex", "value": "1"}, "rule_op_unknown", ""),
        ({"field": "phone", "value": "1"}, "rule_op_unknown", ""),
        ({"field": "created_at", "op": "is", "value": "1"}, "rule_op_unknown", ""),
        ({"field": "line_type", "op": "contains", "value": "m"}, "rule_op_unknown", ""),
        ({"field": "phone", "op": "is", "value": "none"}, "rule_value_invalid", ""),
        ({"field": "email", "op": "is", "value": ""}, "rule_value_invalid", ""),
        ({"field": "email", "op": "is", "value": "a\0b"}, "rule_value_invalid", ""),
        ({"field": "email", "op": "is", "value": "\ud800"}, "rule_value_invalid", ""),
        ({"field": "email", "op": "is", "value": "x" * 501}, "rule_value_invalid", ""),
        ({"field": "email", "op": "is", "value": 1}, "rule_value_invalid", ""),
        ({"field": "email", "op": "one_of", "value": []}, "rule_value_invalid", ""),
        ({"field": "email", "op": "one_of", "value": ["a"] * 101}, "rule_value_invalid", ""),
        ({"field": "email", "op": "filled", "value": "a"}, "rule_value_invalid", ""),
        ({"field": "line_type", "op": "is", "value": "fax"}, "rule_value_invalid", ""),
        ({"field": "timezone", "op": "is", "value": "Mars/Base"}, "rule_value_invalid", ""),
        ({"field": "created_at", "op": "last_days", "value": 0}, "rule_days_invalid", ""),
        ({"field": "created_at", "op": "last_days", "value": True}, "rule_days_invalid", ""),
        ({"field": "custom.n", "op": "less_than", "value": "many"}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "less_than", "value": True}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "between", "value": ["1"]}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "between", "value": ["2", "1"]}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "after", "value": "5/3/2026"}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "after", "value": "2026-02-30"}, "rule_value_invalid", ""),
        ({"field": "custom.n", "op": "yearly_days", "value": 365}, "rule_days_invalid", ""),
        ({"field": "custom.n", "op": "next_days", "value": -1}, "rule_days_invalid", ""),
        ({"field": "first_name", "op": "less_than", "value": "1"}, "rule_op_unknown", ""),
        ({"tag": "5"}, "rule_value_invalid", ""),
        ({"tag": 5, "group": 7}, "rule_unreadable", ""),
        ({"group": "7"}, "rule_value_invalid", ""),
        ({"group": 2**63}, "rule_value_invalid", ""),
        ({"group": True}, "rule_value_invalid", ""),
        ({"did": "slept"}, "rule_deed_unknown", ""),
        ({"did": "sent", "days": 3651}, "rule_days_invalid", ""),
        ({"did": "sent", "days": 1.5}, "rule_days_invalid", ""),
        ({"did": "sent", "blast": 0}, "rule_value_invalid", ""),
        ({"did": "sent", "blast": 1, "campaign": 2}, "rule_unreadable", ""),
        (_nested(8), "rules_too_deep", ".".join(["not"] * 8)),
        ({"all": [ANN] * (LEAVES_MAX + 1)}, "rules_too_many", ""),
        ({"all": [{"any": [ANN] * 26}, {"any": [ANN] * 25}]}, "rules_too_many", ""),
    ],
)
def test_nothing_else_can_be_said(rules: object, code: str, path: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        parse(rules)

    assert (refused.value.code, refused.value.path) == (code, path)
    assert refused.value.http_status == 422
    assert "rules" in refused.value.fields


def test_the_limits_themselves_are_allowed() -> None:
    assert parse(_nested(7))
    assert parse({"all": [{"any": [ANN] * 25}, {"any": [ANN] * 25}]})
