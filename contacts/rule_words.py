"""Rules in words, for pages: an outline of lines, each with how deep it stands. No database."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from contacts.choices import Consent, FieldKind, LineType
from contacts.field_types import FieldType, words
from contacts.fields import CUSTOM_PREFIX, LABELS
from contacts.rules import DEEDS, AllOf, AnyOf, Did, Field, HasTag, InGroup, Not, Rule, Target

FIELD_LABELS: Final[Mapping[str, str]] = {
    **{name: LABELS[name] for name in ("first_name", "last_name", "email", "phone", "timezone")},
    "region": "Country",
    "line_type": "Line type",
    "consent": "Consent",
    "created_at": "Added",
    "consent_at": "Consent changed",
}
VALUE_LABELS: Final[Mapping[str, Mapping[str, str]]] = {
    "line_type": dict(LineType.choices),
    "consent": dict(Consent.choices),
}
# (the rule, its opposite)
_ASKED: Final = {
    "is": ("is", "is not"),
    "contains": ("contains", "does not contain"),
    "starts_with": ("begins with", "does not begin with"),
    "one_of": ("is one of", "is none of"),
    "filled": ("is filled in", "is empty"),
    "last_days": ("in the last", "not in the last"),
    "next_days": ("in the next", "not in the next"),
    "yearly_days": ("comes round in the next", "does not come round in the next"),
    "less_than": ("is less than", "is not less than"),
    "more_than": ("is more than", "is not more than"),
    "between": ("is between", "is not between"),
    "before": ("is before", "is not before"),
    "after": ("is after", "is not after"),
}
_TODAY: Final = {
    "next_days": ("is today", "is not today"),
    "yearly_days": ("comes round today", "does not come round today"),
}
_NEVER: Final = {
    "sent": "was not sent a text",
    "delivered": "did not get a text",
    "clicked": "did not click a link",
    "replied": "did not reply",
    "opted_out": "did not opt out",
}
_OF: Final = {
    "sent": "of",
    "delivered": "of",
    "clicked": "in",
    "replied": "to",
    "opted_out": "after",
}


class Line(NamedTuple):
    """One line of an outline; `is_head` where others stand under it."""

    depth: int
    text: str
    is_head: bool = False


class Names(NamedTuple):
    """What ids and keys in rules are called, and what the account's own fields hold."""

    groups: Mapping[int, str]
    targets: Mapping[Target, str]
    custom: Mapping[str, FieldType]
    tags: Mapping[int, str]


def outline(rule: Rule, names: Names, depth: int = 0) -> list[Line]:
    """The rule as lines, in the order of reading."""
    match rule:
        case AllOf((only,)) | AnyOf((only,)):
            return outline(only, names, depth)
        case AllOf(rules) | Not(AllOf(rules)) | AnyOf(rules) | Not(AnyOf(rules)):
            head = Line(depth, _HEADS[_shape(rule)], is_head=True)
            under = [line for one in rules for line in outline(one, names, depth + 1)]
            return [head, *under]
        case Not(Not(inner)):
            return outline(inner, names, depth)
        case Not(inner):
            return [Line(depth, _leaf(inner, names, is_not=True))]
        case _:
            return [Line(depth, _leaf(rule, names, is_not=False))]


_HEADS: Final = {
    "all": "All of these:",
    "any": "At least one of these:",
    "not all": "Not all of these together:",
    "not any": "None of these:",
}


def _shape(rule: Rule) -> str:
    if isinstance(rule, Not):
        return f"not {_shape(rule.rule)}"
    return "all" if isinstance(rule, AllOf) else "any"


def _leaf(rule: Rule, names: Names, *, is_not: bool) -> str:
    match rule:
        case InGroup(group_id):
            group = names.groups.get(group_id, "a group that is gone")
            return f"{'Is not' if is_not else 'Is'} in the group “{group}”"
        case HasTag(tag_id):
            tag = names.tags.get(tag_id, "one that is gone")
            return f"{'Does not have' if is_not else 'Has'} the tag “{tag}”"
        case Did(deed, target, days):
            words = _NEVER[deed] if is_not else DEEDS[deed]
            if target:
                name = names.targets.get(target, "one that is gone")
                words += f" {_OF[deed]} the {target.kind} “{name}”"
            return _upper(words + (f" in the last {_days(days)}" if days else ""))
        case Field(name, op, value):
            return _field(name, op, value, names, is_not=is_not)
    raise AssertionError(rule)


def _field(
    name: str, op: str, value: str | tuple[str, ...] | int | None, names: Names, *, is_not: bool
) -> str:
    key = name.removeprefix(CUSTOM_PREFIX)
    own = names.custom.get(key, FieldType(FieldKind.TEXT, label=key))
    label = FIELD_LABELS.get(name) or own.label
    asked = _ASKED[op][is_not]
    if isinstance(value, int):
        return f"{label} {asked} {_days(value)}" if value else f"{label} {_TODAY[op][is_not]}"
    values = value if isinstance(value, tuple) else (value,) if value is not None else ()
    known = VALUE_LABELS.get(name, {})
    told = [f"“{known.get(one) or words(own.kind, one)}”" for one in values]
    return f"{label} {asked} {(' and ' if op == 'between' else ', ').join(told)}".strip()


def _days(days: int) -> str:
    return "day" if days == 1 else f"{days:,} days"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
