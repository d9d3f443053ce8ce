"""What the message report shows: gathered from selectors, worded by `campaigns.reports`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.urls import reverse

from accounts.models import Account
from campaigns import costing, reports, selectors, unreached
from campaigns.composing import shown
from campaigns.models import Blast
from campaigns.opening import blast_opens
from campaigns.timeline import over_time, unit_for
from campaigns.views.people import blast_people, people_context
from common.clock import now
from common.templatetags.ui import num
from messaging.choices import BatchState, Reason
from messaging.models import Batch
from messaging.rendering import compile_body
from messaging.selectors import (
    Figures,
    activity_over_time,
    batch_figures,
    batch_waits_until,
    costs_of,
    media_of,
    reason_counts,
    retried_credits,
)
from messaging.selectors.activity import half_delivered_after
from messaging.selectors.counting import code_counts
from messaging.selectors.differences import differences_counted
from messaging.selectors.retrying import retryable
from tracking.selectors import links_of_batches

# After the last text has gone receipts still come in, then clicks and replies.
SETTLING: Final = timedelta(hours=1)
_POLL_S: Final[Mapping[str, int]] = {"running": 2, "paused": 10, "settling": 5}
_USUAL_DAYS: Final = 90
_USUAL_BLASTS: Final = 20


def phase_of(blast: Blast) -> str:
    """scheduled, failed, canceled, running, paused, settling (receipts come in) or over."""
    if blast.batch is None:
        return str(blast.state)
    if blast.batch.state in (BatchState.RUNNING, BatchState.PAUSED):
        return str(blast.batch.state)
    ended_at = blast.batch.finished_at or blast.batch.launched_at
    return "settling" if ended_at > now() - SETTLING else "over"


def whole_report(
    account: Account, blast: Blast, batch: Batch, params: Mapping[str, str]
) -> dict[str, Any]:
    """Everything on the page.

    Who may be tried again is counted here and not in the part that is asked for every few seconds:
    it reads all messages of a blast, but of a large one the kept counts alone.
    """
    example = selectors.message_example(batch=batch)
    costs = costs_of([batch.pk])
    changing = live(account, blast, batch, params)
    return {
        "costs": costs,
        "cost_lines": costing.lines(
            estimated=blast.estimated_credits,
            figures=changing["figures"],
            reasons=changing["kept"][1],
            retried=retried_credits(batch),
            adjusted=batch.credits_adjusted,
            borne=batch.credits_borne,
            costs=costs,
        ),
        **changing,
        "retryable": None if batch.state == BatchState.RUNNING else retryable(batch),
        **people_context(account, blast_people(blast), params, kept=changing["kept"]),
        "differences": differences_counted(batch),
        "links": links_of_batches(batch_ids=[batch.pk]),
        "groups": blast.groups.order_by("name"),
        "text": example.body if example else shown(batch),
        "example": example,
        "pictures": media_of([batch]).get(batch.pk, []),
    }


def live(account: Account, blast: Blast, batch: Batch, params: Mapping[str, str]) -> dict[str, Any]:
    """The part that changes while texts go out and receipts come in."""
    figures = batch_figures([batch.pk])[batch.pk]
    counts = reason_counts([batch.pk])
    phase = phase_of(blast)
    all_hits = params.get("clicks") == "all"
    unit = unit_for(batch.launched_at)
    report_url = reverse("blast_report", args=[blast.pk])
    opens = blast_opens(blast)
    return {
        "blast": blast,
        "batch": batch,
        "phase": phase,
        "poll_s": _POLL_S.get(phase),
        "more_senders": blast.more_senders.count(),
        "waits_until": batch_waits_until(batch.pk) if phase == "running" else None,
        # Who pauses a blast gives no reason; the breaker and the engine do.
        "stopped_itself": phase == "paused" and bool(batch.state_reason),
        "figures": figures,
        "kept": (figures, counts),
        "answer": reports.answer(
            figures, opens, is_running=phase == "running", is_paused=phase == "paused"
        ),
        "steps": reports.funnel(figures, opens),
        "cards": reports.rate_cards(
            figures,
            opens,
            earlier=_earlier(account, batch),
            all_hits=all_hits,
            has_link=bool(compile_body(batch.body).links),
        ),
        "credits_definition": reports.CREDITS,
        "credits_note": ""
        if blast.estimated_credits is None
        else f"estimate was {num(blast.estimated_credits)}",
        "segments_each": reports.segments_each(figures),
        "all_hits": all_hits,
        "opens": opens,
        "clicks_url": report_url if all_hits else f"{report_url}?clicks=all",
        "clicks_words": "people only" if all_hits else "count every hit",
        "skipped": unreached.skipped_rows(counts, opens),
        "failures": unreached.failures(
            figures,
            counts,
            # Asked for every few seconds while texts go out: told once they have.
            None if phase == "running" else code_counts([batch.pk], figures),
            opens,
            flagged=selectors.text_flags(account=account, body=batch.body)
            if any(reason == Reason.FILTERED for _, reason, _ in counts)
            else None,
        ),
        "handed": figures.accepted + figures.refused + figures.unknown,
        "to_hand": figures.audience - figures.skipped,
        "waiting_receipt": _awaiting(figures),
        "over_time": over_time(
            activity_over_time([batch.pk], zone=account.timezone, unit=unit),
            launched_at=batch.launched_at,
            unit=unit,
            zone=account.timezone,
            half_delivered=_half_delivered(batch, phase),
        ),
    }


def _awaiting(figures: Figures) -> int:
    """Texts with the carrier whose last word has not come."""
    final = figures.delivered + figures.undelivered + figures.failed
    return figures.accepted - final


def _half_delivered(batch: Batch, phase: str) -> timedelta | None:
    """How soon half of the deliveries had come; not looked up while they do."""
    if phase == "running":
        return None
    return half_delivered_after(batch.pk, since=batch.launched_at)


def _earlier(account: Account, batch: Batch) -> list[Figures]:
    """Figures of the account's blasts of the 90 days before this one, for what is usual."""
    since = batch.launched_at - timedelta(days=_USUAL_DAYS)
    blasts = selectors.blasts_launched(account=account, since=since, until=batch.launched_at)
    ids = [blast.batch_id for blast in blasts[:_USUAL_BLASTS] if blast.batch_id]
    return list(batch_figures(ids).values())
