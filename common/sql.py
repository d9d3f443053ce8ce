"""A piece of SQL that travels with its parameters, for statements put together from parts."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and its parameters, in the order of their %s."""

    text: str
    params: list[Any]
