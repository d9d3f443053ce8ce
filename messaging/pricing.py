"""What a message costs in credits. Pure.

Owns the price of a route: credits a segment, by the country a number belongs to. Which prices hold
now is `messaging.selectors.prices_now`'; a batch keeps those it was launched with. Balances and
the ledger are accounts'.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from common.countries import COUNTRIES
from common.phone import prefixes

# Where staff have entered nothing: what a text costs carriers at home and, roughly, abroad.
DEFAULTS: Final[Mapping[str, int]] = {"US": 1, "CA": 1, "PR": 1, "VI": 1, "": 5}


class PriceSql(NamedTuple):
    """An expression of credits a segment, and its parameters."""

    text: str
    params: list[Any]


class Prices:
    """Credits a segment, by what a number begins with; the longest beginning decides.

    Asked for each message that is sent, so a number is looked up in at most five steps, and in none
    where all countries cost the same.
    """

    __slots__ = ("_lengths", "by_prefix", "everywhere")

    def __init__(self, by_prefix: Mapping[str, int]) -> None:
        """Take digits after the plus to credits a segment; "" is everywhere else, 1 if not said."""
        self.by_prefix = {"": 1, **by_prefix}
        self.everywhere = self.by_prefix[""]
        self._lengths = sorted({len(prefix) for prefix in self.by_prefix if prefix}, reverse=True)

    def of(self, phone: str) -> int:
        """Credits a segment to `phone` (E.164) costs."""
        for length in self._lengths:
            found = self.by_prefix.get(phone[1 : 1 + length])
            if found is not None:
                return found
        return self.everywhere

    def credits(self, phone: str, segments: int) -> int:
        """Credits a text of so many segments to `phone` costs."""
        return segments * self.of(phone)

    def only(self, phone: str) -> "Prices":
        """The price of one number alone, for batches to one person."""
        return Prices({"": self.of(phone)})

    def sql(self, phone: str) -> PriceSql:
        """`of`, in SQL, over an expression of E.164."""
        if not self._lengths:
            return PriceSql(str(self.everywhere), [])
        table = json.dumps(self.by_prefix)
        tries = "".join(
            f"(%s::jsonb ->> substr({phone}, 2, {length}))::int, " for length in self._lengths
        )
        return PriceSql(f"coalesce({tries}{self.everywhere})", [table] * len(self._lengths))


def prices_by_country(by_country: Mapping[str, int]) -> Prices:
    """Prices from credits a segment by country (ISO 3166); "" is everywhere else.

    Countries that are not named cost what `DEFAULTS` say of them, else what "" says.
    """
    return _built(tuple(sorted({**DEFAULTS, **by_country}.items())))


@lru_cache(maxsize=32)
def _built(by_country: tuple[tuple[str, int], ...]) -> Prices:
    credits = dict(by_country)
    elsewhere = credits[""]
    at_home = credits["US"]
    by_prefix = {"": elsewhere, "1": at_home}
    for country in COUNTRIES:
        price = credits.get(country, elsewhere)
        for prefix in prefixes(country) if country != "US" else ():
            # What is not said costs what the shorter beginning says.
            if price != (at_home if prefix[0] == "1" else elsewhere):
                by_prefix[prefix] = price
    if at_home == elsewhere:
        del by_prefix["1"]
    return Prices(by_prefix)


@lru_cache(maxsize=256)
def prices_frozen(stored: str) -> Prices:
    """Prices as a batch keeps them (JSON). {} is of a time when every segment cost one credit."""
    return Prices(json.loads(stored))
