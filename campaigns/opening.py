"""Where the lists behind the figures of blasts, campaigns and periods open.

The list of each figure is `messaging.opening`'s; here stand the pages they open on.
"""

from datetime import date

from django.urls import reverse

from campaigns.models import Blast, Campaign
from messaging.choices import BatchKind
from messaging.listing import NOBODY, ListFilter
from messaging.opening import Opens

_PEOPLE = "#people"


def blast_opens(blast: Blast) -> Opens:
    """Lists of the people of one blast, on its report."""
    return Opens(reverse("blast_report", args=[blast.pk]), anchor=_PEOPLE)


def campaign_opens(campaign: Campaign) -> Opens:
    """Lists of the people of all blasts of a campaign."""
    return Opens(reverse("campaign_people", args=[campaign.pk]), anchor=_PEOPLE)


def period_opens(
    since: date, until: date, *, number: str = "", user_id: int | None = None, by_user: bool = False
) -> Opens:
    """Lists of the texts of all blasts launched in a period, in the log.

    Args:
        since, until: First and last day, by the account's clock.
        number: Only those that went from this number.
        user_id: With `by_user`, only those of this account user; None: of whoever has left.
        by_user: Whether it matters who sent them.
    """
    common = ListFilter(
        kind=BatchKind.BLAST,
        since=since.isoformat(),
        until=until.isoformat(),
        number=number,
        by=str(user_id or NOBODY) if by_user else "",
    )
    return Opens(reverse("message_log"), common)
