"""Whether the blasts of a campaign agree with the carrier's records, in one answer.

Pure, over rows of `campaigns.selectors`; the looking up is `messaging.reconcile`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.selectors import BlastRow


@dataclass(frozen=True)
class Checked:
    """What came of holding blasts against the carrier's list.

    Attributes:
        blasts: How many were held against it.
        of: How many went out.
        differences: Found in all of them.
        at: When the one was checked whose check is the oldest.
    """

    blasts: int
    of: int
    differences: int
    at: datetime


def records_checked(rows: Sequence[BlastRow]) -> Checked | None:
    """What came of it over several blasts that went out; None before the first check."""
    batches = [row.blast.batch for row in rows if row.blast.batch is not None]
    checks = [
        (batch.reconciled_at, len(batch.reconciled_differences or ()))
        for batch in batches
        if batch.reconciled_at is not None
    ]
    if not checks:
        return None
    return Checked(
        blasts=len(checks),
        of=len(batches),
        differences=sum(count for _, count in checks),
        at=min(at for at, _ in checks),
    )
