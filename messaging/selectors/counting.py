"""How many messages a list holds: from kept counts where they say it, else counted.

Only so many rows are counted as one look may cost (docs/adr/0016-bounded-looks.md); the number of a
list that would take more is not told.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db.models import Count

from messaging.choices import MessageState
from messaging.listing import STATES, ListFilter
from messaging.models import Message
from messaging.selectors.figures import Figures, batch_figures, figures_sum, reason_counts
from messaging.selectors.messages import LOOKED_AT_MOST, Listed, messages_counted

# (state, reason, messages), as of `reason_counts`.
ReasonCounts = Sequence[tuple[str, str, int]]
# (reason, carrier's code, messages) of whom carriers refused or did not reach.
CodeCounts = Sequence[tuple[str, str, int]]


def code_counts(batch_ids: Collection[int], figures: Figures) -> CodeCounts | None:
    """By which of the carrier's codes messages of batches failed, most first. At most one query.

    Args:
        batch_ids: The batches.
        figures: Theirs, together.

    Returns:
        None where it would take too long to count: no kept count knows codes.
    """
    if not figures.not_delivered:
        return ()
    if figures.audience > LOOKED_AT_MOST:
        return None
    rows = Message.objects.filter(batch_id__in=list(batch_ids), state__in=STATES["failed"])
    counts = rows.order_by().values("reason", "carrier_code").annotate(count=Count("pk"))
    return list(
        counts.order_by("-count", "reason", "carrier_code").values_list(
            "reason", "carrier_code", "count"
        )
    )


def messages_found(listed: Listed, chosen: ListFilter, *, most: int) -> int | None:
    """How many messages the list of some batches holds; `most` + 1 means "more". Five queries.

    Returns:
        None where nothing kept says it and it would take too long to count, and for a list that is
        of no batches in particular.
    """
    if listed.batches is None:
        return None
    figures = figures_sum(batch_figures(listed.batches).values())
    reasons = reason_counts(listed.batches) if chosen.reason else ()
    return found_of(listed, chosen, figures, reasons, most=most)


def found_of(
    listed: Listed, chosen: ListFilter, figures: Figures, reasons: ReasonCounts, *, most: int
) -> int | None:
    """The same where the figures of the batches are known already. At most one query."""
    # What is asked of batches has chosen them.
    found = known_count(figures, reasons, chosen.of_messages)
    if found is not None or figures.audience > LOOKED_AT_MOST:
        return found
    return messages_counted(listed.rows, most=most)


def known_count(figures: Figures, reasons: ReasonCounts, chosen: ListFilter) -> int | None:
    """How many messages a list holds, where kept counts say it; None where they must be counted."""
    if not chosen:
        return figures.audience
    if chosen.show and chosen == ListFilter(show=chosen.show):
        by_state = _by_state(figures)
        return sum(by_state[state] for state in STATES[chosen.show])
    if chosen.state and chosen == ListFilter(state=chosen.state):
        return _by_state(figures)[chosen.state]
    if chosen.reason and chosen == ListFilter(show=chosen.show, reason=chosen.reason):
        of_show = reasons_of(reasons, chosen.show)
        return sum(count for _, reason, count in of_show if reason == chosen.reason)
    did = {
        ListFilter(clicked="yes"): figures.clicked,
        ListFilter(clicked="hit"): figures.hit,
        ListFilter(replied="yes"): figures.replied,
        ListFilter(left="yes"): figures.opted_out,
    }
    return did.get(chosen)


def _by_state(figures: Figures) -> Mapping[str, int]:
    ended = figures.delivered + figures.undelivered + figures.failed
    return {
        MessageState.PENDING: figures.pending,
        MessageState.UNKNOWN: figures.unknown,
        MessageState.ACCEPTED: figures.accepted - figures.sent - ended,
        MessageState.SENT: figures.sent,
        MessageState.DELIVERED: figures.delivered,
        MessageState.UNDELIVERED: figures.undelivered,
        MessageState.FAILED: figures.failed,
        MessageState.REFUSED: figures.refused,
        MessageState.SKIPPED: figures.skipped,
        MessageState.RECEIVED: 0,
    }


def reasons_of(reasons: ReasonCounts, show: str) -> ReasonCounts:
    """The counts of the states under one word of `STATES`; all of them without one."""
    return [one for one in reasons if not show or one[0] in STATES[show]]
