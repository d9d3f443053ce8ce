"""When each person of an audience is texted: at a local time of theirs, and in allowed hours.

Owns moments from wall-clock times (zones skip hours and repeat them), and which people share one.
People are told apart by their own zone or else their number's first digits, so that a million of
them are some thousand places, never rows in Python. Allowed hours are `messaging.gate`'s.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from common.clock import zone_named
from common.sql import Sql
from messaging.gate import Hours, Policy
from messaging.hours import zones_of
from messaging.models import SenderNumber
from messaging.recent import rows_of, rows_recent

# As many digits as time zones hang on: the area code after +1, nine elsewhere (a test walks the
# metadata).
DIGITS: Final = "CASE WHEN {0} LIKE '+1%%' THEN left({0}, 5) ELSE left({0}, 10) END"


class Place(NamedTuple):
    """What tells people's clocks apart: the contact's own zone ("" unknown), a number's start."""

    timezone: str
    digits: str


@dataclass(frozen=True)
class Slot:
    """People who are texted from one moment on, and the zones they may be in, largest first."""

    at: datetime
    zones: tuple[str, ...]
    people: int


def wall_moment(wall: datetime, zone: str) -> datetime:
    """The UTC moment at which clocks in `zone` show `wall` (naive).

    An hour that clocks skip is the moment they jump to, one that they repeat its first time: a
    time that is set every day comes once on every day.
    """
    local = wall.replace(tzinfo=zone_named(zone), fold=0)
    moment = local.astimezone(UTC)
    shown = moment.astimezone(zone_named(zone)).replace(tzinfo=None)
    if shown == wall:
        return moment
    # In the gap the two readings lie on either side of the jump, as far off it as each other's
    # offsets differ: the earlier reading (fold=1) is before the jump, this one after it.
    return _jump(local.replace(fold=1).astimezone(UTC), moment, zone_named(zone))


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of the later offset between two moments around a change of clocks."""
    low, high = int(before.timestamp()), int(after.timestamp())
    offset = after.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


class Timetable:
    """When people of a batch are texted that starts at a moment.

    With a wall-clock time each place waits until its clocks show it; where a number may be in
    several zones, until all of them do. What has passed already is texted at the start.
    """

    def __init__(self, rules: Policy, *, start: datetime, wall: datetime | None = None) -> None:
        """Take the rules of the gate, the start (aware) and the local time (naive).

        Args:
            rules: Of the batch; its zone stands for numbers that tell nothing.
            start: When the batch is launched.
            wall: The local time of each recipient, or None for the same moment everywhere.
        """
        self._rules = rules
        self._start = start
        self._wall = wall
        self._hours: dict[datetime, Hours] = {}
        self._moments: dict[tuple[str, ...], datetime] = {}

    def zones(self, place: Place) -> tuple[str, ...]:
        """The zones its people may be in."""
        return zones_of(phone=place.digits, own=place.timezone, default=self._rules.timezone)

    def starts_at(self, place: Place) -> datetime:
        """From when the people of a place may be texted, apart from allowed hours."""
        if self._wall is None:
            return self._start
        zones = self.zones(place)
        if zones not in self._moments:
            moments = [wall_moment(self._wall, zone) for zone in zones]
            self._moments[zones] = max(self._start, *moments)
        return self._moments[zones]

    def ends(self, places: Iterable[Place]) -> tuple[datetime, datetime]:
        """When the first and the last of the places start; the start itself where there is none."""
        starts = [self.starts_at(place) for place in places] or [self._start]
        return min(starts), max(starts)

    def goes_at(self, place: Place) -> datetime:
        """When the people of a place are texted at the earliest, allowed hours and all."""
        return self.opens_at(place, self.starts_at(place))

    def opens_at(self, place: Place, at: datetime) -> datetime:
        """When the people of a place may be texted from `at` (aware) on, by allowed hours."""
        if at not in self._hours:
            self._hours[at] = Hours(self._rules, at)
        return self._hours[at].held_until(place.digits, place.timezone) or at

    @property
    def is_at_once(self) -> bool:
        """Whether everybody is texted at the start, wherever they are, if it has room for them."""
        return self._wall is None and not self._rules.keeps_hours

    def slots(self, places: Mapping[Place, int]) -> list[Slot]:
        """People by moment, the earliest first."""
        found: dict[datetime, Counter[str]] = {}
        sizes = Counter[datetime]()
        for place, people in places.items():
            at = self.goes_at(place)
            sizes[at] += people
            zones = found.setdefault(at, Counter())
            zones.update(dict.fromkeys(self.zones(place), people))
        return [
            Slot(at, tuple(zone for zone, _ in found[at].most_common()), sizes[at])
            for at in sorted(found)
        ]


def places_of(chosen: Sql, *, may_be_recent: bool = False) -> dict[Place, int]:
    """How many people who would be texted are at each place. One query.

    Args:
        chosen: Of `recipients.people`.
        may_be_recent: A large audience may be as it was half a minute ago (`messaging.recent`).
    """
    digits = DIGITS.format("p.phone")
    query = Sql(
        f"SELECT p.timezone, {digits}, count(*) FROM ({chosen.text}) p "
        "WHERE reason = '' GROUP BY 1, 2",
        chosen.params,
    )
    rows = (
        rows_recent(query, lambda found: sum(row[2] for row in found))
        if may_be_recent
        else rows_of(query)
    )
    return {Place(zone, start): people for zone, start, people in rows}


def at_places(chosen: Sql, places: Iterable[Place]) -> Sql:
    """Those of `chosen` (of `recipients.people`) who are texted and at one of the places."""
    zones, starts = _arrays(places)
    return Sql(
        f"SELECT p.* FROM ({chosen.text}) p "
        "JOIN unnest(%s::text[], %s::text[]) AS w(timezone, digits) "
        f"ON w.timezone = p.timezone AND w.digits = {DIGITS.format('p.phone')} "
        "WHERE p.reason = ''",
        [*chosen.params, zones, starts],
    )


def slotted(
    pooled: Sql, *, senders: Sequence[SenderNumber], moments: Mapping[Place, datetime]
) -> tuple[Sql, list[datetime]]:
    """People counted off anew: number by number, and for each number moment by moment.

    Somebody who joined since the places were read goes with the last, never too early.

    Args:
        pooled: Of `pooling.pooled`.
        senders: In the order of `pooled`.
        moments: Place to when its people may be texted.

    Returns:
        A query with the column `slot` beside those of `pooled`, and the moments of slots 0, 1 ...
    """
    order = sorted(set(moments.values()))
    zones, starts = _arrays(moments)
    text = f"""
        SELECT row_number() OVER (ORDER BY array_position(%s::text[], our_number), slot, no) AS no,
               id, phone, merge, reason, our_number, slot
        FROM (
            SELECT q.*, coalesce(w.slot, %s) AS slot FROM ({pooled.text}) q
            LEFT JOIN unnest(%s::text[], %s::text[], %s::int[]) AS w(timezone, digits, slot)
            ON w.timezone = q.timezone AND w.digits = {DIGITS.format("q.phone")}
        ) s
        """
    slots = [order.index(moment) for moment in moments.values()]
    numbers = [sender.phone for sender in senders]
    last = max(len(order) - 1, 0)
    return Sql(text, [numbers, last, *pooled.params, zones, starts, slots]), order


def _arrays(places: Iterable[Place]) -> tuple[list[str], list[str]]:
    listed = list(places)
    return [place.timezone for place in listed], [place.digits for place in listed]
