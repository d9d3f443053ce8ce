"""What a batch and the carrier's records do not agree on, as the last look found it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from messaging.choices import DIFFERENCES_SHOWN
from messaging.models import Batch, Message


class Told(NamedTuple):
    """A kind of difference in words."""

    label: str
    cause: str
    advice: str


_TOLD: Final[Mapping[str, Told]] = {
    "missing": Told(
        "Not in the carrier’s list",
        "The carrier took it, and does not list it.",
        "Ask the carrier about its id. It is not sent again by itself.",
    ),
    "doubled": Told(
        "One more at the carrier",
        "The carrier lists a text to this person that nothing here asked for.",
        "They may have got it twice: tell the platform’s staff, who can ask the carrier.",
    ),
    "different": Told(
        "Two last words",
        "Both have a last word of it, and not the same.",
        "The first one that came stands here. If there are many, tell the platform’s staff.",
    ),
}


@dataclass(frozen=True, slots=True)
class Differs:
    """One text on which the carrier and we do not agree; states are "" where there is none."""

    told: Told
    message: Message | None
    carrier_id: str
    ours: str
    theirs: str


class Counted(NamedTuple):
    """In how many texts they are; where not `is_exact`, in more than so many."""

    texts: int
    is_exact: bool


def differences_counted(batch: Batch) -> Counted:
    """How many differences the last look found. No query."""
    count = len(batch.reconciled_differences or ())
    return Counted(min(count, DIFFERENCES_SHOWN), count <= DIFFERENCES_SHOWN)


def differences_kept(batch: Batch) -> list[Differs]:
    """The differences that the last look found, DIFFERENCES_SHOWN at most. One query."""
    rows = (batch.reconciled_differences or [])[:DIFFERENCES_SHOWN]
    messages = (
        Message.objects.filter(batch=batch)
        .select_related("contact")
        .in_bulk([row["message_id"] for row in rows if row["message_id"]])
    )
    return [
        Differs(
            _TOLD[row["kind"]],
            messages.get(row["message_id"]),
            row["carrier_id"],
            row["ours"],
            row["theirs"],
        )
        for row in rows
    ]
