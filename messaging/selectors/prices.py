"""Which prices hold at this moment, for a kind of text."""

from common.clock import today
from common.countries import COUNTRIES
from messaging.models import Price
from messaging.pricing import DEFAULTS, Prices, prices_by_country


def prices_now(*, kind: str) -> Prices:
    """Credits a segment costs now, for texts of `kind` (`BatchKind`). One query.

    Of each country the newest row in force counts, one for this kind before one for all.
    """
    return prices_by_country(_in_force(kind))


def prices_list(*, kind: str) -> list[tuple[str, int]]:
    """(country, credits a segment) of every country with a price of its own, for people. One query.

    By name; what all the others cost comes last.
    """
    credits = {**DEFAULTS, **_in_force(kind)}
    named = [(COUNTRIES.get(country, country), credits[country]) for country in credits if country]
    return [*sorted(named), ("Everywhere else", credits[""])]


def _in_force(kind: str) -> dict[str, int]:
    rows = Price.objects.filter(kind__in=["", kind], valid_from__lte=today())
    # The last one read wins: those for every kind come first, older ones before newer ones.
    return dict(rows.order_by("kind", "valid_from").values_list("country", "credits"))
