"""The language of smart groups: what a rule may say, read from JSON and checked. No database.

    {"all": [rule, ...]}   {"any": [rule, ...]}   {"not": rule}
    {"field": "first_name", "op": "contains", "value": "ann"}
    {"group": 7}
    {"tag": 5}
    {"did": "clicked", "blast": 3, "days": 30}

Nothing else can be expressed, and nothing that was read here is ever part of a statement's text:
names come from the tables below, values travel as parameters (contacts.rules_sql). Whether a named
group, blast or field is the account's own is asked by contacts.services.smart.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from contacts import fields
from contacts.choices import Consent, LineType
from contacts.errors import RulesInvalid
from contacts.field_types import number_read

DEPTH_MAX: Final = 8
LEAVES_MAX: Final = 50
LIST_MAX: Final = 100
DAYS_MAX: Final = 3650
VALUE_LENGTH: Final = 500
ID_MAX: Final = 2**63 - 1

# What a field holds decides what may be asked of it.
TEXT: Final = "text"
WORD: Final = "word"  # one of a known set, compared as it stands
DAY: Final = "day"
OWN: Final = "own"  # a field of the account's own: what it holds is contacts.rules_typed's
FIELDS: Final[Mapping[str, str]] = {
    "first_name": TEXT,
    "last_name": TEXT,
    "email": TEXT,
    "phone": TEXT,
    "timezone": WORD,
    "region": WORD,
    "line_type": WORD,
    "consent": WORD,
    "created_at": DAY,
    "consent_at": DAY,
}
OPS: Final[Mapping[str, Sequence[str]]] = {
    TEXT: ("is", "contains", "starts_with", "one_of", "filled"),
    WORD: ("is", "one_of", "filled"),
    DAY: ("last_days", "filled"),
    OWN: (
        *("is", "contains", "starts_with", "one_of", "filled"),
        *("less_than", "more_than", "between"),
        *("before", "after", "last_days", "next_days", "yearly_days"),
    ),
}
# Days from now on, 0 being today; those that come round each year are fewer than the year has.
_DAYS_AHEAD: Final[Mapping[str, int]] = {"next_days": DAYS_MAX, "yearly_days": 364}
DEEDS: Final[Mapping[str, str]] = {
    "sent": "was sent a text",
    "delivered": "got a text",
    "clicked": "clicked a link",
    "replied": "replied",
    "opted_out": "opted out",
}
TARGETS: Final = ("blast", "campaign")

_CUSTOM = re.compile(re.escape(fields.CUSTOM_PREFIX) + r"[a-z][a-z0-9_]{0,39}")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOT_DIALLED = re.compile(r"[^0-9+]+")
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class AllOf:
    """Everybody whom all the rules fit."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True)
class AnyOf:
    """Everybody whom at least one of the rules fits."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True)
class Not:
    """Everybody whom the rule does not fit."""

    rule: "Rule"


@dataclass(frozen=True)
class Field:
    """What stands in a field. `value` is words, a tuple of words, a number of days, or None.

    Numbers and dates are words as contacts.field_types keeps them.
    """

    field: str
    op: str
    value: str | tuple[str, ...] | int | None = None

    @property
    def kind(self) -> str:
        """TEXT, WORD, DAY or OWN."""
        return FIELDS.get(self.field, OWN)


@dataclass(frozen=True)
class InGroup:
    """Who is in a static group."""

    group_id: int


@dataclass(frozen=True)
class HasTag:
    """Who has a tag."""

    tag_id: int


@dataclass(frozen=True)
class Target:
    """A blast or a campaign: `kind` is one of TARGETS."""

    kind: str
    id: int


@dataclass(frozen=True)
class Did:
    """What happened with a text to the person: one of DEEDS, of any text or of `target`'s.

    `days`: only within so many days before now; None for ever.
    """

    deed: str
    target: Target | None = None
    days: int | None = None


Leaf = Field | InGroup | HasTag | Did
Rule = AllOf | AnyOf | Not | Leaf


def parse(raw: object) -> Rule:
    """Rules as they came from a form, a program or the database.

    Raises:
        RulesInvalid: anything that is not exactly of this language; `code` and sentence say what,
            `path` where.
    """
    rule = _rule(raw, "", 1)
    count = sum(1 for _ in leaves(rule))
    if count > LEAVES_MAX:
        raise RulesInvalid(
            "rules_too_many", f"There are {count} rules; a group can have {LEAVES_MAX}."
        )
    return rule


def plain(rule: Rule) -> dict[str, Any]:
    """The rule as JSON; `parse` of it gives the same rule."""
    match rule:
        case AllOf(rules):
            return {"all": [plain(one) for one in rules]}
        case AnyOf(rules):
            return {"any": [plain(one) for one in rules]}
        case Not(inner):
            return {"not": plain(inner)}
        case Field(name, op, value):
            given = list(value) if isinstance(value, tuple) else value
            return {"field": name, "op": op} | ({} if value is None else {"value": given})
        case InGroup(group_id):
            return {"group": group_id}
        case HasTag(tag_id):
            return {"tag": tag_id}
        case Did(deed, target, days):
            of = {target.kind: target.id} if target else {}
            return {"did": deed, **of} | ({} if days is None else {"days": days})


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every rule that asks something itself, in the order of reading."""
    match rule:
        case AllOf(rules) | AnyOf(rules):
            for one in rules:
                yield from leaves(one)
        case Not(inner):
            yield from leaves(inner)
        case _:
            yield rule


