"""Rules as one statement: whom do they fit? Owns the compilation; contacts.rules owns the language.

What a contact's own columns say becomes a condition on contacts. Groups, tags and texts are asked
in sets, each read once: rows of (contact, bits), a bit for every rule the set answers. The sets are
joined to the contacts one after another, and each rule is read off the bits as soon as they are
there.

    SELECT ... FROM (contacts) p FULL JOIN (members) s ON s.id = p.id WHERE p.id ... AND <rules>

A full join on purpose: PostgreSQL can only hash or merge it. Anything else (IN under OR, NOT IN, a
left join) may become a loop over a whole set for every contact when the planner guesses low, as it
does just after an import; see docs/adr/0010-smart-groups-in-bits.md.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import reduce
from operator import and_, or_
from typing import Any, Final, NamedTuple, cast
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Case, F, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Left, Lower, StrIndex
from django.db.models.lookups import Exact, GreaterThan, In

from accounts.models import Account
from common.sql import Sql
from contacts import rule_sources, rules_own
from contacts.fields import CUSTOM_PREFIX
from contacts.models import Contact
from contacts.person import Person
from contacts.rule_sources import Asked
from contacts.rules import (
    DAY,
    OWN,
    WORD,
    AllOf,
    AnyOf,
    Did,
    Field,
    HasTag,
    InGroup,
    Not,
    Rule,
    Target,
    leaves,
)

_OWN: Final = "own"
_MEMBERS: Final = "members"
_TAGGED: Final = "tagged"
# Not strict on purpose, nor is the id that comes out: "p.id IS NOT NULL", or an id that must equal
# something outside, would let the planner make a left join of it.
_THERE: Final = "coalesce(p.id, 0) <> 0"


def fitting(*, account: Account, rule: Rule, moment: datetime) -> QuerySet[Contact]:
    """Live contacts whom the rule fits at `moment`, each once, unordered."""
    live, at = _live(account), _at(account, moment)
    plain, mixed = _split(rule, at)
    if plain is not None:
        live = live.filter(plain)
    if not mixed:
        return live
    found = _Bits(account, at).statement(live, mixed)
    # The statement holds the account. Asked again out here, the planner would think of one contact
    # just after an import, and go through everybody found once for each contact there is.
    return Contact.objects.filter(pk__in=RawSQL(found.text, found.params))


def fitting_ids(
    *, account: Account, rule: Rule, moment: datetime, only: Person | None = None
) -> Sql:
    """The same as a statement that gives ids alone, for counting.

    With `only` no set holds more than this person's rows: whether one contact fits is answered
    without asking about everybody.
    """
    live, at = _live(account), _at(account, moment)
    if only is not None:
        live = live.filter(pk=only.contact.pk)
    plain, mixed = _split(rule, at)
    if plain is not None:
        live = live.filter(plain)
    if not mixed:
        return Sql(*_compiled(live.values("pk")))
    return _Bits(account, at, only).statement(live, mixed)


class _At(NamedTuple):
    """When rules are asked: the moment, and the day it is for the account."""

    moment: datetime
    today: date


def _at(account: Account, moment: datetime) -> _At:
    return _At(moment, moment.astimezone(ZoneInfo(account.timezone)).date())


def _live(account: Account) -> QuerySet[Contact]:
    return Contact.objects.filter(account=account, deleted_at=None)


def _compiled(rows: QuerySet[Any, Any]) -> tuple[str, list[Any]]:
    text, params = rows.query.sql_with_params()
    return text, list(params)


def _split(rule: Rule, at: _At) -> tuple[Q | None, list[Rule]]:
    """What every member's own columns must say, and the other rules that must fit besides."""
    plain: list[Q] = []
    mixed: list[Rule] = []
    for one in _conjuncts(rule):
        if _is_plain(one):
            plain.append(_condition(one, at))
        else:
            mixed.append(one)
    return (reduce(and_, plain) if plain else None), mixed


def _conjuncts(rule: Rule) -> Iterable[Rule]:
    if isinstance(rule, AllOf):
        for one in rule.rules:
            yield from _conjuncts(one)
    else:
        yield rule


def _is_plain(rule: Rule) -> bool:
    return all(isinstance(leaf, Field) for leaf in leaves(rule))


