"""Rules of allowed hours, as staff change them: a row from a day on, which ends the one before it.

Owns that no two rules of a region hold on one day, and that what held in the past stays written.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, time, timedelta

from django.db import transaction

from accounts.models import User
from common.clock import today
from common.errors import Invalid
from messaging.errors import HoursOverlap
from messaging.hours_rules import forget
from messaging.models import HoursRule

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class RuleAsked:
    """A rule that is to hold: the columns of `HoursRule`."""

    region: str
    weekdays: Collection[int]
    opens: time
    closes: time
    valid_from: date
    source: str
    valid_until: date | None = None
    link: str = ""


@transaction.atomic
def hours_rule_add(*, actor: User | None, asked: RuleAsked) -> HoursRule:
    """Enter a rule. Those without an end that it replaces end on the day before.

    Where one that is replaced holds on more weekdays, it goes on for these as a row of its own.

    Args:
        actor: Of the platform's staff.
        asked: The rule; replacing one that is in force, it begins today or later.

    Raises:
        Invalid: it would end before it begins, or close before it opens.
        HoursOverlap: a rule of the region would hold on the same day.

    Locks: all rules.
    """
    if asked.opens >= asked.closes:
        raise Invalid("It has to open before it closes.", fields={"closes": "Before it opens."})
    if asked.valid_until and asked.valid_until < asked.valid_from:
        raise Invalid(
            "It has to begin before it ends.", fields={"valid_until": "Before it begins."}
        )
    # Two rows entered at once wait for each other here: there is always one, the federal.
    list(HoursRule.objects.select_for_update().order_by("pk"))
    for row in HoursRule.objects.filter(region=asked.region).order_by("pk"):
        if _meets(row, asked):
            _make_room(row, asked)
    made = HoursRule.objects.create(
        region=asked.region,
        weekdays=sorted(asked.weekdays),
        opens=asked.opens,
        closes=asked.closes,
        valid_from=asked.valid_from,
        valid_until=asked.valid_until,
        source=asked.source,
        link=asked.link,
        created_by=actor,
    )
    transaction.on_commit(forget)
    return made


@transaction.atomic
def hours_rule_end(*, rule: HoursRule, valid_until: date) -> None:
    """Let a rule that has no end hold until that day and no longer.

    Raises:
        Invalid: the day has passed, or lies before the rule begins.
        HoursOverlap: it ends already.

    Locks: the rule.
    """
    row = HoursRule.objects.select_for_update().get(pk=rule.pk)
    if valid_until < max(today(), row.valid_from):
        raise Invalid(
            "What held in the past stays written: choose today or a later day.",
            fields={"valid_until": "Choose today or a later day, on which it holds."},
        )
    if row.valid_until is not None:
        raise HoursOverlap("This rule has its end already. Enter another rule.")
    row.valid_until = valid_until
    row.save(update_fields=["valid_until"])
    transaction.on_commit(forget)


def _meets(row: HoursRule, asked: RuleAsked) -> bool:
    return (
        bool(set(row.weekdays) & set(asked.weekdays))
        and (row.valid_until is None or row.valid_until >= asked.valid_from)
        and (asked.valid_until is None or row.valid_from <= asked.valid_until)
    )


def _make_room(row: HoursRule, asked: RuleAsked) -> None:
    """End an open rule on the day before the asked one, or refuse."""
    replaceable = row.valid_until is None and asked.valid_until is None
    if not replaceable or asked.valid_from < today() or asked.valid_from <= row.valid_from:
        ends = f" to {row.valid_until:%d %b %Y}" if row.valid_until else ""
        raise HoursOverlap(
            f"“{row}” holds from {row.valid_from:%d %b %Y}{ends}, on such days too. One without an"
            " end is replaced by one without an end that begins later, today at the earliest."
            " Nothing was changed."
        )
    row.valid_until = asked.valid_from - _DAY
    row.save(update_fields=["valid_until"])
    rest = sorted(set(row.weekdays) - set(asked.weekdays))
    if rest:
        row.pk, row.weekdays = None, rest
        row.valid_from, row.valid_until = asked.valid_from, None
        row.save(force_insert=True)
