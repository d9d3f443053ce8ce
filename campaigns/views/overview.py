"""The overview: what needs a hand, this period against the last, what was sent lately."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.models import Account
from campaigns import comparing, heatmap, reports, selectors, timeline, unreached
from campaigns.opening import period_opens
from common.clock import now
from common.templatetags.ui import num
from contacts.selectors import contacts_count
from messaging.opening import Opens
from messaging.selectors import (
    Figures,
    activity_by_hour,
    activity_over_time,
    figures_by_number,
    reason_counts,
)
from messaging.selectors.counting import code_counts

PERIODS = (7, 28, 90)
_RECENT = 6
_STUCK_SINCE = timedelta(days=7)
# Fewer credits than the average of the last blasts times this, and a hand is needed.
_LOW_CREDITS_BLASTS = 1.0
# Above this share of failures the account should look at its list or its text.
_MANY_FAILED = 0.10
_SPEAKS = 50


@requires(Role.VIEWER)
@require_GET
def overview(request: AccountRequest) -> HttpResponse:
    """The first page: `days` (7, 28 or 90) and `hours` (what the map shows) in the URL."""
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else 28
    today = localtime(now()).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=days - 1)
    current = selectors.blast_rows(selectors.blasts_launched(account=request.account, since=since))
    before = selectors.blast_rows(
        selectors.blasts_launched(
            account=request.account, since=since - timedelta(days=days), until=since
        )
    )
    figures, earlier = selectors.sum_of(current), selectors.sum_of(before)
    opens = period_opens(since.date(), today.date())
    context = {
        "days": days,
        "periods": PERIODS,
        "rows": current[:_RECENT],
        "blast_count": len(current),
        "by_user": comparing.by_user(current, since.date(), today.date()),
        "figures": figures,
        "opens": opens,
        "costs_url": reverse("cost_report"),
        "earlier": earlier,
        "credits_left": f"{num(request.account.credit_balance)} left",
        "credits_before": f"{num(earlier.credits)} in the {days} days before" if earlier else "",
        "cards": reports.period_cards(
            figures, earlier, opens, has_link=any(row.has_link for row in current)
        ),
        "failures": _failures(figures, _batch_ids(current), opens) if figures else None,
        "hand": _needs_a_hand(request.account, figures, current),
        "first_steps": _first_steps(request.account) if not current and not before else None,
        **_charts(request.account, current, since, days, opens),
        "by_number": comparing.by_number(
            figures_by_number(_batch_ids(current)), since.date(), today.date()
        ),
        **_heat(request.account, current, request.GET.get("hours", ""), opens),
    }
    return render(request, "campaigns/overview.html", context)


def _charts(
    account: Account, rows: list[selectors.BlastRow], since: datetime, days: int, opens: Opens
) -> dict[str, Any]:
    slots = activity_over_time(_batch_ids(rows), zone=account.timezone, unit="day")
    dates = [since.date() + timedelta(days=count) for count in range(days)]
    return {
        "by_day": timeline.by_day(slots, dates, opens, zone=account.timezone),
        "reactions": timeline.reactions_by_day(slots, dates, opens, zone=account.timezone),
    }


def _batch_ids(rows: list[selectors.BlastRow]) -> list[int]:
    return [row.blast.batch_id for row in rows if row.blast.batch_id]


def _failures(figures: Figures, batch_ids: list[int], opens: Opens) -> unreached.Failures:
    codes = code_counts(batch_ids, figures)
    return unreached.failures(figures, reason_counts(batch_ids), codes, opens)


def _heat(
    account: Account, rows: list[selectors.BlastRow], show: str, opens: Opens
) -> dict[str, Any]:
    counts = activity_by_hour(_batch_ids(rows), zone=account.timezone)
    return {
        "heat": heatmap.heat_map(counts, show, opens),
        "heat_shows": [(name, label) for name, (label, _) in heatmap.SHOWS.items()],
    }


def _needs_a_hand(
    account: Account, figures: Figures | None, rows: list[selectors.BlastRow]
) -> dict[str, Any]:
    """What somebody should look at now; empty values need nobody."""
    used = [row.figures.credits for row in rows[:5] if row.figures and row.figures.credits]
    usual = sum(used) / len(used) if used else 0
    return {
        "stuck": list(selectors.blasts_stuck(account=account, since=now() - _STUCK_SINCE)),
        "no_sender": not selectors.senders_list(account=account).exists(),
        "low_credits": account.credit_balance == 0
        or account.credit_balance < account.low_balance_credits
        or account.credit_balance < usual * _LOW_CREDITS_BLASTS,
        "many_failed": [
            row
            for row in rows[:_RECENT]
            if row.figures
            and row.figures.delivery_rate[1] >= _SPEAKS
            and unreached.failed_share(row.figures) > _MANY_FAILED
        ][:2],
    }


def _first_steps(account: Account) -> dict[str, Any]:
    """Where a new account stands: people, then the first blast."""
    return {
        "people": contacts_count(account=account),
        "drafts": list(selectors.blasts_unsent(account=account, limit=1)),
        "sender": selectors.senders_list(account=account).select_related("carrier_account").first(),
    }