class _Bits:
    """Gives each question a bit of a set, and puts the sets together."""

    def __init__(self, account: Account, at: _At, only: Person | None = None) -> None:
        self._account = account
        self._only = only
        self._at = at
        self._masks: dict[Rule, int] = {}
        self._sets: list[object] = [_OWN]

    def statement(self, live: QuerySet[Contact], rules: list[Rule]) -> Sql:
        """Ids of those of `live` whom all the rules fit."""
        asked = {rule: self._number(rule) for rule in rules}
        whole = self._contacts(live)
        for at, of in enumerate(self._sets[1:], 1):
            part = self._part(of)
            ready = [self._test(rule, at) for rule, last in asked.items() if last == at]
            kept = ", ".join(f"p.m{n}" for n in range(at))
            where = " AND ".join([_THERE, *ready])
            whole = Sql(
                f"SELECT p.id, {kept}, coalesce(s.mask, 0) AS m{at} FROM ({whole.text}) p "
                f"FULL JOIN ({part.text}) s (id, mask) ON s.id = p.id WHERE {where}",
                [*whole.params, *part.params],
            )
        return Sql(f"SELECT coalesce(f.id, 0) FROM ({whole.text}) f (id)", whole.params)

    def _number(self, rule: Rule) -> int:
        """Give what the rule asks bits and sets; the last of the sets that it needs."""
        if _is_plain(rule):
            self._masks.setdefault(rule, 1 << len(self._masks))
            return 0
        match rule:
            case Not(inner):
                return self._number(inner)
            case AllOf(rules) | AnyOf(rules):
                return max([self._number(one) for one in rules])
        self._masks.setdefault(rule, 1 << len(self._masks))
        of = _set_of(rule)
        if of not in self._sets:
            self._sets.append(of)
        return self._sets.index(of)

    def _test(self, rule: Rule, at: int) -> str:
        """The rule over bits, where set `at` is being joined. Numbers of ours and nothing else."""
        match rule:
            case Not(inner):
                if not _is_plain(rule):
                    return f"NOT {self._test(inner, at)}"
            case AllOf(rules) if not _is_plain(rule):
                return "(" + " AND ".join(self._test(one, at) for one in rules) + ")"
            case AnyOf(rules) if not _is_plain(rule):
                return "(" + " OR ".join(self._test(one, at) for one in rules) + ")"
        of = self._sets.index(_set_of(rule))
        bits = "coalesce(s.mask, 0)" if of == at else f"p.m{of}"
        return f"({bits} & {self._masks[rule]} <> 0)"

    def _of(self, of: object) -> dict[Rule, int]:
        return {rule: mask for rule, mask in self._masks.items() if _set_of(rule) == of}

    def _contacts(self, live: QuerySet[Contact]) -> Sql:
        bits: Any = Value(0, BigIntegerField())
        for rule, mask in self._of(_OWN).items():
            condition = _condition(rule, self._at)
            bits = bits + Case(
                When(condition, then=Value(mask)), default=0, output_field=BigIntegerField()
            )
        text, params = _compiled(live.values_list("pk", bits))
        return Sql(f"SELECT c.id, c.m0 FROM ({text}) c (id, m0)", params)

    def _part(self, of: object) -> Sql:
        """A set: each contact once, with its bits."""
        if of == _MEMBERS:
            rows = self._listed(of, "contacts_groupmember", "group_id")
        elif of == _TAGGED:
            rows = self._listed(of, "contacts_contacttag", "tag_id")
        else:
            rows = self._texts(cast("Target | None", of))
        if of in (_MEMBERS, _TAGGED) and len(self._of(of)) == 1:
            return rows  # nobody is in one group, or has one tag, twice
        return Sql(
            f"SELECT u.id, bit_or(u.mask) FROM ({rows.text}) u (id, mask) GROUP BY u.id",
            rows.params,
        )

    def _listed(self, of: object, table: str, column: str) -> Sql:
        """Who is in groups, or has tags: by the rows of a table, whose names are ours."""
        masks = {_listed_id(rule): mask for rule, mask in self._of(of).items()}
        whens = " ".join(f"WHEN {pk} THEN {mask}" for pk, mask in masks.items())
        of_one = "" if self._only is None else " AND m.contact_id = %s"
        return Sql(
            f"SELECT m.contact_id, (CASE m.{column} {whens} END)::bigint "
            f"FROM {table} m WHERE m.account_id = %s AND m.{column} = ANY(%s){of_one}",
            [self._account.pk, list(masks), *([self._only.contact.pk] if self._only else [])],
        )

    def _texts(self, target: Target | None) -> Sql:
        """Texts of one blast or campaign, or any text."""
        asked = []
        for rule, mask in self._of(target).items():
            assert isinstance(rule, Did)
            since = self._at.moment - timedelta(days=rule.days) if rule.days else None
            asked.append(Asked(mask, rule.deed, since))
        batches = None
        if target is not None:
            batches = rule_sources.targets().batches(account=self._account, target=target)
        phones = None if self._only is None else self._only.phones
        return rule_sources.deeds()(self._account, asked, batches, phones)


def _set_of(rule: Rule) -> object:
    """Which set answers: the contacts' own, members of groups, tags, or the texts of a target."""
    match rule:
        case InGroup():
            return _MEMBERS
        case HasTag():
            return _TAGGED
        case Did(_, target, _):
            return target
    return _OWN


def _listed_id(rule: Rule) -> int:
    assert isinstance(rule, InGroup | HasTag)
    return rule.group_id if isinstance(rule, InGroup) else rule.tag_id


def _condition(rule: Rule, at: _At) -> Q:
    """A rule of fields alone, as a condition on contacts that is never NULL."""
    match rule:
        case AllOf(rules):
            return reduce(and_, (_condition(one, at) for one in rules))
        case AnyOf(rules):
            return reduce(or_, (_condition(one, at) for one in rules))
        case Not(inner):
            return ~_condition(inner, at)
        case Field():
            return _field(rule, at)
    raise AssertionError(rule)


def _field(rule: Field, at: _At) -> Q:
    name, op, value = rule.field, rule.op, rule.value
    if rule.kind == DAY:
        if isinstance(value, int):
            since = at.moment - timedelta(days=value)
            return Q(**{f"{name}__isnull": False, f"{name}__gte": since})
        return Q(**{f"{name}__isnull": False})
    column: Any = F(name)
    if rule.kind == OWN:
        held = KeyTextTransform(name.removeprefix(CUSTOM_PREFIX), "custom")
        column = Coalesce(held, Value(""), output_field=TextField())
        if op in rules_own.OPS:
            return rules_own.condition(column, op, value, at.today)
    if op == "filled":
        return ~Q(Exact(column, Value("")))
    fold = _as_it_stands if rule.kind == WORD else Lower
    if isinstance(value, tuple):
        return Q(In(fold(column), [fold(Value(one)) for one in value]))
    words = Value(str(value))
    if op == "contains":
        return Q(GreaterThan(StrIndex(fold(column), fold(words)), 0))
    if op == "starts_with":
        column = Left(column, len(str(value)))
    return Q(Exact(fold(column), fold(words)))


def _as_it_stands(expression: Combinable) -> Combinable:
    return expression
