"""A piece of SQL that travels with its parameters, for statements put together from parts."""

from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField
from django.db.models.expressions import RawSQL


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and its parameters, in the order of their %s."""

    text: str
    params: list[Any]


def unguessed(pk: int) -> RawSQL:
    """An id that the planner does not see: it reckons with as many rows as one has on average.

    Of an id that it has not met when it last analyzed, it thinks that it has one row or none
    (docs/adr/0034-what-the-planner-has-not-met.md). In SQL by hand: ``= (SELECT %s)``.
    """
    return RawSQL("(SELECT %s::bigint)", [pk], output_field=BigIntegerField())