def changed(rule: Rule, change: Callable[[Field], Field]) -> Rule:
    """The same rule with every question of a field replaced."""
    match rule:
        case AllOf(rules):
            return AllOf(tuple(changed(one, change) for one in rules))
        case AnyOf(rules):
            return AnyOf(tuple(changed(one, change) for one in rules))
        case Not(inner):
            return Not(changed(inner, change))
        case Field():
            return change(rule)
        case _:
            return rule


def _rule(raw: object, path: str, depth: int) -> Rule:
    if depth > DEPTH_MAX:
        raise RulesInvalid(
            "rules_too_deep", f"Rules can be nested {DEPTH_MAX} deep, not deeper.", path=path
        )
    if not isinstance(raw, Mapping):
        raise RulesInvalid("rule_unreadable", "A rule is an object such as {…}.", path=path)
    for key, read in _READERS.items():
        if key in raw:
            return read(raw, path, depth)
    raise RulesInvalid(
        "rule_unknown", f"A rule says one of: {', '.join(_READERS)}. This one does not.", path=path
    )


def _list(raw: Mapping[str, object], key: str, path: str, depth: int) -> tuple[Rule, ...]:
    _only(raw, {key}, path)
    rules, path = raw[key], f"{path}.{key}".lstrip(".")
    if not isinstance(rules, list):
        raise RulesInvalid("rule_unreadable", f"“{key}” takes a list of rules.", path=path)
    if not rules:
        raise RulesInvalid("rule_empty", "Say at least one rule here.", path=path)
    if len(rules) > LEAVES_MAX:
        raise RulesInvalid(
            "rules_too_many", f"There are {len(rules)} rules; a group can have {LEAVES_MAX}."
        )
    return tuple(_rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(rules))


def _not(raw: Mapping[str, object], path: str, depth: int) -> Rule:
    _only(raw, {"not"}, path)
    return Not(_rule(raw["not"], f"{path}.not".lstrip("."), depth + 1))


def _field(raw: Mapping[str, object], path: str, depth: int) -> Rule:
    _only(raw, {"field", "op", "value"}, path)
    name, op = raw["field"], raw.get("op")
    if not isinstance(name, str) or not (name in FIELDS or _CUSTOM.fullmatch(name)):
        known = f"{', '.join(FIELDS)}, {fields.CUSTOM_PREFIX}<key>"
        raise RulesInvalid(
            "rule_field_unknown", f"There is no such field. There are: {known}.", path=path
        )
    ops = OPS[FIELDS.get(name, OWN)]
    if not isinstance(op, str) or op not in ops:
        raise RulesInvalid(
            "rule_op_unknown", f"Of “{name}” one can ask: {', '.join(ops)}.", path=path
        )
    value = raw.get("value")
    match op:
        case "filled":
            if value is not None:
                raise RulesInvalid("rule_value_invalid", "“filled” takes no value.", path=path)
            return Field(name, op)
        case "last_days":
            return Field(name, op, _days(value, path))
        case "next_days" | "yearly_days":
            return Field(name, op, _days(value, path, first=0, last=_DAYS_AHEAD[op]))
        case "one_of":
            return Field(name, op, _values(name, value, path))
        case "less_than" | "more_than":
            return Field(name, op, _number(value, path))
        case "between":
            return Field(name, op, _numbers(value, path))
        case "before" | "after":
            return Field(name, op, _date(value, path))
        case _:
            return Field(name, op, _value(name, value, path))


