"""What happened to several blasts, by hour of the week and by sending number.

Reads kept counts (`BatchActivity`), a few thousand rows for the largest blast; never messages.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, Sum

from messaging.choices import Happened
from messaging.models import BatchActivity
from messaging.selectors.figures import Rates
from tracking.selectors import batches_with_links

_HOURS_SQL = """
SELECT extract(isodow FROM slot_at AT TIME ZONE %(zone)s)::int,
    extract(hour FROM slot_at AT TIME ZONE %(zone)s)::int,
    what, sum(people)::bigint
FROM messaging_batchactivity
WHERE batch_id = ANY(%(batches)s) AND what IN ('delivered', 'clicked', 'replied') AND people <> 0
GROUP BY 1, 2, 3
"""


def activity_by_hour(
    batch_ids: Sequence[int], *, zone: str
) -> dict[str, dict[tuple[int, int], int]]:
    """People by the local hour of the week in which they were reached, first clicked or replied.

    Args:
        batch_ids: The batches, together.
        zone: Time zone whose hours they are; in one that is not whole quarters from UTC, slots
            count to the hour they begin in.

    Returns:
        For `delivered`, `clicked` and `replied`: (weekday 1 Monday to 7 Sunday, hour 0 to 23) to
        people; hours without any are left out. One query.
    """
    found: dict[str, dict[tuple[int, int], int]] = {
        what: {} for what in (Happened.DELIVERED, Happened.CLICKED, Happened.REPLIED)
    }
    with connection.cursor() as cursor:
        cursor.execute(_HOURS_SQL, {"zone": zone, "batches": list(batch_ids)})
        for weekday, hour, what, people in cursor.fetchall():
            found[what][weekday, hour] = people
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFigures(Rates):
    """What became of the texts that went from one number, tried again included once.

    Attributes:
        phone: The account's number.
    """

    phone: str


def figures_by_number(batch_ids: Sequence[int]) -> list[NumberFigures]:
    """What became of several batches by the number they went from, most texts first.

    Two queries.
    """
    rows = BatchActivity.objects.filter(batch_id__in=batch_ids).exclude(people=0)
    linked = Q(batch_id__in=batches_with_links(batch_ids=batch_ids))
    sums = rows.order_by().values_list("our_number", "what")
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for phone, what, people, with_link in sums.annotate(
        all_people=Sum("people"), linked_people=Sum("people", filter=linked, default=0)
    ):
        counts[phone][what] = people
        if what == Happened.DELIVERED:
            counts[phone]["linked"] = with_link
    found = [
        NumberFigures(
            phone=phone,
            accepted=count[Happened.ACCEPTED],
            refused=count[Happened.REFUSED],
            delivered=count[Happened.DELIVERED],
            delivered_linked=count["linked"],
            clicked=count[Happened.CLICKED],
            replied=count[Happened.REPLIED],
            opted_out=count[Happened.OPTED_OUT],
        )
        for phone, count in counts.items()
    ]
    return sorted(found, key=lambda one: (-one.asked, one.phone))
