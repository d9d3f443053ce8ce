"""The builder: what is posted becomes rules, rules become the form again, and words."""

from typing import Any

import pytest

from contacts.errors import RulesInvalid
from contacts.field_types import FieldType
from contacts.rule_form import Block, Draft, Row, draft_change, draft_of, draft_read, draft_rules
from contacts.rule_words import Line, Names, outline
from contacts.rules import Target, parse, plain

ANN = {"field": "first_name", "op": "is", "value": "Ann"}
BEN = {"field": "first_name", "op": "is", "value": "Ben"}
CLICKED = {"did": "clicked", "blast": 3, "days": 30}


def test_a_posted_form_says_rules() -> None:
    posted = {
        "match": "any",
        "b0.match": "all",
        "b0.r0.what": "first_name",
        "b0.r0.op": "not_contains",
        "b0.r0.value": " ann ",
        "b0.r1.what": "did:clicked",
        "b0.r1.op": "not_did",
        "b0.r1.of": "blast:3",
        "b0.r1.days": "30",
        "b1.match": "none",
        "b1.r0.what": "group",
        "b1.r0.op": "in",
        "b1.r0.value": "7",
        "b1.r1.what": "custom.city",
        "b1.r1.op": "one_of",
        "b1.r1.value": "Paris, , Rome",
        "b1.r2.what": "created_at",
        "b1.r2.op": "not_last_days",
        "b1.r2.value": "90",
        "b2.match": "all",
        "b2.r0.what": "",
    }

    contains = {"field": "first_name", "op": "contains", "value": "ann"}
    assert draft_rules(draft_read(posted)) == {
        "any": [
            {"all": [{"not": contains}, {"not": CLICKED}]},
            {
                "not": {
                    "any": [
                        {"group": 7},
                        {"field": "custom.city", "op": "one_of", "value": ["Paris", "Rome"]},
                        {"not": {"field": "created_at", "op": "last_days", "value": 90}},
                    ]
                }
            },
        ]
    }


@pytest.mark.parametrize(
    "rules",
    [
        {"all": [ANN]},
        {"any": [ANN, {"not": BEN}]},
        {"not": {"any": [ANN, {"not": {"group": 7}}, {"did": "sent", "campaign": 4}]}},
        {"all": [{"any": [ANN, BEN]}, {"not": {"any": [CLICKED]}}, {"all": [{"did": "sent"}]}]},
        {"any": [{"all": [{"field": "email", "op": "filled"}]}, {"any": [ANN]}]},
        {"all": [{"field": "custom.city", "op": "one_of", "value": ["Paris", "Rome"]}]},
        {"all": [{"tag": 5}, {"not": {"tag": 6}}]},
        {"all": [{"not": {"field": "custom.n", "op": "between", "value": ["1", "2.5"]}}]},
        {"any": [{"field": "custom.d", "op": "yearly_days", "value": 0}]},
        {"any": [{"field": "custom.d", "op": "after", "value": "2026-05-03"}]},
    ],
)
def test_what_the_form_can_say_it_shows_again(rules: dict[str, Any]) -> None:
    draft = draft_of(parse(rules))

    assert draft is not None
    assert draft_rules(draft) == rules


@pytest.mark.parametrize(
    ("rules", "same"),
    [
        (ANN, {"all": [ANN]}),
        ({"not": ANN}, {"all": [{"not": ANN}]}),
        (
            {"all": [ANN, {"any": [BEN]}, CLICKED]},
            {"all": [{"all": [ANN, CLICKED]}, {"any": [BEN]}]},
        ),
        ({"any": [ANN, {"all": [BEN]}]}, {"any": [{"any": [ANN]}, {"all": [BEN]}]}),
    ],
)
def test_loose_rules_are_gathered_in_a_block(rules: dict[str, Any], same: dict[str, Any]) -> None:
    draft = draft_of(parse(rules))

    assert draft is not None
    assert draft_rules(draft) == same


