"""The addresses of the lists behind figures.

Owns which list each figure opens. Pure: what the words of an address mean is `messaging.listing`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from messaging.listing import EVERYTHING, STATES, ListFilter

# What is asked for beside what all lists of a page have in common, by the name of the figure.
_ASKED: Final[Mapping[str, Mapping[str, str]]] = {
    "audience": {},
    "linked": {"show": "delivered", "linked": "yes"},
    "clicked": {"clicked": "yes"},
    "hit": {"clicked": "hit"},
    "replied": {"replied": "yes"},
    "opted_out": {"left": "yes"},
    "pending": {"state": "pending"},
    "unknown": {"state": "unknown"},
    **{show: {"show": show} for show in STATES},
}


@dataclass(frozen=True, slots=True)
class Opens:
    """Where the lists behind the figures of one blast, person, number or period open.

    Attributes:
        url: The page the lists stand on.
        common: What all of them have in common.
        anchor: The place on the page.
    """

    url: str
    common: ListFilter = EVERYTHING
    anchor: str = ""

    def __getitem__(self, figure: str) -> str:
        """The address of the list behind a figure, by its name: `opens["delivered"]`.

        Templates write `opens.delivered`.

        Raises:
            KeyError: no figure is called so.
        """
        return self.asking(**_ASKED[figure])

    def asking(self, **asked: str) -> str:
        """The address of the list that `asked` (parameters of an address) narrows."""
        params = self.common.params | asked
        return f"{self.url}{'?' if params else ''}{urlencode(params)}{self.anchor}"

    def on_day(self, what: str, day: str) -> str:
        """To whom `what` (one of `listing.MOMENTS`) happened on a day, as ISO writes it."""
        return self.asking(day=f"{what}-{day}")

    def in_hour(self, what: str, weekday: int, hour: int) -> str:
        """To whom `what` happened in an hour of the week, 1 being Monday."""
        return self.asking(hour=f"{what}-{weekday}-{hour:02}")
