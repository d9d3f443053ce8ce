"""The builder of a smart group: between what a browser posts and rules. No database.

Owns the shape of the form: blocks of rows, joined by all or any; a block holds all, any or none of
its rows, and a row is a rule or its opposite. Rules of a program may be nested deeper; those are
shown in words (contacts.rule_words) and not offered for change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.datastructures import MultiValueDict

from contacts.errors import RulesInvalid
from contacts.rules import (
    AllOf,
    AnyOf,
    Did,
    Field,
    HasTag,
    InGroup,
    Not,
    Rule,
    Target,
    parse,
    plain,
)

ROWS_MAX: Final = 20
BLOCKS_MAX: Final = 10
_NOT: Final = "not_"


@dataclass
class Row:
    """One rule as it stands in the form.

    Attributes:
        what: ``first_name`` (any field), ``group``, ``tag``, ``did:clicked``; empty for none yet.
        op: A field's question, ``in``, ``has`` or ``did``, with ``not_`` before it for the
            opposite.
        value: What was typed or chosen, days of a field of days among it; several are joined by
            commas.
        to: The larger number of two.
        of: ``blast:3``, ``campaign:4``, or empty for any text.
        days: Of a deed; empty for ever.
        error: Why it cannot be asked like this.
    """

    what: str = ""
    op: str = ""
    value: str = ""
    to: str = ""
    of: str = ""
    days: str = ""
    error: str = ""

    @property
    def chosen(self) -> list[str]:
        """The values, where there can be several."""
        return [one for one in (part.strip() for part in self.value.split(",")) if one]


@dataclass
class Block:
    """Rows that belong together: `match` is all, any or none."""

    match: str = "all"
    rows: list[Row] = field(default_factory=lambda: [Row()])


@dataclass
class Draft:
    """A whole form."""

    match: str = "all"
    blocks: list[Block] = field(default_factory=lambda: [Block()])

    @property
    def rows(self) -> list[Row]:
        """Every row, in the order of the form."""
        return [row for block in self.blocks for row in block.rows]


def draft_read(posted: Mapping[str, Any]) -> Draft:
    """What a browser posted, whatever it is; more than the form can hold is left out."""
    blocks = []
    for b in range(BLOCKS_MAX):
        if f"b{b}.match" not in posted:
            break
        rows = []
        for r in range(ROWS_MAX):
            if f"b{b}.r{r}.what" not in posted:
                break
            given = {
                name: _posted(posted, f"b{b}.r{r}.{name}")
                for name in ("what", "op", "value", "to", "of", "days")
            }
            rows.append(Row(**given))
        blocks.append(Block(_one_of(posted.get(f"b{b}.match"), "all", "any", "none"), rows))
    return Draft(_one_of(posted.get("match"), "all", "any"), blocks or [Block()])


def draft_change(draft: Draft, act: str) -> None:
    """Do what a button of the form says: ``block``, ``row:<block>``, ``drop:<block>:<row>``."""
    name, *at = act.split(":")
    places = [int(one) for one in at if one.isdecimal()]
    if name == "block" and len(draft.blocks) < BLOCKS_MAX:
        draft.blocks.append(Block("any"))
    elif name == "row" and len(places) == 1 and places[0] < len(draft.blocks):
        block = draft.blocks[places[0]]
        if len(block.rows) < ROWS_MAX:
            block.rows.append(Row())
    elif name == "drop" and len(places) == 2 and places[0] < len(draft.blocks):
        block = draft.blocks[places[0]]
        del block.rows[places[1] : places[1] + 1]
        draft.blocks = [one for one in draft.blocks if one.rows] or [Block()]


def draft_rules(draft: Draft) -> dict[str, Any] | None:
    """The rules of a form, as JSON; None where nothing is asked yet. Rows get their `error`.

    Raises:
        RulesInvalid: a row cannot be asked like this, or all together are too many.
    """
    blocks: list[Rule] = []
    for block in draft.blocks:
        rules = [rule for row in block.rows if (rule := _row_rule(row)) is not None]
        if rules:
            blocks.append(_block_rule(block.match, rules))
    bad = next((row.error for row in draft.rows if row.error), "")
    if bad:
        raise RulesInvalid("rules_invalid", bad)
    if not blocks:
        return None
    joined = AllOf(tuple(blocks)) if draft.match == "all" else AnyOf(tuple(blocks))
    rules_plain = plain(joined if len(blocks) > 1 else blocks[0])
    parse(rules_plain)
    return rules_plain


def draft_of(rule: Rule) -> Draft | None:
    """The form that says this rule; None where it cannot."""
    whole = _block(rule)
    if whole is not None:
        return Draft("all", [whole])
    if not isinstance(rule, AllOf | AnyOf):
        return None
    match = "all" if isinstance(rule, AllOf) else "any"
    loose = [row for one in rule.rules if (row := _row(one)) is not None]
    rest = [_block(one) for one in rule.rules if _row(one) is None]
    blocks = [block for block in rest if block is not None]
    if len(blocks) < len(rest) or len(blocks) >= BLOCKS_MAX or len(loose) > ROWS_MAX:
        return None
    return Draft(match, [*([Block(match, loose)] if loose else []), *blocks])


def _block_rule(match: str, rules: list[Rule]) -> Rule:
    if match == "none":
        return Not(AnyOf(tuple(rules)))
    return AllOf(tuple(rules)) if match == "all" else AnyOf(tuple(rules))


def _row_rule(row: Row) -> Rule | None:
    if not row.what:
        return None
    is_not = row.op.startswith(_NOT)
    try:
        rule = parse(_row_plain(row))
    except RulesInvalid as error:
        row.error = error.sentence
        return None
    return Not(rule) if is_not else rule


def _row_plain(row: Row) -> dict[str, Any]:
    op = row.op.removeprefix(_NOT)
    what, _, deed = row.what.partition(":")
    if what == "group":
        if not row.value:
            raise RulesInvalid("rule_value_invalid", "Choose a group.")
        return {"group": _number(row.value)}
    if what == "tag":
        if not row.value:
            raise RulesInvalid("rule_value_invalid", "Choose a tag.")
        return {"tag": _number(row.value)}
    if what == "did":
        kind, _, number = row.of.partition(":")
        of = {kind: _number(number)} if kind else {}
        return {"did": deed, **of} | ({"days": _number(row.days)} if row.days else {})
    if op == "filled":
        return {"field": what, "op": op}
    value: Any = row.value
    if op in ("last_days", "next_days", "yearly_days"):
        value = _number(value)
    elif op == "between":
        value = [row.value, row.to]
    elif op == "one_of":
        value = row.chosen
    return {"field": what, "op": op, "value": value}


def _block(rule: Rule) -> Block | None:
    match rule:
        case Not(AnyOf(rules)):
            match = "none"
        case AllOf(rules) | AnyOf(rules):
            match = "all" if isinstance(rule, AllOf) else "any"
        case _:
            match, rules = "all", (rule,)
    rows = [row for one in rules if (row := _row(one)) is not None]
    return Block(match, rows) if len(rows) == len(rules) <= ROWS_MAX else None


def _row(rule: Rule) -> Row | None:
    is_not = _NOT if isinstance(rule, Not) else ""
    match rule.rule if isinstance(rule, Not) else rule:
        case InGroup(group_id):
            return Row("group", f"{is_not}in", str(group_id))
        case HasTag(tag_id):
            return Row("tag", f"{is_not}has", str(tag_id))
        case Did(deed, target, days):
            of = f"{target.kind}:{target.id}" if isinstance(target, Target) else ""
            return Row(f"did:{deed}", f"{is_not}did", of=of, days=str(days or ""))
        case Field(name, "between", (low, high)):
            return Row(name, f"{is_not}between", low, high)
        case Field(name, op, value):
            if isinstance(value, tuple):
                if any("," in one for one in value):
                    return None
                value = ", ".join(value)
            return Row(name, is_not + op, "" if value is None else str(value))
    return None


def _posted(posted: Mapping[str, Any], name: str) -> str:
    """What was typed; of a list, everything that was chosen."""
    if isinstance(posted, MultiValueDict):
        return ", ".join(str(one).strip() for one in posted.getlist(name))
    return str(posted.get(name, "")).strip()


def _number(text: str) -> int | str:
    """Whole numbers as such; anything else as it is, for the rules to refuse."""
    return int(text) if text.isdecimal() and len(text) < 19 else text


def _one_of(value: object, *known: str) -> str:
    return str(value) if value in known else known[0]
