"""UTM parameters: how shops' own statistics tell where a visitor came from.

Owns what is added to a destination. What stands in it already wins; then what the blast says
(`UTM_PARTS`); then the account's settings, and the blast's name as the campaign.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from django.utils.text import slugify

from common.errors import Invalid
from common.text import typed

CAMPAIGN_LIMIT: Final = 80
# What a blast may say of its own, and how long each may be.
UTM_PARTS: Final = ("utm_source", "utm_medium", "utm_campaign")
PART_LIMIT: Final = 80


def utm_cleaned(parts: Mapping[str, str]) -> dict[str, str]:
    """What a blast says of its own: known parts that are not empty, without space at the ends.

    Raises:
        Invalid: one is longer than 80 characters; its field is named `utm`.
    """
    cleaned = {name: typed(parts.get(name, "")) for name in UTM_PARTS}
    if any(len(value) > PART_LIMIT for value in cleaned.values()):
        sentence = f"UTM parameters have at most {PART_LIMIT} characters each."
        raise Invalid(f"{sentence} Nothing was changed.", fields={"utm": sentence})
    return {name: value for name, value in cleaned.items() if value}


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
