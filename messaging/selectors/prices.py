"""Which prices hold at this moment, for a kind of text."""

from common.clock import today
from common.countries import COUNTRIES
from messaging.choices import TextType
from messaging.models import Price
from messaging.pricing import DEFAULTS, Prices, prices_by_country


def prices_now(*, kind: str, type: str = TextType.SMS) -> Prices:
    """Credits a segment costs now, for texts of `kind` (`BatchKind`). One query.

    Of each country the newest row in force counts, one for this kind before one for all. With
    type MMS: credits a message with pictures costs.
    """
    return prices_by_country(_in_force(kind, type), type=type)


def prices_list(*, kind: str, type: str = TextType.SMS) -> list[tuple[str, int]]:
    """(country, credits) of every country with a price of its own, for people. One query.

    By name; what all the others cost comes last.
    """
    credits = {**DEFAULTS[type], **_in_force(kind, type)}
    named = [(COUNTRIES.get(country, country), credits[country]) for country in credits if country]
    return [*sorted(named), ("Everywhere else", credits[""])]


def price_names(*, kind: str, type: str = TextType.SMS) -> dict[int, list[str]]:
    """Credits of a segment, or a picture message, to the countries that cost so much. One query."""
    names: dict[int, list[str]] = {}
    for country, credits in prices_list(kind=kind, type=type):
        names.setdefault(credits, []).append(country)
    return names


def _in_force(kind: str, type: str) -> dict[str, int]:
    rows = Price.objects.filter(type=type, kind__in=["", kind], valid_from__lte=today())
    # The last one read wins: those for every kind come first, older ones before newer ones.
    return dict(rows.order_by("kind", "valid_from").values_list("country", "credits"))
