"""Which region's rules of allowed hours a number falls under, by its area code. Pure.

Owns the regions that rules are entered for: the United States, and each state. An area code is not
a residence; what a number says is all that is known of it (`messaging.hours` adds time zones).
"""

from functools import lru_cache
from typing import Final

from phonenumbers.geodata import GEOCODE_DATA

FEDERAL: Final = "US"
STATES: Final = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
    "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "DC": "Washington D.C.",
    "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois",
    "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana",
    "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York",
    "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon",
    "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia",
    "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip
REGIONS: Final = {FEDERAL: "United States", **STATES}

_CANADA: Final = frozenset(
    {
        "Alberta", "British Colombia", "British Columbia", "Manitoba", "Montreal, QC",
        "New Brunswick", "Newfoundland and Labrador", "Northwest Territories/Nunavut/Yukon",
        "Nova Scotia/Prince Edward Island", "Ontario", "Quebec", "Saskatchewan", "Toronto, ON",
    }
)  # fmt: skip
# The metadata names some area codes by a city ("Palm Beach, FL") and one state by a longer name.
_BY_NAME: Final = {name: code for code, name in STATES.items()} | {"Washington State": "WA"}


def region_of(phone: str) -> str:
    """The state's letters, `FEDERAL` where a +1 number tells no state, "" where no rule is ours.

    Nothing is known of toll-free numbers, new area codes and islands: the federal rules hold for
    them. None hold outside North America's plan, and none in Canada.

    Args:
        phone: E.164.
    """
    return _by_area(phone[1:5]) if phone.startswith("+1") else ""


@lru_cache(maxsize=1024)
def _by_area(digits: str) -> str:
    place = GEOCODE_DATA.get(digits, {}).get("en", "")
    if place in _CANADA:
        return ""
    letters = place.rpartition(", ")[2]
    return _BY_NAME.get(place) or (letters if letters in STATES else FEDERAL)
