"""How far a look-up of line types is, and what it found."""

from dataclasses import dataclass

from django.db.models import Count

from contacts.choices import LineType
from messaging.choices import LookupState
from messaging.models import LookupRun


@dataclass(frozen=True)
class LookupCounts:
    """Numbers of a run.

    Attributes:
        types: (line type in words, how many), the most frequent first; of what was told.
        waiting: Not asked yet, or being asked.
        refused: The carrier took no request for them; not charged.
        lost: Their answer was lost; not charged, and not asked again.
    """

    types: list[tuple[str, int]]
    waiting: int
    refused: int
    lost: int

    @property
    def told(self) -> int:
        """Numbers that were paid for."""
        return sum(count for _, count in self.types)


def lookup_counts(run: LookupRun) -> LookupCounts:
    """What became of the numbers of a run. One query over them."""
    by_state: dict[str, int] = {}
    types: dict[str, int] = {}
    rows = run.lookups.values_list("state", "line_type").annotate(numbers=Count("pk"))
    for state, line_type, numbers in rows.order_by():
        by_state[state] = by_state.get(state, 0) + numbers
        if state == LookupState.TOLD:
            types[line_type] = numbers
    named = dict(LineType.choices)
    return LookupCounts(
        types=[
            (str(named.get(name, name)), count)
            for name, count in sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        waiting=by_state.get(LookupState.WAITING, 0) + by_state.get(LookupState.ASKED, 0),
        refused=by_state.get(LookupState.REFUSED, 0),
        lost=by_state.get(LookupState.LOST, 0),
    )
