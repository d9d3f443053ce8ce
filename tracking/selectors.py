"""Reads of links and the hits on them, for the link reports.

Counts of people and robots come from the link's kept columns; only the picture over time, the
verdicts and the newest hits read `Click` rows, through the (link, at) index. Figures per message
are messaging's.
"""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour

from accounts.models import Account
from tracking.choices import Verdict
from tracking.models import Click, Link


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

    @property
    def human_rate(self) -> tuple[int, int, float | None]:
        """(recipients with a human click, recipients who were sent a link, ratio)."""
        ratio = self.recipients_human / self.recipients if self.recipients else None
        return self.recipients_human, self.recipients, ratio


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
    """Hits in one hour or on one day of the account's zone."""

    label: str
    human: int
    robots: int


HOURS_SHOWN = 48


def link_activity(*, link: Link) -> list[Moment]:
    """Hits over time in the current time zone, oldest first, gaps left out. Two queries.

    By the hour while all hits lie within HOURS_SHOWN hours, else by the day.
    """
    clicks = Click.objects.filter(link=link)
    ends = clicks.order_by("at").values_list("at", flat=True)
    first, last = ends.first(), ends.last()
    if first is None or last is None:
        return []
    by_hour = (last - first).total_seconds() <= HOURS_SHOWN * 3600
    rows = (
        clicks.annotate(slot=TruncHour("at") if by_hour else TruncDate("at"))
        .values("slot")
        .annotate(
            human=Count("id", filter=Q(verdict=Verdict.HUMAN)),
            robots=Count("id", filter=~Q(verdict=Verdict.HUMAN)),
        )
        .order_by("slot")
    )
    return [Moment(_label(row["slot"]), row["human"], row["robots"]) for row in rows]


def _label(slot: date) -> str:
    day = f"{slot:%a} {slot.day} {slot:%b}"
    return f"{day} {slot:%H:%M}" if hasattr(slot, "hour") else day


def link_verdicts(*, link: Link) -> list[tuple[str, int]]:
    """(verdict, hits), most hits first. One query."""
    rows = Click.objects.filter(link=link).values("verdict").annotate(hits=Count("id"))
    return [(row["verdict"], row["hits"]) for row in rows.order_by("-hits")]


def link_hits(*, link: Link) -> QuerySet[Click]:
    """Hits on the link, newest first."""
    return Click.objects.filter(link=link).order_by("-at")
