"""Whom blasts did not reach, by reason, with what to do: not texted, refused, not delivered.

Pure: over kept counts per reason. The words of reasons are `messaging.reasons`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from messaging.advice import Advice
from messaging.carrier_codes import explain
from messaging.choices import MessageState, Reason
from messaging.listing import NO_CODE, STATES
from messaging.opening import Opens
from messaging.reasons import Words, failed_words, skipped_words
from messaging.selectors import Figures
from messaging.selectors.counting import CodeCounts


@dataclass(frozen=True)
class CodeRow:
    """People with one of the carrier's codes, what it means, and where their list opens.

    `count` is None where nobody counted. `code` is empty where the carrier gave none. `meaning` is
    empty where the words of the reason say it.
    """

    code: str
    count: int | None
    meaning: str
    href: str


@dataclass(frozen=True)
class ReasonRow:
    """People with one reason, what to do about it, and where their list opens."""

    reason: str
    count: int
    words: Words
    href: str
    codes: Sequence[CodeRow] = ()


@dataclass(frozen=True)
class Failures:
    """Whom carriers refused or did not reach, by reason, most first.

    `is_counted` says whether each row's codes are those that came, with how many, or all that
    carriers have for it. `flagged` is what in the text tends to be filtered; None of several texts,
    or where none was.
    """

    rows: list[ReasonRow]
    count: int
    audience: int
    opens: Opens
    is_counted: bool
    flagged: Sequence[Advice] | None = None


def skipped_rows(counts: Iterable[tuple[str, str, int]], opens: Opens) -> list[ReasonRow]:
    """People we did not text, by reason, most first."""
    rows = [
        ReasonRow(reason, count, skipped_words(reason), opens.asking(show="skipped", reason=reason))
        for state, reason, count in counts
        if state == MessageState.SKIPPED and count
    ]
    return sorted(rows, key=lambda row: -row.count)


def failures(
    figures: Figures,
    counts: Iterable[tuple[str, str, int]],
    codes: CodeCounts | None,
    opens: Opens,
    *,
    flagged: Sequence[Advice] | None = None,
) -> Failures:
    """Whom carriers refused or did not reach.

    Args:
        figures: Of one or several blasts.
        counts: Their (state, reason, messages).
        codes: Their (reason, code, messages); None where they were not counted.
        opens: Where their lists open.
        flagged: What in the text tends to be filtered, where it is one text.
    """
    merged: dict[str, int] = {}
    for state, reason, count in counts:
        if state in STATES["failed"] and count:
            merged[reason] = merged.get(reason, 0) + count
    rows = [
        _failed_row(
            reason,
            count,
            opens,
            None if codes is None else [(code, n) for of, code, n in codes if of == reason],
        )
        for reason, count in merged.items()
    ]
    return Failures(
        sorted(rows, key=lambda row: -row.count),
        figures.not_delivered,
        figures.audience,
        opens,
        codes is not None,
        flagged if Reason.FILTERED in merged else None,
    )


def _failed_row(
    reason: str, count: int, opens: Opens, codes: Sequence[tuple[str, int]] | None
) -> ReasonRow:
    words = failed_words(reason)
    counted = [(code, None) for code in words.codes] if codes is None else codes
    told = [
        CodeRow(
            code,
            number,
            "" if words.cause.startswith(meaning := explain(code).meaning) else meaning,
            opens.asking(show="failed", reason=reason, code=code or NO_CODE),
        )
        for code, number in counted
    ]
    return ReasonRow(reason, count, words, opens.asking(show="failed", reason=reason), told)


def failed_share(figures: Figures) -> float:
    """Refused and not delivered, of everyone the carrier was asked for."""
    return figures.not_delivered / figures.asked if figures.asked else 0.0