@pytest.mark.parametrize(
    "rules",
    [
        {"all": [{"any": [ANN, {"all": [BEN]}]}, CLICKED]},
        {"not": {"all": [ANN, BEN]}},
        {"not": {"not": ANN}},
        {"all": [{"field": "email", "op": "one_of", "value": ["a,b"]}]},
        {"any": [ANN] * 21},
        {"all": [{"any": [ANN]}] * 11},
    ],
)
def test_what_the_form_cannot_say_it_does_not_offer(rules: dict[str, Any]) -> None:
    assert draft_of(parse(rules)) is None


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Row("first_name", "is", ""), "Fill in the value of this rule."),
        (Row("created_at", "last_days", "soon"), "Days are a whole number from 1 to 3,650."),
        (Row("did:clicked", "did", days="0"), "Days are a whole number from 1 to 3,650."),
        (Row("group", "in", ""), "Choose a group."),
        (Row("group", "in", "1 OR 1=1"), "“group” takes the id of one."),
        (Row("did:slept", "did"), "“did” is one of: sent, delivered, clicked, replied, opted_out."),
        (Row("did:sent", "did", of="sql:1"), "“sql” does not belong into this rule."),
        (Row("timezone", "is", "Mars"), "“Mars” is not a time zone. Write it like"),
    ],
)
def test_a_row_that_cannot_be_asked_says_why(row: Row, sentence: str) -> None:
    draft = Draft("all", [Block("all", [Row("email", "filled"), row])])

    with pytest.raises(RulesInvalid):
        draft_rules(draft)

    assert row.error.startswith(sentence)
    assert draft.rows[0].error == ""


def test_nothing_chosen_is_no_rules() -> None:
    assert draft_rules(draft_read({})) is None
    assert draft_rules(draft_read({"b0.match": "all", "b0.r0.what": ""})) is None


def test_buttons_change_the_form() -> None:
    draft = Draft("all", [Block("all", [Row("email", "filled"), Row("phone", "filled")])])

    for act in ("row:0", "drop:0:0", "block", "drop:1:0", "row:9", "drop:0:9", "drop:x:y", "", "?"):
        draft_change(draft, act)

    assert [[row.what for row in block.rows] for block in draft.blocks] == [["phone", ""]]
    draft_change(draft, "drop:0:0")
    draft_change(draft, "drop:0:0")
    assert [[row.what for row in block.rows] for block in draft.blocks] == [[""]]


def test_rules_in_words() -> None:
    rules = {
        "all": [
            {"not": {"did": "replied", "campaign": 4}},
            {"any": [CLICKED, {"group": 7}, {"not": {"group": 8}}, {"not": {"tag": 5}}]},
            {"not": {"any": [{"not": {"field": "consent", "op": "is", "value": "opted_in"}}]}},
            {"field": "custom.city", "op": "one_of", "value": ["Paris", "Rome"]},
            {"not": {"field": "created_at", "op": "last_days", "value": 1}},
            {"field": "email", "op": "filled"},
            {"field": "custom.born", "op": "before", "value": "1980-05-03"},
            {"field": "custom.born", "op": "yearly_days", "value": 7},
            {"not": {"field": "custom.born", "op": "next_days", "value": 0}},
            {"field": "custom.vip", "op": "is", "value": "true"},
            {"field": "custom.points", "op": "between", "value": ["1", "2.5"]},
        ]
    }
    names = Names(
        {7: "VIP"},
        {Target("blast", 3): "Last call", Target("campaign", 4): "May"},
        {
            "city": FieldType("text", label="Town"),
            "born": FieldType("date", label="Birthday"),
            "vip": FieldType("yes_no", label="VIP"),
            "points": FieldType("number", label="Points"),
        },
        {5: "Regular"},
    )

    assert outline(parse(rules), names) == [
        Line(0, "All of these:", True),
        Line(1, "Did not reply to the campaign “May”"),
        Line(1, "At least one of these:", True),
        Line(2, "Clicked a link in the blast “Last call” in the last 30 days"),
        Line(2, "Is in the group “VIP”"),
        Line(2, "Is not in the group “a group that is gone”"),
        Line(2, "Does not have the tag “Regular”"),
        Line(1, "None of these:", True),
        Line(2, "Consent is not “Opted in”"),
        Line(1, "Town is one of “Paris”, “Rome”"),
        Line(1, "Added not in the last day"),
        Line(1, "Email is filled in"),
        Line(1, "Birthday is before “3 May 1980”"),
        Line(1, "Birthday comes round in the next 7 days"),
        Line(1, "Birthday is not today"),
        Line(1, "VIP is “Yes”"),
        Line(1, "Points is between “1” and “2.5”"),
    ]
    assert plain(parse(rules)) == rules
