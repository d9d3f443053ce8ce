"""Reads of links and the hits on them, for the link reports.

Counts of people and robots come from the link's kept columns; only the picture over time, the
verdicts and the newest hits read `Click` rows, through the (link, at) index. Figures per message
are messaging's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Trunc
from django.utils.timezone import localtime

from accounts.models import Account
from common.sql import unguessed
from tracking.choices import Verdict
from tracking.models import Click, Link, LinkSettings


def link_settings(account: Account) -> LinkSettings:
    """The account's settings of links; unsaved defaults where it has none. One query."""
    return LinkSettings.objects.filter(account=account).first() or LinkSettings(account=account)


def link_base(domain: str | None) -> str:
    """What stands before a code in a text: the account's domain or the platform's. No query."""
    return f"https://{domain}/" if domain else f"{settings.LINK_URL}/"


def batch_domain(batch_id: int) -> str:
    """The domain the links of a batch were made on; "" for the platform's. One query."""
    rows = Link.objects.filter(batch_id=batch_id).values_list("domain", flat=True)
    return rows.first() or ""


def links_list(*, account: Account, search: str = "") -> QuerySet[Link]:
    """The account's links, unordered (paged by id).

    Args:
        search: Words that all occur in destination or label, whatever their case.
    """
    rows = Link.objects.filter(account=account)
    for word in search.split():
        rows = rows.filter(Q(destination__icontains=word) | Q(label__icontains=word))
    return rows


@dataclass(frozen=True)
class LinksTotals:
    """Hits on all links of an account; recipients count once per link."""

    links: int
    recipients: int
    clicks_total: int
    clicks_human: int
    recipients_human: int

    @property
    def clicks_robots(self) -> int:
        """Hits that were not people's, or not surely."""
        return self.clicks_total - self.clicks_human


def links_totals(*, account: Account) -> LinksTotals:
    """Sums over the account's links. One query."""
    sums = Link.objects.filter(account=account).aggregate(
        links=Count("id"),
        recipients=Sum("recipients", default=0),
        clicks_total=Sum("clicks_total", default=0),
        clicks_human=Sum("clicks_human", default=0),
        recipients_human=Sum("recipients_human", default=0),
    )
    return LinksTotals(**sums)


def links_of_batches(*, batch_ids: list[int]) -> QuerySet[Link]:
    """Links of these batches, in the order they stand in the texts. One query."""
    return Link.objects.filter(batch_id__in=batch_ids).order_by("batch_id", "ordinal")


def batches_with_links(*, batch_ids: Iterable[int]) -> set[int]:
    """Which of these batches have a link in their text. One query."""
    links = Link.objects.filter(batch_id__in=list(batch_ids)).order_by()
    found = links.values_list("batch_id", flat=True).distinct()
    return {batch_id for batch_id in found if batch_id is not None}


def links_same_destination(*, link: Link) -> list[Link]:
    """Every link of the account to the same destination, this one too, oldest first. One query.

    A destination used in several blasts has a link in each, so this is the link "by blast".
    """
    return list(
        Link.objects.filter(account_id=link.account_id, destination=link.destination).order_by(
            "id"
        )[:50]
    )


@dataclass(frozen=True)
class Moment:
    """Hits in one hour, day or week of the account's zone."""

    label: str
    human: int
    robots: int


# Newest first, with the index of a link's hits.
HITS_KEY: Final = ("at", "id")
HOURS_SHOWN = 48
DAYS_SHOWN = 120


def link_activity(*, link: Link) -> tuple[str, list[Moment]]:
    """Hits over time in the current time zone. Two queries.

    Returns:
        The length of a slot (`hour` while all hits lie within HOURS_SHOWN hours, `day` within
        DAYS_SHOWN days, else `week`) and every slot from the first hit to the last, oldest first.
    """
    clicks = Click.objects.filter(link=link)
    ends = clicks.order_by("at").values_list("at", flat=True)
    first, last = ends.first(), ends.last()
    if first is None or last is None:
        return "hour", []
    hours = (last - first).total_seconds() / 3600
    unit = "hour" if hours <= HOURS_SHOWN else "day" if hours <= DAYS_SHOWN * 24 else "week"
    rows = (
        clicks.annotate(slot=Trunc("at", unit))
        .values("slot")
        .annotate(
            human=Count("id", filter=Q(verdict=Verdict.HUMAN)),
            robots=Count("id", filter=~Q(verdict=Verdict.HUMAN)),
        )
        .order_by("slot")
    )
    counts = {_label(row["slot"], unit): (row["human"], row["robots"]) for row in rows}
    return unit, [Moment(label, *counts.get(label, (0, 0))) for label in _slots(first, last, unit)]


def _slots(first: datetime, last: datetime, unit: str) -> list[str]:
    """Labels of all slots between two moments; steps of an hour in UTC survive clock changes."""
    if unit == "hour":
        hours = int((last - first).total_seconds() // 3600) + 2
        labels = [_label(localtime(first + timedelta(hours=n)), unit) for n in range(hours)]
        end = labels.index(_label(localtime(last), unit))
        # The hour that comes twice when clocks go back is one slot.
        return list(dict.fromkeys(labels[: end + 1]))
    step = timedelta(days=1 if unit == "day" else 7)
    day, last_day = (localtime(moment).date() for moment in (first, last))
    if unit == "week":
        day -= timedelta(days=day.weekday())
    labels = []
    while day <= last_day:
        labels.append(_label(day, unit))
        day += step
    return labels


def _label(slot: date | datetime, unit: str) -> str:
    day = f"{slot:%a} {slot.day} {slot:%b}"
    return {
        "hour": f"{day} {slot:%H:00}",
        "day": day,
        "week": f"{slot.day} {slot:%b %Y}",
    }[unit]


def link_verdicts(*, link: Link) -> list[tuple[str, int]]:
    """(verdict, hits), most hits first. One query."""
    rows = Click.objects.filter(link=link).values("verdict").annotate(hits=Count("id"))
    return [(row["verdict"], row["hits"]) for row in rows.order_by("-hits")]


def link_batch(*, account: Account, link_id: int) -> int | None:
    """The batch whose text holds a link of the account; None where it has no such link. One query.

    A link of no batch has none either.
    """
    return (
        Link.objects.filter(account=account, pk=link_id).values_list("batch_id", flat=True).first()
    )


def link_clickers(*, link_id: int, robots: bool = False) -> QuerySet[Any]:
    """The numbers of the recipients who clicked a link, as a subquery; nothing is loaded.

    Args:
        link_id: Of the account that asks: `link_batch` says so.
        robots: Count robots' hits too.
    """
    clicks = Click.objects.filter(link_id=unguessed(link_id)).exclude(verdict=Verdict.PENDING)
    return (clicks if robots else clicks.filter(verdict=Verdict.HUMAN)).values("recipient_no")


# Every verdict but that none has been given yet: what the kept counts of a link count.
JUDGED: Final = "judged"


def link_hits(*, link: Link, verdict: str = "") -> QuerySet[Click]:
    """Hits on the link, unordered (paged by `HITS_KEY`); of one verdict or all `JUDGED` ones."""
    hits = Click.objects.filter(link=link)
    if verdict == JUDGED:
        return hits.exclude(verdict=Verdict.PENDING)
    return hits.filter(verdict=verdict) if verdict else hits
