"""When a blast is meant to go out, as people choose it. Pure: no database, no clock."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Plan:
    """A moment, or a time on each recipient's own clock; neither for now.

    Attributes:
        at: Aware; the same moment for everybody.
        wall: Naive; each is texted when clocks where they are show it.
    """

    at: datetime | None = None
    wall: datetime | None = None

    def start(self, moment: datetime) -> datetime:
        """When it would be launched, asked at `moment` (aware)."""
        return max(self.at or moment, moment)
