"""What the builder of a smart group offers an account to choose from.

Owns the lists of one form, read once; what may be said at all is contacts.rules'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from zoneinfo import available_timezones

from accounts.models import Account
from common.countries import COUNTRIES
from contacts import rule_sources
from contacts.choices import FieldKind
from contacts.field_types import FieldType
from contacts.fields import CUSTOM_PREFIX
from contacts.rule_form import Draft, Row
from contacts.rule_words import FIELD_LABELS, VALUE_LABELS, Line, Names, outline
from contacts.rules import DAY, DEEDS, FIELDS, OWN, TARGETS, TEXT, Did, Rule, leaves
from contacts.rules_typed import options_of
from contacts.selectors import field_types, groups_static, tags_named

Choice = tuple[str, str]
_TEXT_OPS: Final = (
    ("is", "is"),
    ("not_is", "is not"),
    ("contains", "contains"),
    ("not_contains", "does not contain"),
    ("starts_with", "begins with"),
    ("one_of", "is one of"),
    ("not_one_of", "is none of"),
    ("filled", "is filled in"),
    ("not_filled", "is empty"),
)
_WORD_OPS: Final = (("is", "is"), ("not_is", "is not"))
_FILLED_OPS: Final = (("filled", "is filled in"), ("not_filled", "is empty"))
_OPEN_WORD_OPS: Final = (*_WORD_OPS, *_FILLED_OPS)
_DAY_OPS: Final = (
    ("last_days", "in the last … days"),
    ("not_last_days", "not in the last … days"),
    ("filled", "ever"),
    ("not_filled", "never"),
)
_OWN_OPS: Final[Mapping[str, Sequence[Choice]]] = {
    FieldKind.TEXT: _TEXT_OPS,
    FieldKind.NUMBER: (
        *_WORD_OPS,
        ("less_than", "is less than"),
        ("more_than", "is more than"),
        ("between", "is between"),
        *_FILLED_OPS,
    ),
    FieldKind.DATE: (
        ("yearly_days", "comes round in the next … days"),
        ("next_days", "in the next … days"),
        ("last_days", "in the last … days"),
        ("not_last_days", "not in the last … days"),
        ("before", "before"),
        ("after", "after"),
        *_WORD_OPS,
        *_FILLED_OPS,
    ),
    FieldKind.YES_NO: _OPEN_WORD_OPS,
    FieldKind.CHOICE: (
        *_WORD_OPS,
        ("one_of", "is one of"),
        ("not_one_of", "is none of"),
        *_FILLED_OPS,
    ),
}
# Inputs that a question wants whatever the field.
_WANTS: Final[Mapping[str, str]] = {
    "filled": "",
    "less_than": "number",
    "more_than": "number",
    "between": "numbers",
    "last_days": "days",
    "next_days": "days",
    "yearly_days": "days",
}
_AHEAD: Final = ("next_days", "yearly_days")
_GROUP_OPS: Final = (("in", "is in"), ("not_in", "is not in"))
_TAG_OPS: Final = (("has", "has"), ("not_has", "does not have"))
_DID_OPS: Final = (("did", "yes"), ("not_did", "no, never"))


@dataclass(frozen=True)
class RowChoices:
    """A row of the form with what can be chosen in it; `wants` names the further inputs."""

    row: Row
    ops: Sequence[Choice] = ()
    values: Sequence[Choice] = ()
    wants: str = ""  # text, list, choice, choices, days, deed, number, numbers, date or nothing
    days_from: int = 1


class RuleChoices:
    """The lists of one account: fields, groups, campaigns and blasts."""

    matches: Final = (
        ("all", "all of these"),
        ("any", "any of these"),
        ("none", "none of these"),
    )

    def __init__(self, account: Account) -> None:
        self._account = account

    @cached_property
    def groups(self) -> list[Choice]:
        """Static groups by name."""
        return [(str(group.pk), group.name) for group in groups_static(account=self._account)]

    @cached_property
    def tags(self) -> list[Choice]:
        """Tags by name."""
        return [(str(tag.pk), tag.name) for tag in tags_named(account=self._account)]

    @cached_property
    def custom(self) -> dict[str, FieldType]:
        """Key and type of the account's own fields."""
        return field_types(account=self._account)

    @cached_property
    def whats(self) -> list[tuple[str, list[Choice]]]:
        """Everything a row can ask, in named parts."""
        own = [(CUSTOM_PREFIX + key, field.label) for key, field in self.custom.items()]
        deeds = [(f"did:{deed}", words[0].upper() + words[1:]) for deed, words in DEEDS.items()]
        groups = [("group", "Group")] if self.groups else []
        tags = [("tag", "Tag")] if self.tags else []
        parts = [
            ("The person", [*FIELD_LABELS.items(), *groups, *tags]),
            ("What became of your texts", deeds),
            ("Your own fields", own),
        ]
        return [(name, choices) for name, choices in parts if choices]

    @cached_property
    def ofs(self) -> list[tuple[str, list[Choice]]]:
        """Campaigns and blasts, newest first."""
        found = rule_sources.targets().choices(account=self._account)
        parts = {
            kind: [(f"{kind}:{target.id}", name) for target, name in found if target.kind == kind]
            for kind in reversed(TARGETS)
        }
        return [(f"{kind.title()}s", choices) for kind, choices in parts.items() if choices]

    def row(self, row: Row) -> RowChoices:
        """A row with its choices; an `op` that its question does not have becomes the first."""
        ops, values, wants = self._of(row)
        if ops and row.op not in dict(ops):
            row.op = ops[0][0]
        op = row.op.removeprefix("not_")
        if op == "one_of":
            wants = "choices" if values else "list"
        wants = _WANTS.get(op, wants)
        return RowChoices(row, ops, values, wants, 0 if op in _AHEAD else 1)

    def rows(self, draft: Draft) -> list[tuple[str, list[RowChoices]]]:
        """(match, rows) of every block of a form."""
        return [(block.match, [self.row(row) for row in block.rows]) for block in draft.blocks]

    def lines(self, rule: Rule) -> list[Line]:
        """The rule in words. Four queries at most."""
        asked = [leaf.target for leaf in leaves(rule) if isinstance(leaf, Did) and leaf.target]
        names = Names(
            {int(pk): name for pk, name in self.groups},
            rule_sources.targets().names(account=self._account, targets=asked),
            self.custom,
            {int(pk): name for pk, name in self.tags},
        )
        return outline(rule, names)

    def _of(self, row: Row) -> tuple[Sequence[Choice], Sequence[Choice], str]:
        if not row.what:
            return (), (), ""
        if row.what == "group":
            return _GROUP_OPS, self.groups, "choice"
        if row.what == "tag":
            return _TAG_OPS, self.tags, "choice"
        if row.what.startswith("did:"):
            return _DID_OPS, (), "deed"
        kind = FIELDS.get(row.what, OWN)
        if kind == OWN:
            return self._own(row)
        if kind == DAY:
            return _DAY_OPS, (), "days"
        if kind == TEXT:
            return _TEXT_OPS, (), "text"
        if row.what in VALUE_LABELS:
            return _WORD_OPS, list(VALUE_LABELS[row.what].items()), "choice"
        return _OPEN_WORD_OPS, _ZONES if row.what == "timezone" else _COUNTRIES, "choice"

    def _own(self, row: Row) -> tuple[Sequence[Choice], Sequence[Choice], str]:
        own = self.custom.get(row.what.removeprefix(CUSTOM_PREFIX), _UNKNOWN)
        if own.kind in (FieldKind.YES_NO, FieldKind.CHOICE):
            return _OWN_OPS[own.kind], options_of(own), "choice"
        return _OWN_OPS[own.kind], (), "date" if own.kind == FieldKind.DATE else "text"


_UNKNOWN: Final = FieldType(FieldKind.TEXT)
_ZONES: Final = [(zone, zone) for zone in sorted(available_timezones())]
_COUNTRIES: Final = list(COUNTRIES.items())
