"""Which prices hold at this moment, for a kind of text."""

from common.clock import today
from messaging.models import Price
from messaging.pricing import Prices, prices_by_country


def prices_now(*, kind: str) -> Prices:
    """Credits a segment costs now, for texts of `kind` (`BatchKind`). One query.

    Of each country the newest row in force counts, one for this kind before one for all.
    """
    rows = Price.objects.filter(kind__in=["", kind], valid_from__lte=today())
    by_country: dict[str, int] = {}
    # The last one read wins: those for every kind come first, older ones before newer ones.
    for country, credits in rows.order_by("kind", "valid_from").values_list("country", "credits"):
        by_country[country] = credits
    return prices_by_country(by_country)
