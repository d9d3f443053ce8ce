"""Whom the rules of a smart group fit: one statement against plain Python, rules at random."""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from campaigns.models import Blast, Campaign
from contacts.choices import Consent, LineType
from contacts.membership import rule_count
from contacts.models import Contact, ContactTag, CustomField, Group, GroupMember, Tag
from contacts.person import person_of
from contacts.rules import parse
from contacts.rules_sql import fitting, fitting_ids
from contacts.services.smart import rules_read
from messaging.choices import BatchKind, MessageState
from messaging.models import Batch, Message, SenderNumber

MOMENT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
TAKEN = {"accepted", "sent", "delivered", "undelivered", "failed"}
TODAY = date(2026, 11, 20)  # in New York it is the same day
POINTS = ("0", "-3", "0.5", "7", "10", "100", "1000000000000", "9.99")
BORN = (
    *("1980-02-29", "1990-02-28", "1975-03-01", "2001-11-20", "2001-11-21", "1999-12-31"),
    *("1970-01-01", "2026-11-20", "2026-11-19", "2026-12-20", "2026-08-12", "1999-11-19"),
)
WORDS = ("", "Ann", "ANNA", "ben", "Élan", "élan vital", "50%", "a_b", "\\", "O'Hara")


@dataclass(repr=False)
class Town:
    """Two accounts with people, groups, blasts and texts drawn at random, always the same."""

    account: Account
    people: list[Contact]
    groups: list[Group]
    tags: list[Tag]
    blasts: list[Blast]
    members: set[tuple[int, int]]
    tagged: set[tuple[int, int]]
    texts: list[Message]


@pytest.fixture
def town(account: Account, other_account: Account, sender: SenderNumber) -> Town:
    for key, kind in (
        *(("city", "text"), ("points", "number"), ("born", "date")),
        *(("vip", "yes_no"), ("size", "choice")),
    ):
        options = ["S", "M", "L"] if kind == "choice" else []
        CustomField.objects.create(
            account=account, key=key, label=key.title(), kind=kind, options=options
        )
    _town(other_account, sender, random.Random(2))
    return _town(account, sender, random.Random(1))


