"""UTM parameters: how shops' own statistics tell where a visitor came from.

Owns what is added to a destination. What stands in it already wins, so a single blast can say
something else by writing it into its link.
"""

from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from django.utils.text import slugify

CAMPAIGN_LIMIT: Final = 80


def with_utm(url: str, *, source: str, medium: str, campaign: str) -> str:
    """`url` with utm_source, utm_medium and utm_campaign, its own query untouched.

    Args:
        url: A checked destination.
        source: "" adds nothing at all.
        medium: "" for none.
        campaign: A blast's name, written as statistics like it (`spring-sale`).
    """
    if not source:
        return url
    parts = urlsplit(url)
    held = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    values = {
        "utm_source": source,
        "utm_medium": medium,
        "utm_campaign": slugify(campaign, allow_unicode=True)[:CAMPAIGN_LIMIT],
    }
    added = [
        f"{name}={quote(value, safe='')}"
        for name, value in values.items()
        if value and name not in held
    ]
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, *added]))))
