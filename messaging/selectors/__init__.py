"""Reads of batches and messages: kept figures, lists, one message's story, what happened when."""

from messaging.selectors.activity import Activity, activity_over_time, batch_waits_until
from messaging.selectors.breakdowns import (
    NumberFigures,
    activity_by_hour,
    figures_by_number,
)
from messaging.selectors.costs import Cost, costs_by, costs_of, message_cost, retried_credits
from messaging.selectors.digests import audience_digest, batch_digest
from messaging.selectors.figures import (
    Figures,
    batch_figures,
    batch_names,
    figures_sum,
    reason_counts,
)
from messaging.selectors.lookups import lookup_counts
from messaging.selectors.media import media_list, media_of
from messaging.selectors.messages import (
    has_newcomers,
    messages_counted,
    messages_list,
    messages_listed,
    phones_since,
)
from messaging.selectors.prices import price_names, prices_list, prices_now
from messaging.selectors.retrying import retryable_count
from messaging.selectors.timeline import (
    Explanation,
    Step,
    message_explanation,
    message_timeline,
)

__all__ = [
    "Activity",
    "Cost",
    "Explanation",
    "Figures",
    "NumberFigures",
    "Step",
    "activity_by_hour",
    "activity_over_time",
    "audience_digest",
    "batch_digest",
    "batch_figures",
    "batch_names",
    "batch_waits_until",
    "costs_by",
    "costs_of",
    "figures_by_number",
    "figures_sum",
    "has_newcomers",
    "lookup_counts",
    "media_list",
    "media_of",
    "message_cost",
    "message_explanation",
    "message_timeline",
    "messages_counted",
    "messages_list",
    "messages_listed",
    "phones_since",
    "price_names",
    "prices_list",
    "prices_now",
    "reason_counts",
    "retried_credits",
    "retryable_count",
]
