"""What a message costs in credits. Pure.

Owns the price of a route: credits a segment, or a picture message, by the country a number belongs
to. A picture message counts as one segment whatever it says, so both are multiplied alike. Which
prices hold now is `messaging.selectors.prices_now`'; a batch keeps those it was launched with.
Balances and the ledger are accounts'.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from common.countries import COUNTRIES
from common.phone import prefixes
from messaging.choices import TextType

# Where staff have entered nothing: what a text costs carriers at home and, roughly, abroad; and a
# picture message, which costs about three times as much.
DEFAULTS: Final[Mapping[str, Mapping[str, int]]] = {
    TextType.SMS: {"US": 1, "CA": 1, "PR": 1, "VI": 1, "": 5},
    TextType.MMS: {"US": 3, "CA": 3, "PR": 3, "VI": 3, "": 15},
}


def type_of(media_ids: Sequence[int]) -> TextType:
    """What a text with these pictures is priced as."""
    return TextType.MMS if media_ids else TextType.SMS


# A place in a list is found twice as fast as a name in a JSON object, and a million people have
# their price looked up for one estimate.
_TABLE_DIGITS: Final = 4


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
        longer = [length for length in self._lengths if length > _TABLE_DIGITS]
        tries = [f"(%s::jsonb ->> substr({phone}, 2, {length}))::int" for length in longer]
        tries.append(f"(%s::int[])[1 + substr({phone}, 2, {_TABLE_DIGITS})::int]")
        table = _table(tuple(self.by_prefix.items()))
        return PriceSql(
            f"coalesce({', '.join(tries)})", [*[json.dumps(self.by_prefix)] * len(longer), table]
        )


@lru_cache(maxsize=32)
def _table(by_prefix: tuple[tuple[str, int], ...]) -> str:
    """Array literal of the prices by the first digits of a number, 0000 to 9999."""
    prices = Prices(dict(by_prefix))
    numbers = (f"+{digits:0{_TABLE_DIGITS}}" for digits in range(10**_TABLE_DIGITS))
    return "{" + ",".join(str(prices.of(number)) for number in numbers) + "}"


def prices_by_country(by_country: Mapping[str, int], *, type: str = TextType.SMS) -> Prices:
    """Prices from credits a segment by country (ISO 3166); "" is everywhere else.

    Countries that are not named cost what `DEFAULTS` say of them, else what "" says.
    """
    return _built(tuple(sorted({**DEFAULTS[type], **by_country}.items())))


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
