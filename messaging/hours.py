"""Allowed hours at the recipient: when a bulk text may reach a phone. Pure: no database, no clock.

Owns which time zones a number may be in and whether a window of local time is open in all of them.
An area code is not a residence, and one number can belong to several zones (+1 907 is Adak and
Anchorage), so a text goes out only while it is allowed in every candidate zone: by the account's
own hours, and by the law where that is stricter (`messaging.hours_law`).

In North America the candidates are all zones of the area code. The metadata knows the exchanges of
wired lines: +1 270 "is" New York, and Chicago for 123 exchanges; a mobile is neither, it may be in
either, wherever its number was given out or ported to.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Final

from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from common.clock import zone_named
from messaging.hours_law import Rule

# A country calling code alone says little: +7 covers fifteen zones, and no hour is allowed in all
# of them. Such numbers, and those of no area (toll-free, unknown area codes), count as local.
_MOST_ZONES: Final = 6
# Area codes of one area whose numbers are given out all over it, where a zone ends inside (NANPA's
# relief plans). The metadata knows the newer ones of each by a single zone.
_OVERLAYS: Final = (
    *(("208", "986"), ("250", "236", "257", "672", "778"), ("270", "364"), ("306", "474", "639")),
    *(("418", "367", "581"), ("423", "729"), ("541", "458"), ("709", "879"), ("812", "930")),
    ("850", "448"),
)


def _zones_by_area() -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for digits, zones in TIMEZONE_DATA.items():
        if len(digits) > 3 and digits.startswith("1"):
            found.setdefault(digits[1:4], set()).update(zones)
    for areas in _OVERLAYS:
        together = set().union(*(found.get(area, set()) for area in areas))
        found.update(dict.fromkeys(areas, together))
    return {area: tuple(sorted(zones)) for area, zones in found.items()}


_BY_AREA: Final = _zones_by_area()


@lru_cache(maxsize=8192)
def _zones_by_digits(digits: str) -> tuple[str, ...]:
    for length in range(min(len(digits), TIMEZONE_LONGEST_PREFIX), 0, -1):
        zones = TIMEZONE_DATA.get(digits[:length])
        if zones:
            return tuple(zones)
    return ()


def zones_of(*, phone: str, own: str, default: str) -> tuple[str, ...]:
    """IANA zones the phone's owner may be in.

    Args:
        phone: E.164.
        own: The contact's own zone where known, else "".
        default: The account's zone, for numbers that tell nothing.
    """
    if own:
        return (own,)
    if phone.startswith("+1"):
        zones = _BY_AREA.get(phone[2:5], ())
    else:
        zones = _zones_by_digits(phone[1 : TIMEZONE_LONGEST_PREFIX + 1])
    return zones if 0 < len(zones) <= _MOST_ZONES else (default,)


def opens_at(
    *,
    zones: Sequence[str],
    at: datetime,
    quiet_start: time,
    quiet_end: time,
    rules: Sequence[Rule] = (),
) -> datetime | None:
    """None if a text may arrive at `at`, else the next moment when it may, in every zone.

    Args:
        zones: IANA names.
        at: Aware.
        quiet_start: No texts from this local time
        quiet_end: until this one; equal ends mean none of the account's own.
        rules: Of the law; each holds in every zone.
    """
    moment = at
    # Each round moves past the quiet hours of one zone; what is open everywhere is soon found, and
    # where nothing is (zones half a day apart) the last bound is tried again when it comes.
    for _ in range(2 * len(zones) * (1 + len(rules)) + 4):
        asked = [_opens(zone, moment, quiet_start, quiet_end) for zone in zones]
        asked += [_lawful(zone, moment, rule) for zone in zones for rule in rules]
        later = max(asked)
        if later == moment:
            break
        moment = later
    return None if moment == at else moment


def _lawful(zone: str, at: datetime, rule: Rule) -> datetime:
    """`at` where the rule allows it or says nothing of that day, else when to ask again."""
    local = at.astimezone(zone_named(zone))
    today = local.date()
    if local.weekday() not in rule.weekdays or not rule.is_in_force(today):
        return at
    if local.time() < rule.opens:
        opens = datetime.combine(today, rule.opens, tzinfo=zone_named(zone))
    elif local.time() >= rule.closes:
        opens = datetime.combine(today + timedelta(days=1), time(), tzinfo=zone_named(zone))
    else:
        return at
    return max(opens.astimezone(at.tzinfo), at)


def _opens(zone: str, at: datetime, quiet_start: time, quiet_end: time) -> datetime:
    if quiet_start == quiet_end:
        return at
    local = at.astimezone(zone_named(zone))
    clock = local.time()
    if quiet_start < quiet_end:
        is_quiet = quiet_start <= clock < quiet_end
        ends_on = local.date()
    else:
        is_quiet = clock >= quiet_start or clock < quiet_end
        ends_on = local.date() + timedelta(days=clock >= quiet_start)
    if not is_quiet:
        return at
    ends = datetime.combine(ends_on, quiet_end, tzinfo=zone_named(zone))
    # Back through UTC: an end that a change to summer time skips moves to the next real moment.
    return max(ends.astimezone(at.tzinfo), at)
