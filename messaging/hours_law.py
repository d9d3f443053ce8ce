"""When the law lets a marketing text reach a phone in the United States: dated rules, each sourced.

Owns what a rule is, which of them a number falls under, and those that a new installation begins
with. Rules stand in the database (`messaging.hours_rules` reads them, staff add to them); they come
on top of the account's own hours in every zone the number may be in (`messaging.hours`). Not legal
advice; pure: no database, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from messaging.hours_regions import FEDERAL, region_of

_ALL: Final = frozenset(range(7))
_SUNDAY: Final = frozenset({6})
_WEEKEND: Final = frozenset({5, 6})
# The day of rules whose beginning is not recorded here: before anything that was ever sent.
LONG_AGO: Final = date(1991, 1, 1)
# When the sources of those below were looked at.
READ_ON: Final = date(2026, 11, 23)


@dataclass(frozen=True, slots=True)
class Rule:
    """On `weekdays` (Monday is 0) texts may arrive from `opens` to `closes`, local time.

    Attributes:
        region: Of `messaging.hours_regions`; the federal ones hold in every state.
        source: Where it is written, for people.
        link: Where that can be read, or "".
        valid_from, valid_until: The first and the last day; None for no end.
    """

    region: str
    opens: time
    closes: time
    source: str
    weekdays: frozenset[int] = _ALL
    valid_from: date = LONG_AGO
    valid_until: date | None = None
    link: str = ""

    def is_in_force(self, day: date) -> bool:
        """Whether it holds on a day, if that is one of its weekdays."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class Law:
    """A set of rules. Asked for each recipient, so those of a region are looked up, not sought."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Take rules of all regions, past and future ones too: each says when it holds."""
        by_region: dict[str, tuple[Rule, ...]] = {}
        for rule in rules:
            by_region[rule.region] = (*by_region.get(rule.region, ()), rule)
        federal = by_region.get(FEDERAL, ())
        states = by_region.items()
        self._by_region = {
            code: federal if code == FEDERAL else (*federal, *own) for code, own in states
        }
        self._federal = federal

    def of(self, phone: str) -> tuple[Rule, ...]:
        """The rules a number (E.164) falls under: the federal ones, and its state's."""
        region = region_of(phone)
        return self._by_region.get(region, self._federal) if region else ()


def _rule(
    region: str,
    hours: tuple[int, int],
    source: tuple[str, str],
    weekdays: frozenset[int] = _ALL,
    valid_from: date = LONG_AGO,
) -> Rule:
    opens, closes = (time(hour) for hour in hours)
    return Rule(region, opens, closes, source[0], weekdays, valid_from, link=source[1])


_FCC: Final = ("47 CFR 64.1200(c)(1)", "https://www.ecfr.gov/current/title-47/section-64.1200")
_FLORIDA: Final = ("Fla. Stat. 501.059", "https://www.flsenate.gov/Laws/Statutes/2025/501.059")
_TEXAS: Final = (
    "Texas SB 140",
    "https://capitol.texas.gov/BillLookup/History.aspx?LegSess=89R&Bill=SB140",
)
_WASHINGTON: Final = (
    "RCW 19.158.040",
    "https://app.leg.wa.gov/RCW/default.aspx?cite=19.158.040",
)
_SB_140_FROM: Final = date(2025, 9, 1)


def _told(statute: str = "no statute") -> tuple[str, str]:
    """The source of hours that law firms' and vendors' tables give; these differ in places."""
    return f"published tables of telemarketing hours, which name {statute}; statute not read", ""


_RHODE_ISLAND: Final = _told("R.I. Gen. Laws 5-61-3.6")
SEED: Final = (
    _rule(FEDERAL, (8, 21), _FCC),
    _rule("FL", (8, 20), _FLORIDA),
    _rule("TX", (9, 21), _TEXAS, _ALL - _SUNDAY, _SB_140_FROM),
    _rule("TX", (12, 21), _TEXAS, _SUNDAY, _SB_140_FROM),
    _rule("WA", (8, 20), _WASHINGTON),
    _rule("OK", (8, 20), _told("Okla. Stat. tit. 15, 775C")),
    _rule("MD", (8, 20), _told("the Stop the Spam Calls Act")),
    _rule("MS", (8, 20), _told()),
    _rule("AL", (8, 20), _told("Ala. Code 8-19A")),
    _rule("LA", (8, 20), _told("La. R.S. 45:844.31")),
    _rule("MA", (8, 20), _told("Mass. Gen. Laws ch. 159C")),
    _rule("NJ", (8, 20), _told()),
    _rule("CT", (9, 20), _told("Conn. Gen. Stat. 42-288a")),
    _rule("KY", (10, 21), _told("KRS 367.46955")),
    _rule("RI", (9, 18), _RHODE_ISLAND, _ALL - _WEEKEND),
    _rule("RI", (10, 17), _RHODE_ISLAND, _WEEKEND),
)
