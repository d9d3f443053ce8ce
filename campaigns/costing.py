"""What a blast cost beside what was expected, and why the two differ. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.templatetags.ui import num
from messaging.choices import MessageState, Reason
from messaging.selectors import Cost, Figures


@dataclass(frozen=True, slots=True)
class Line:
    """One step from the estimate to what was charged.

    Attributes:
        label: What it is.
        credits: How many; of a `change` with its sign.
        why: Words for it, or "".
        is_change: Whether it adds to the line before; else it is a sum.
    """

    label: str
    credits: int
    why: str = ""
    is_change: bool = True


def lines(
    *,
    estimated: int | None,
    figures: Figures,
    reasons: Iterable[tuple[str, str, int]],
    retried: int,
    adjusted: int,
    borne: int,
    costs: Sequence[Cost],
) -> list[Line]:
    """From the estimate to what the account was charged, every step with its cause.

    Args:
        estimated: Credits told before the launch; None where nobody asked.
        figures: Of the blast.
        reasons: (state, reason, messages), as `messaging.selectors.reason_counts` has them.
        retried: Credits of attempts that were tried again.
        adjusted: Credits charged, or given back (negative), by the carrier's count.
        borne: Credits that count came to besides, which were not left and nobody was charged.
        costs: What the carrier says.
    """
    first = figures.credits - retried
    steps: list[Line] = []
    if estimated is not None:
        steps.append(Line("Estimate before sending", estimated, is_change=False))
        if first != estimated:
            steps.append(Line("People", first - estimated, _people(figures, reasons)))
    if retried:
        steps.append(Line("Retries", retried, "Failed texts that were tried again cost again."))
    steps.append(Line("Used", figures.credits, _used(figures), is_change=False))
    if adjusted or borne:
        steps.append(Line("Encoding", adjusted, _encoding(costs, borne)))
        steps.append(Line("Charged", figures.credits + adjusted, is_change=False))
    return steps


def _used(figures: Figures) -> str:
    if not figures.pending and not figures.unknown:
        return ""
    waiting = figures.pending + figures.unknown
    return f"So far: {num(waiting)} {_texts(waiting)} still to go or being looked up."


def _people(figures: Figures, reasons: Iterable[tuple[str, str, int]]) -> str:
    """Why other people were charged for than were counted."""
    left = {Reason(reason).label.lower(): n for state, reason, n in _skipped(reasons)}
    said = [f"{num(count)} not texted: {label}" for label, count in left.items()]
    if figures.refused:
        said.append(f"{num(figures.refused)} refused by the carrier, which cost nothing")
    if figures.pending or figures.unknown:
        said.append("not everybody has been texted yet")
    if not said:
        return "The list, its values or a price changed between the estimate and the send."
    return "; ".join(said)[:1].upper() + "; ".join(said)[1:] + "."


def _skipped(reasons: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    return [one for one in reasons if one[0] == MessageState.SKIPPED and one[1] and one[2]]


def _encoding(costs: Sequence[Cost], borne: int) -> str:
    theirs = sum(one.segments for one in costs)
    ours = sum(one.our_segments for one in costs)
    told = (
        f"The carrier counted {num(theirs)} segments where we counted {num(ours)}: it replaces or"
        " adds characters (smart encoding, a trial’s prefix)."
    )
    if borne:
        told += f" {num(borne)} more were not left and are not charged."
    return told


def _texts(count: int) -> str:
    return "text" if count == 1 else "texts"