def _town(account: Account, sender: SenderNumber, draw: random.Random) -> Town:
    people = Contact.objects.bulk_create(_person(account, n, draw) for n in range(80))
    groups = [Group.objects.create(account=account, name=f"Group {n}") for n in range(3)]
    members = GroupMember.objects.bulk_create(
        GroupMember(account=account, group=group, contact=contact)
        for group in groups
        for contact in people
        if contact.deleted_at is None and draw.random() < 0.4
    )
    tags = [Tag.objects.create(account=account, name=f"Tag {n}") for n in range(2)]
    tagged = ContactTag.objects.bulk_create(
        ContactTag(account=account, tag=tag, contact=contact)
        for tag in tags
        for contact in people
        if contact.deleted_at is None and draw.random() < 0.3
    )
    campaigns = [Campaign.objects.create(account=account, name=f"C{n}") for n in range(2)]
    blasts = [_blast(account, sender, campaigns[n // 2], n) for n in range(4)]
    batches = [blast.batch for blast in blasts if blast.batch] + [None]
    texts = Message.objects.bulk_create(
        _text(account, draw.choice(batches), n, draw.choice([*people, None]), draw)
        for n in range(400)
    )
    return Town(
        account,
        people,
        groups,
        tags,
        blasts,
        {(m.group_id, m.contact_id) for m in members},
        {(t.tag_id, t.contact_id) for t in tagged},
        texts,
    )


def _person(account: Account, n: int, draw: random.Random) -> Contact:
    own = {
        "city": draw.choice((None, "Köln", "köln", "Paris")),
        "points": draw.choice((None, *POINTS)),
        "born": draw.choice((None, *BORN)),
        "vip": draw.choice((None, "true", "false")),
        "size": draw.choice((None, "S", "M", "L")),
    }
    return Contact(
        account=account,
        phone=f"+1202555{1000 + n}",
        first_name=draw.choice(WORDS),
        last_name=draw.choice(WORDS),
        email=draw.choice(("", "ann@shop.example", "BEN@shop.example")),
        timezone=draw.choice(("", "America/New_York", "Europe/Berlin")),
        custom={key: value for key, value in own.items() if value},
        line_type=draw.choice(LineType.values),
        region=draw.choice(("", "US", "CA")),
        consent=draw.choice(Consent.values),
        consent_at=_ago(draw),
        created_at=MOMENT - timedelta(days=draw.choice((1, 29, 31, 400))),
        deleted_at=MOMENT if draw.random() < 0.1 else None,
    )


def _blast(account: Account, sender: SenderNumber, campaign: Campaign, n: int) -> Blast:
    """The fourth has not gone out."""
    batch = None
    if n < 3:
        batch = Batch.objects.create(
            account=account, kind=BatchKind.BLAST, body="Hi", sender=sender, request_key=f"t{n}"
        )
    return Blast.objects.create(account=account, campaign=campaign, name=f"B{n}", batch=batch)


def _text(
    account: Account, batch: Batch | None, n: int, contact: Contact | None, draw: random.Random
) -> Message:
    states = [state for state in MessageState.values if state != MessageState.RECEIVED]
    state = draw.choice(states)
    return Message(
        account=account,
        batch=batch,
        recipient_no=n if batch else None,
        contact=contact,
        phone=contact.phone if contact else "+12025559999",
        our_number="+12025550100",
        state=state,
        accepted_at=_ago(draw, always=True) if state in TAKEN else None,
        final_at=_ago(draw, always=True) if state == "delivered" else None,
        human_click_at=_ago(draw),
        replied_at=_ago(draw),
        opted_out_at=_ago(draw),
    )


def _ago(draw: random.Random, *, always: bool = False) -> datetime | None:
    if not always and draw.random() < 0.7:
        return None
    return MOMENT - timedelta(days=draw.choice((1, 6, 29, 31, 89, 91, 400)))


# --- The same rules in plain Python, read from their JSON ---


def says(rule: dict[str, Any], person: Contact, town: Town) -> bool:
    """Whether the rule fits the person; knows nothing of how rules are compiled."""
    if "all" in rule:
        return all(says(one, person, town) for one in rule["all"])
    if "any" in rule:
        return any(says(one, person, town) for one in rule["any"])
    if "not" in rule:
        return not says(rule["not"], person, town)
    if "group" in rule:
        return (rule["group"], person.pk) in town.members
    if "tag" in rule:
        return (rule["tag"], person.pk) in town.tagged
    if "did" in rule:
        return any(_did(rule, text, town) for text in town.texts if text.contact_id == person.pk)
    return _holds(rule, person)


def _did(rule: dict[str, Any], text: Message, town: Town) -> bool:
    blasts = [blast for blast in town.blasts if blast.batch_id]
    if "blast" in rule:
        blasts = [blast for blast in blasts if blast.pk == rule["blast"]]
    if "campaign" in rule:
        blasts = [blast for blast in blasts if blast.campaign_id == rule["campaign"]]
    if ("blast" in rule or "campaign" in rule) and (
        text.batch_id is None or text.batch_id not in [blast.batch_id for blast in blasts]
    ):
        return False
    at = {
        "sent": text.accepted_at if text.state in TAKEN else None,
        "delivered": text.final_at if text.state == "delivered" else None,
        "clicked": text.human_click_at,
        "replied": text.replied_at,
        "opted_out": text.opted_out_at,
    }[rule["did"]]
    return at is not None and _recent(at, rule.get("days"))


def _holds(rule: dict[str, Any], person: Contact) -> bool:
    name, op = rule["field"], rule["op"]
    value: Any = rule.get("value")
    is_own = name.startswith("custom.")
    held = person.custom.get(name.removeprefix("custom.")) if is_own else getattr(person, name)
    if op == "filled":
        return bool(held)
    if op in ("less_than", "more_than", "between"):
        return bool(held) and _measures(op, Decimal(held), value)
    if op in ("before", "after", "next_days", "yearly_days") or (is_own and op == "last_days"):
        return bool(held) and _falls(op, date.fromisoformat(held), value)
    if op == "last_days":
        return held is not None and _recent(held, value)
    held = (held or "").lower()
    match op:
        case "is":
            return bool(held == value.lower())
        case "contains":
            return value.lower() in held
        case "starts_with":
            return bool(held.startswith(value.lower()))
        case _:
            return held in [one.lower() for one in value]


def _measures(op: str, held: Decimal, value: Any) -> bool:
    if op == "between":
        low, high = map(Decimal, value)
        return low <= held <= high
    return held < Decimal(value) if op == "less_than" else held > Decimal(value)


def _falls(op: str, held: date, value: Any) -> bool:
    match op:
        case "before":
            return held < date.fromisoformat(value)
        case "after":
            return held > date.fromisoformat(value)
        case "last_days":
            return 0 <= (TODAY - held).days <= value
        case "next_days":
            return 0 <= (held - TODAY).days <= value
    ahead = (TODAY + timedelta(days=n) for n in range(value + 1))
    return any(_is_day_of(held, day) for day in ahead)


def _is_day_of(born: date, day: date) -> bool:
    is_leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
    if (born.month, born.day) == (2, 29) and not is_leap:
        return (day.month, day.day) == (2, 28)
    return (born.month, born.day) == (day.month, day.day)


def _recent(at: datetime, days: int | None) -> bool:
    return days is None or at >= MOMENT - timedelta(days=days)


# --- Rules drawn at random ---

_VALUES = {
    "first_name": [*WORDS[1:], "n", "%", "é"],
    "last_name": [*WORDS[1:], "'", "_"],
    "email": ["@shop.example", "ann@shop.example"],
    "phone": ["+1202555", "10"],
    "custom.city": ["KÖLN", "par", "x"],
}
_CHOICES = {
    "timezone": ["America/New_York", "Europe/Berlin"],
    "region": ["US", "CA"],
    "line_type": LineType.values,
    "consent": Consent.values,
}
_DAYS = st.sampled_from((1, 7, 30, 90, 3650))


def _texts() -> st.SearchStrategy[dict[str, Any]]:
    def ask(name: str) -> st.SearchStrategy[dict[str, Any]]:
        value = st.sampled_from(_VALUES[name])
        one = st.fixed_dictionaries(
            {
                "field": st.just(name),
                "op": st.sampled_from(("is", "contains", "starts_with")),
                "value": value,
            }
        )
        many = st.fixed_dictionaries(
            {
                "field": st.just(name),
                "op": st.just("one_of"),
                "value": st.lists(value, min_size=1, max_size=3, unique=True),
            }
        )
        return one | many | st.just({"field": name, "op": "filled"})

    return st.sampled_from(sorted(_VALUES)).flatmap(ask)


def _choices() -> st.SearchStrategy[dict[str, Any]]:
    def ask(name: str) -> st.SearchStrategy[dict[str, Any]]:
        value = st.sampled_from(_CHOICES[name])
        return st.builds(lambda v: {"field": name, "op": "is", "value": v}, value) | st.builds(
            lambda v: {"field": name, "op": "one_of", "value": v},
            st.lists(value, min_size=1, max_size=2, unique=True),
        )

    return st.sampled_from(sorted(_CHOICES)).flatmap(ask)


def _days() -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(("created_at", "consent_at"))
    return st.builds(
        lambda name, days: {"field": name, "op": "last_days", "value": days}, names, _DAYS
    ) | st.builds(lambda name: {"field": name, "op": "filled"}, names)


def _own() -> st.SearchStrategy[dict[str, Any]]:
    """Questions of the account's own fields that hold more than text."""
    number = st.sampled_from([*POINTS, "10", "0.49"])
    numbers = st.lists(number, min_size=2, max_size=2).map(lambda two: sorted(two, key=Decimal))
    day = st.sampled_from([*BORN, "2026-01-01"])
    days = st.sampled_from((1, 30, 100, 364))
    ahead = days | st.just(0)

    def ask(key: str, op: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        return st.builds(lambda v: {"field": f"custom.{key}", "op": op, "value": v}, value)

    sizes = st.sampled_from(("S", "M", "L"))
    return st.one_of(
        *(ask("points", op, number) for op in ("is", "less_than", "more_than")),
        ask("points", "between", numbers),
        *(ask("born", op, day) for op in ("is", "before", "after")),
        ask("born", "last_days", days),
        *(ask("born", op, ahead) for op in ("next_days", "yearly_days")),
        ask("vip", "is", st.sampled_from(("true", "false"))),
        ask("size", "is", sizes),
        ask("size", "one_of", st.lists(sizes, min_size=1, max_size=2, unique=True)),
        *(st.just({"field": f"custom.{key}", "op": "filled"}) for key in ("points", "born", "vip")),
    )


def _rules(town: Town) -> st.SearchStrategy[dict[str, Any]]:
    groups = st.sampled_from([group.pk for group in town.groups])
    tags = st.builds(lambda pk: {"tag": pk}, st.sampled_from([tag.pk for tag in town.tags]))
    targets = st.sampled_from(
        [
            {},
            *({"blast": blast.pk} for blast in town.blasts),
            *({"campaign": pk} for pk in {blast.campaign_id for blast in town.blasts}),
        ]
    )
    deeds = st.sampled_from(("sent", "delivered", "clicked", "replied", "opted_out"))
    did = st.builds(
        lambda deed, target, days: {"did": deed, **target} | ({"days": days} if days else {}),
        deeds,
        targets,
        st.none() | _DAYS,
    )
    groups_in = st.builds(lambda pk: {"group": pk}, groups)
    leaf = st.one_of(did, groups_in, tags, _texts(), _choices(), _days(), _own())
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds(lambda rule: {"not": rule}, inner)
            | st.builds(
                lambda key, rules: {key: rules},
                st.sampled_from(("all", "any")),
                st.lists(inner, min_size=1, max_size=4),
            )
        ),
        max_leaves=12,
    ).filter(lambda rule: _depth(rule) <= 8)


def _depth(rule: dict[str, Any]) -> int:
    inner = rule.get("all") or rule.get("any") or ([rule["not"]] if "not" in rule else [])
    return 1 + max((_depth(one) for one in inner), default=0)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_statement_finds_whom_plain_python_finds(town: Town, data: st.DataObject) -> None:
    rules = data.draw(_rules(town))
    rule = rules_read(account=town.account, rules=rules)
    expected = {
        person.pk for person in town.people if not person.deleted_at and says(rules, person, town)
    }

    found = fitting(account=town.account, rule=rule, moment=MOMENT)

    one = data.draw(st.sampled_from(town.people))
    asked = fitting_ids(account=town.account, rule=rule, moment=MOMENT, only=person_of(one))
    with connection.cursor() as cursor:
        cursor.execute(asked.text, asked.params)
        fits = {pk for (pk,) in cursor.fetchall()}

    assert fits == expected & {one.pk}
    assert sorted(found.values_list("pk", flat=True)) == sorted(expected)
    assert rule_count(account=town.account, rule=rule, moment=MOMENT) == len(expected)


@pytest.mark.parametrize(
    ("today", "days", "born"),
    [
        ("2027-02-28", 0, ["1980-02-29", "1990-02-28"]),
        ("2028-02-28", 0, ["1990-02-28"]),
        ("2028-02-29", 0, ["1980-02-29"]),
        ("2027-03-01", 0, ["1975-03-01"]),
        ("2026-12-31", 1, ["1970-01-01", "1999-12-31"]),
        ("2026-11-20", 364, sorted(BORN)),
    ],
)
def test_a_day_comes_round_each_year(town: Town, today: str, days: int, born: list[str]) -> None:
    live = [person for person in town.people if person.deleted_at is None]
    for person in live:
        person.custom = {}
    for person, held in zip(live, BORN, strict=False):
        person.custom = {"born": held}
    Contact.objects.bulk_update(live, ["custom"])
    rule = parse({"field": "custom.born", "op": "yearly_days", "value": days})
    moment = datetime.fromisoformat(f"{today}T17:00:00+00:00")

    found = fitting(account=town.account, rule=rule, moment=moment)

    assert sorted(person.custom["born"] for person in found) == born


def test_days_are_those_of_the_account(town: Town) -> None:
    """Ten in the evening of the 19th in New York is the 20th already in UTC."""
    rule = parse({"field": "custom.born", "op": "next_days", "value": 0})
    evening = datetime.fromisoformat("2026-11-20T03:00:00+00:00")

    found = fitting(account=town.account, rule=rule, moment=evening)

    assert {person.custom["born"] for person in found} == {"2026-11-19"}
