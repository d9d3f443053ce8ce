"""When the law lets a marketing text reach a phone in the United States: dated rules, each sourced.

Owns the rules and which of them a number falls under: the federal one, and its area code's state's.
An area code is not a residence, so these come on top of the account's own hours in every zone the
number may be in (`messaging.hours`). Not legal advice; pure: no database, no clock.
"""

from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Final

from phonenumbers.geodata import GEOCODE_DATA

_ALL: Final = frozenset(range(7))
_SUNDAY: Final = frozenset({6})
_WEEKEND: Final = frozenset({5, 6})
_LONG_AGO: Final = date(1991, 1, 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """On `weekdays` (Monday is 0) texts may arrive from `opens` to `closes`, local time."""

    state: str
    opens: time
    closes: time
    source: str
    weekdays: frozenset[int] = _ALL
    valid_from: date = _LONG_AGO


FEDERAL: Final = Rule("", time(8), time(21), "47 CFR 64.1200(c)(1)")
# Law firms' and vendors' tables, which differ in places; not checked against the statutes.
_TABLES: Final = "published tables of telemarketing hours"
_TEXAS: Final = date(2025, 9, 1)
STATES: Final = (
    Rule("Florida", time(8), time(20), "Fla. Stat. 501.059"),
    Rule("Texas", time(9), time(21), "Texas SB 140", _ALL - _SUNDAY, _TEXAS),
    Rule("Texas", time(12), time(21), "Texas SB 140", _SUNDAY, _TEXAS),
    Rule("Washington", time(8), time(20), "RCW 19.158.040"),
    Rule("Oklahoma", time(8), time(20), _TABLES),
    Rule("Maryland", time(8), time(20), _TABLES),
    Rule("Mississippi", time(8), time(20), _TABLES),
    Rule("Alabama", time(8), time(20), _TABLES),
    Rule("Louisiana", time(8), time(20), _TABLES),
    Rule("Massachusetts", time(8), time(20), _TABLES),
    Rule("New Jersey", time(8), time(20), _TABLES),
    Rule("Connecticut", time(9), time(20), _TABLES),
    Rule("Kentucky", time(10), time(21), _TABLES),
    Rule("Rhode Island", time(9), time(18), _TABLES, _ALL - _WEEKEND),
    Rule("Rhode Island", time(10), time(17), _TABLES, _WEEKEND),
)
_CANADA: Final = frozenset(
    {
        "Alberta", "British Colombia", "British Columbia", "Manitoba", "Montreal, QC",
        "New Brunswick", "Newfoundland and Labrador", "Northwest Territories/Nunavut/Yukon",
        "Nova Scotia/Prince Edward Island", "Ontario", "Quebec", "Saskatchewan", "Toronto, ON",
    }
)  # fmt: skip
# The metadata names some area codes by a city ("Palm Beach, FL") and one state by a longer name.
_BY_LETTERS: Final = {
    "FL": "Florida", "TX": "Texas", "WA": "Washington", "OK": "Oklahoma", "MD": "Maryland",
    "MS": "Mississippi", "AL": "Alabama", "LA": "Louisiana", "MA": "Massachusetts",
    "NJ": "New Jersey", "CT": "Connecticut", "KY": "Kentucky", "RI": "Rhode Island",
}  # fmt: skip
_BY_NAME: Final = {rule.state: rule.state for rule in STATES} | {"Washington State": "Washington"}


def rules_of(phone: str) -> tuple[Rule, ...]:
    """The rules a number falls under: none outside North America's plan, none in Canada.

    Where nothing is known of a +1 number (toll-free, a new area code) the federal rule holds.

    Args:
        phone: E.164.
    """
    return _rules_by_area(phone[1:5]) if phone.startswith("+1") else ()


@lru_cache(maxsize=1024)
def _rules_by_area(digits: str) -> tuple[Rule, ...]:
    place = GEOCODE_DATA.get(digits, {}).get("en", "")
    if place in _CANADA:
        return ()
    letters = place.rpartition(", ")[2]
    state = _BY_NAME.get(place) or _BY_LETTERS.get(letters, "")
    return (FEDERAL, *(rule for rule in STATES if rule.state == state))