def _values(name: str, value: object, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= LIST_MAX:
        raise RulesInvalid(
            "rule_value_invalid", f"“one_of” takes a list of 1 to {LIST_MAX} values.", path=path
        )
    return tuple(dict.fromkeys(_value(name, one, path) for one in value))


def _value(name: str, value: object, path: str) -> str:
    """A value as the field would hold it, so that what was typed in another form still fits."""
    if not isinstance(value, str) or _UNREADABLE.search(value) or not value.strip():
        raise RulesInvalid("rule_value_invalid", "Fill in the value of this rule.", path=path)
    value = value.strip()
    if len(value) > VALUE_LENGTH:
        raise RulesInvalid(
            "rule_value_invalid", f"A value has at most {VALUE_LENGTH} characters.", path=path
        )
    if name in _WORDS:
        return _WORDS[name](value, path)
    return value


def _number(value: object, path: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    number = number_read(str(value).strip()) if is_number or isinstance(value, str) else None
    if number is None:
        raise RulesInvalid("rule_value_invalid", "Say a number, such as 12.5.", path=path)
    return number


def _numbers(value: object, path: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise RulesInvalid(
            "rule_value_invalid", "“between” takes a list of two numbers.", path=path
        )
    low, high = (_number(one, path) for one in value)
    if Decimal(low) > Decimal(high):
        raise RulesInvalid("rule_value_invalid", "Say the smaller number first.", path=path)
    return low, high


def _date(value: object, path: str) -> str:
    try:
        if isinstance(value, str) and _ISO.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise RulesInvalid("rule_value_invalid", "Say a date, such as 2026-05-03.", path=path)


def _phone(value: str, path: str) -> str:
    digits = _NOT_DIALLED.sub("", value)
    if not digits:
        raise RulesInvalid("rule_value_invalid", "A phone number has digits.", path=path)
    return digits


def _zone(value: str, path: str) -> str:
    try:
        return fields.clean_timezone(value)
    except fields.FieldError as error:
        raise RulesInvalid("rule_value_invalid", error.sentence, path=path) from error


def _country(value: str, path: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise RulesInvalid("rule_value_invalid", "A country is two letters, such as US.", path=path)
    return value.upper()


def _choice(values: Sequence[str]) -> Callable[[str, str], str]:
    def read(value: str, path: str) -> str:
        if value not in values:
            raise RulesInvalid(
                "rule_value_invalid", f"This can be: {', '.join(values)}.", path=path
            )
        return value

    return read


_WORDS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "phone": _phone,
    "timezone": _zone,
    "region": _country,
    "line_type": _choice(LineType.values),
    "consent": _choice(Consent.values),
}


def _group(raw: Mapping[str, object], path: str, depth: int) -> Rule:
    _only(raw, {"group"}, path)
    return InGroup(_id(raw["group"], "group", path))


def _tag(raw: Mapping[str, object], path: str, depth: int) -> Rule:
    _only(raw, {"tag"}, path)
    return HasTag(_id(raw["tag"], "tag", path))


def _did(raw: Mapping[str, object], path: str, depth: int) -> Rule:
    _only(raw, {"did", "days", *TARGETS}, path)
    deed = raw["did"]
    if not isinstance(deed, str) or deed not in DEEDS:
        raise RulesInvalid("rule_deed_unknown", f"“did” is one of: {', '.join(DEEDS)}.", path=path)
    named = [kind for kind in TARGETS if raw.get(kind) is not None]
    if len(named) > 1:
        raise RulesInvalid("rule_unreadable", "Name a blast or a campaign, not both.", path=path)
    target = Target(named[0], _id(raw[named[0]], named[0], path)) if named else None
    days = raw.get("days")
    return Did(deed, target, None if days is None else _days(days, path))


def _days(value: object, path: str, *, first: int = 1, last: int = DAYS_MAX) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not first <= value <= last:
        raise RulesInvalid(
            "rule_days_invalid", f"Days are a whole number from {first} to {last:,}.", path=path
        )
    return value


def _id(value: object, what: str, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= ID_MAX:
        raise RulesInvalid("rule_value_invalid", f"“{what}” takes the id of one.", path=path)
    return value


def _only(raw: Mapping[str, object], known: set[str], path: str) -> None:
    unknown = sorted(str(key) for key in raw if key not in known)
    if unknown:
        raise RulesInvalid(
            "rule_unreadable",
            f"“{fields.shorten(unknown[0])}” does not belong into this rule.",
            path=path,
        )


_READERS: Final[Mapping[str, Callable[[Mapping[str, object], str, int], Rule]]] = {
    "all": lambda raw, path, depth: AllOf(_list(raw, "all", path, depth)),
    "any": lambda raw, path, depth: AnyOf(_list(raw, "any", path, depth)),
    "not": _not,
    "field": _field,
    "group": _group,
    "tag": _tag,
    "did": _did,
}
