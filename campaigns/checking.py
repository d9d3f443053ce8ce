"""Whether the blasts of a campaign agree with the carrier's records, in one answer.

Pure, over rows of `campaigns.selectors`; the looking up is `messaging.reconcile`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Blast
from campaigns.selectors import BlastRow
from messaging.selectors.differences import Counted, differences_counted


@dataclass(frozen=True)
class Checked:
    """What came of holding blasts against the carrier's list.

    Attributes:
        blasts: How many were held against it.
        of: How many went out.
        differ: Those that differ, and in how many texts.
        at: When the one was checked whose check is the oldest.
    """

    blasts: int
    of: int
    differ: list[tuple[Blast, Counted]]
    at: datetime


def records_checked(rows: Sequence[BlastRow]) -> Checked | None:
    """What came of it over several blasts that went out; None before the first check."""
    found = [(row.blast, row.blast.batch) for row in rows if row.blast.batch is not None]
    checks = [batch.reconciled_at for _, batch in found if batch.reconciled_at is not None]
    if not checks:
        return None
    counted = [(blast, differences_counted(batch)) for blast, batch in found]
    return Checked(
        blasts=len(checks),
        of=len(found),
        differ=[(blast, one) for blast, one in counted if one.texts],
        at=min(checks),
    )
