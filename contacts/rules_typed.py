"""What may be asked of a field of the account's own, by what it holds. No database.

The language itself (contacts.rules) knows no account and takes every question of an own field; here
a rule meets the field's type: a question that has no sense is refused, and the words that are
compared become those that the field keeps.
"""

from collections.abc import Mapping
from typing import Final

from contacts.choices import FieldKind
from contacts.errors import RulesInvalid
from contacts.field_types import YES_NO_WORDS, FieldType, value_read
from contacts.fields import CUSTOM_PREFIX, FieldError
from contacts.rules import Field, Rule, changed

OPS_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    FieldKind.TEXT: ("is", "contains", "starts_with", "one_of", "filled"),
    FieldKind.NUMBER: ("is", "less_than", "more_than", "between", "filled"),
    FieldKind.DATE: (
        *("is", "before", "after", "last_days", "next_days", "yearly_days"),
        "filled",
    ),
    FieldKind.YES_NO: ("is", "filled"),
    FieldKind.CHOICE: ("is", "one_of", "filled"),
}


def typed(rule: Rule, types: Mapping[str, FieldType]) -> Rule:
    """The rule with the values of own fields as these keep them; other fields stand as they are.

    Raises:
        RulesInvalid: something is asked of a field that its type does not answer.
    """

    def meet(leaf: Field) -> Field:
        key = leaf.field.removeprefix(CUSTOM_PREFIX)
        own = types.get(key)
        return leaf if own is None or key == leaf.field else _meet(leaf, key, own)

    return changed(rule, meet)


def _meet(leaf: Field, key: str, own: FieldType) -> Field:
    ops = OPS_OWN[own.kind]
    if leaf.op not in ops:
        raise RulesInvalid(
            "rule_op_unknown", f"Of “{own.label or key}” one can ask: {', '.join(ops)}."
        )
    if own.kind == FieldKind.TEXT or leaf.op not in ("is", "one_of"):
        return leaf
    if isinstance(leaf.value, tuple):
        kept = tuple(dict.fromkeys(_value(key, own, one) for one in leaf.value))
        return Field(leaf.field, leaf.op, kept)
    return Field(leaf.field, leaf.op, _value(key, own, str(leaf.value)))


def _value(key: str, own: FieldType, text: str) -> str:
    try:
        kept = value_read(key, own, text, "")
    except FieldError as error:
        sentence = error.sentence.replace(", or leave it empty.", ".")
        raise RulesInvalid("rule_value_invalid", sentence) from error
    if own.kind == FieldKind.DATE and kept != text:
        raise RulesInvalid("rule_value_invalid", "Say a date, such as 2026-05-03.")
    return kept


def options_of(own: FieldType) -> list[tuple[str, str]]:
    """(value, words) of what there is to choose from; nothing where values are typed."""
    if own.kind == FieldKind.YES_NO:
        return list(YES_NO_WORDS.items())
    return [(one, one) for one in own.options]
