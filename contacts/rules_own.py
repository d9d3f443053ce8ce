"""Numbers and dates of an account's own fields as conditions on contacts.

Values are text that fits their field's type (contacts.field_types). Dates sort as text, so nothing
is cast. A number is cast only where it is one, and no condition is ever NULL: whoever has no value
fits none of them, and each of their opposites.
"""

from datetime import date, timedelta
from typing import Any, Final

from django.db.models import BooleanField, Case, DecimalField, Func, Q, Value, When
from django.db.models.functions import Collate, Substr
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Regex,
)

OPS: Final = frozenset(
    {
        *("less_than", "more_than", "between"),
        *("before", "after", "last_days", "next_days", "yearly_days"),
    }
)
_A_NUMBER: Final = r"^-?[0-9]+(\.[0-9]+)?$"


def condition(column: Any, op: str, value: object, today: date) -> Q:
    """One of `OPS`, asked of a column of text.

    Args:
        column: An expression; the empty text where there is no value.
        op: What is asked.
        value: As contacts.rules keeps it.
        today: The day it is for the account.
    """
    if isinstance(value, tuple):
        low, high = value
        return _number(column, GreaterThanOrEqual, low) & _number(column, LessThanOrEqual, high)
    if op == "less_than":
        return _number(column, LessThan, str(value))
    if op == "more_than":
        return _number(column, GreaterThan, str(value))
    day = Collate(column, "C")
    if op == "before":
        return Q(GreaterThan(day, Value(""))) & Q(LessThan(day, Value(str(value))))
    if op == "after":
        return Q(GreaterThan(day, Value(str(value))))
    assert isinstance(value, int)
    span = timedelta(days=value)
    if op == "last_days":
        return _within(day, str(today - span), str(today))
    if op == "next_days":
        return _within(day, str(today), str(today + span))
    return _yearly(Substr(day, 6), today, today + span)


def _yearly(month_day: Any, first: date, last: date) -> Q:
    """Whose day comes round from `first` to `last`, less than a year later.

    A 29 February comes round on the 28th where the year has none.
    """
    end = last.strftime("%m-%d")
    if end == "02-28" and (last + timedelta(days=1)).day == 1:
        end = "02-29"
    if first.year == last.year:
        return _within(month_day, first.strftime("%m-%d"), end)
    return Q(GreaterThanOrEqual(month_day, Value(first.strftime("%m-%d")))) | _within(
        month_day, "01-01", end
    )


def _within(day: Any, first: str, last: str) -> Q:
    return Q(GreaterThanOrEqual(day, Value(first))) & Q(LessThanOrEqual(day, Value(last)))


def _number(column: Any, asked: Any, value: str) -> Q:
    held = Case(When(Regex(column, _A_NUMBER), then=_numeric(column)), output_field=DecimalField())
    fits = Case(
        When(asked(held, _numeric(Value(value))), then=Value(True)),
        default=Value(False),
        output_field=BooleanField(),
    )
    return Q(Exact(fits, Value(True)))


def _numeric(text: Any) -> Func:
    return Func(text, template="(%(expressions)s)::numeric", output_field=DecimalField())
