"""What rules can ask of the apps above: which texts people got, and what became of them.

Contacts stand below messages and campaigns, so these two say at start-up how they answer
(`messaging/apps.py`, `campaigns/apps.py`). What they give is SQL for the one statement of a smart
group (contacts.rules_sql), never rows. No database here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from accounts.models import Account
from common.sql import Sql
from contacts.rules import Target


@dataclass(frozen=True)
class Asked:
    """One question about texts.

    Attributes:
        mask: The bit that says yes to it.
        deed: One of contacts.rules.DEEDS.
        since: Only at or after this moment; None for ever.
    """

    mask: int
    deed: str
    since: datetime | None


class Targets(Protocol):
    """What blasts and campaigns are, as rules name them."""

    def batches(self, *, account: Account, target: Target) -> Sql:
        """A subquery of the ids of the target's batches."""

    def names(self, *, account: Account, targets: Collection[Target]) -> Mapping[Target, str]:
        """What those of the targets that are the account's are called; others are left out."""

    def choices(self, *, account: Account) -> Sequence[tuple[Target, str]]:
        """Targets a person may choose from, newest first."""


# (account, questions, subquery of batch ids or None for any text, phones or None for anybody's)
# -> SELECT contact_id, mask
Deeds = Callable[[Account, Sequence[Asked], Sql | None, Sequence[str] | None], Sql]

_deeds: list[Deeds] = []
_targets: list[Targets] = []


def register_deeds(answer: Deeds) -> None:
    """Say how questions about texts are answered: one row a text that answers any of them."""
    _deeds[:] = [answer]


def register_targets(source: Targets) -> None:
    """Say what blasts and campaigns are."""
    _targets[:] = [source]


def deeds() -> Deeds:
    """How questions about texts are answered."""
    return _deeds[0]


def targets() -> Targets:
    """What blasts and campaigns are."""
    return _targets[0]
