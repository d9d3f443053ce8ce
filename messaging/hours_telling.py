"""Allowed hours for people: the rules of now in words, and what holds for one number.

Reads only; what the engine obeys is `messaging.gate`'s, and asked here the same way.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from accounts.models import Account
from common.clock import today
from contacts.models import Contact
from messaging.gate import Hours, blast_rules
from messaging.hours import zones_of
from messaging.hours_law import LONG_AGO, READ_ON, Rule
from messaging.hours_regions import REGIONS, region_of
from messaging.hours_rules import law_now, rule_of
from messaging.models import HoursRule

_SHORT: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def weekdays_told(days: Collection[int]) -> str:
    """{0, 1, 2, 3, 4, 5} -> "Mon to Sat"; {0, 2} -> "Mon, Wed"; all of them -> "every day"."""
    listed = sorted(days)
    if len(listed) == 7:
        return "every day"
    runs: list[list[int]] = []
    for day in listed:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(
        f"{_SHORT[run[0]]} to {_SHORT[run[-1]]}"
        if len(run) > 2
        else ", ".join(_SHORT[day] for day in run)
        for run in runs
    )


@dataclass(frozen=True)
class RuleTold:
    """A rule as a line: where, on which days, from when to when, and who says so."""

    region: str
    days: str
    rule: Rule
    is_coming: bool

    @property
    def as_of(self) -> date | None:
        """When its source was looked at, where the day from which it holds is not recorded."""
        return READ_ON if self.rule.valid_from <= LONG_AGO else None


@dataclass(frozen=True)
class Tried:
    """What holds for one number.

    Attributes:
        phone: E.164.
        zones: Where its owner may be.
        zones_from: How that is known: "asked", "contact", "number" or "account".
        region: Whose rules it falls under, in words; "" where none of ours hold.
        lines: These rules.
        opens_at: When it may be texted next; None for now.
    """

    phone: str
    zones: tuple[str, ...]
    zones_from: str
    region: str
    lines: list[RuleTold]
    opens_at: datetime | None


def rules_told() -> list[RuleTold]:
    """Rules in force today, and those to come: the federal first, states by name. One query."""
    rules = [rule_of(row) for row in HoursRule.objects.order_by("valid_from", "pk")]
    names = [*REGIONS]
    return _lines(sorted(rules, key=lambda rule: names.index(rule.region)), today())


def hours_try(*, account: Account, phone: str, zone: str, at: datetime) -> Tried:
    """When a number may be texted by a blast of the account, and why then. At most two queries.

    Args:
        account: Whose own hours hold, and whose contact's zone is known.
        phone: E.164.
        zone: IANA, to see another than what is known of the number; or "".
        at: The moment (aware).
    """
    contacts = Contact.objects.filter(account=account, phone=phone, deleted_at=None)
    known = zone or contacts.values_list("timezone", flat=True).first() or ""
    zones = zones_of(phone=phone, own=known, default=account.timezone)
    if zone or known:
        zones_from = "asked" if zone else "contact"
    else:
        tells = zones_of(phone=phone, own="", default="") != ("",)
        zones_from = "number" if tells else "account"
    region = region_of(phone)
    return Tried(
        phone=phone,
        zones=zones,
        zones_from=zones_from,
        region=REGIONS.get(region, ""),
        lines=_lines(law_now().of(phone), at.date()),
        opens_at=Hours(blast_rules(account, None), at).held_until(phone, known),
    )


def _lines(rules: Sequence[Rule], day: date) -> list[RuleTold]:
    return [
        RuleTold(
            REGIONS[rule.region],
            weekdays_told(rule.weekdays),
            rule,
            is_coming=rule.valid_from > day,
        )
        for rule in rules
        if rule.valid_until is None or rule.valid_until >= day
    ]
