"""What the composer tells while somebody types: the text as it will be seen, its count, its cost.

Owns putting the pieces together (rendering, segments, the audience's estimate). The rules are those
of the pieces, so the page can never promise what the launch would not do.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.models import Account
from campaigns.selectors import blast_advice
from common.errors import DomainError
from contacts.fields import CUSTOM_PREFIX
from contacts.models import Contact
from contacts.selectors import audience, merge_fields
from messaging import segments
from messaging.advice import Advice
from messaging.graphemes import clusters
from messaging.models import Batch
from messaging.reasons import Words, skipped_words
from messaging.rendering import Template, compile_body
from messaging.services import Estimate, estimate
from tracking.codes import CODE_LENGTH
from tracking.selectors import batch_domain, link_base, link_settings

# Stands for a recipient's own code while counting and showing; as long as a real one.
SAMPLE_CODE: Final = "aB3dE5gH7jK9mN2pQ4rS"[:CODE_LENGTH]


@dataclass(frozen=True)
class OddCharacter:
    """A character that makes the whole text dearer, and what could stand in its place."""

    char: str
    name: str
    times: int
    replacement: str | None


@dataclass(frozen=True)
class Piece:
    """A stretch of the text as written; `is_odd` pieces force the dearer encoding."""

    text: str
    is_odd: bool


@dataclass(frozen=True)
class NotTexted:
    """People of the audience who would be left out for one reason."""

    reason: str
    count: int
    words: Words


@dataclass(frozen=True)
class Composed:
    """A draft as it would go out now.

    `text` is what `seen_by` (somebody of the audience, or None) would read. `error` says why it
    cannot be sent as it stands; `advice` stops nothing. `estimate` is None without groups, a text,
    or with an error.
    """

    text: str
    seen_by: Contact | None
    count: segments.SegmentCount
    odd: list[OddCharacter] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    estimate: Estimate | None = None
    not_texted: list[NotTexted] = field(default_factory=list)
    error: str = ""
    people: int = 0
    advice: list[Advice] = field(default_factory=list)

    @property
    def replacements(self) -> dict[str, str]:
        """Odd character to its plain look-alike, where there is one."""
        return {odd.char: odd.replacement for odd in self.odd if odd.replacement is not None}

    @property
    def is_replaceable(self) -> bool:
        """Whether replacing would bring the cheaper encoding back."""
        return bool(self.odd) and all(odd.replacement is not None for odd in self.odd)


def compose(*, account: Account, body: str, group_ids: Sequence[int]) -> Composed:
    """Count and show a draft. Never raises for what somebody is still typing.

    Queries: one for the fields, one for the person shown, one for the links' domain, one for
    the advice, those of the estimate.
    """
    body = body.replace("\r\n", "\n")
    people = audience(account=account, group_ids=group_ids)
    if not body.strip():
        return Composed("", None, segments.count(""), people=people.count() if group_ids else 0)
    sample = people.order_by("pk").first() if group_ids else None
    try:
        template = compile_body(body)
        template.validate([merge.name for merge in merge_fields(account=account)])
    except DomainError as error:
        odd = _odd(segments.count(body))
        return Composed(
            body, None, segments.count(body), odd, _pieces(body, odd), error=error.message
        )
    text = _as_seen(template, sample, link_settings(account).domain)
    counted = segments.count(text)
    odd = _odd(counted)
    try:
        told = estimate(account=account, body=body, audience=people) if group_ids else None
    except DomainError as error:
        return Composed(text, sample, counted, odd, _pieces(body, odd), error=error.message)
    return Composed(
        text,
        sample,
        counted,
        odd,
        _pieces(body, odd),
        told,
        _not_texted(told.not_texted) if told else [],
        people=told.people if told else 0,
        advice=blast_advice(account=account, body=body),
    )


def _as_seen(template: Template, contact: Contact | None, domain: str | None) -> str:
    """The text for `contact`; without one, or with blank fields, the fields' names stand in."""
    values = contact_values(contact) if contact else {}
    values |= {name: f"[{name}]" for name in template.blank_fields(values)}
    links = [link_base(domain) + SAMPLE_CODE] * len(template.links)
    return template.render(values, links)


def shown(batch: Batch) -> str:
    """A launched text for the phone in its report: fallbacks and the names of fields stand in."""
    return _as_seen(compile_body(batch.body), None, batch_domain(batch.pk))


def contact_values(contact: Contact) -> dict[str, str | None]:
    """Merge field to value, as the launch would freeze them."""
    custom = {
        CUSTOM_PREFIX + key: None if value is None else str(value)
        for key, value in contact.custom.items()
    }
    return {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
        **custom,
    }


def _odd(counted: segments.SegmentCount) -> list[OddCharacter]:
    times = Counter(forcing.char for forcing in counted.forcing)
    replacements = {forcing.char: forcing.replacement for forcing in counted.forcing}
    return [
        OddCharacter(char, _name(char), count, replacements[char])
        for char, count in times.most_common()
    ]


def _name(char: str) -> str:
    return unicodedata.name(char[0], "character").lower().replace("mark", "").strip()


def _pieces(body: str, odd: Sequence[OddCharacter]) -> list[Piece]:
    chars = {one.char for one in odd}
    found: list[Piece] = []
    for cluster in clusters(body) if chars else [body]:
        is_odd = cluster in chars
        if found and not is_odd and not found[-1].is_odd:
            found[-1] = Piece(found[-1].text + cluster, False)
        else:
            found.append(Piece(cluster, is_odd))
    return found


def _not_texted(counts: Mapping[str, int]) -> list[NotTexted]:
    rows = [
        NotTexted(reason, count, skipped_words(reason)) for reason, count in counts.items() if count
    ]
    return sorted(rows, key=lambda row: -row.count)
