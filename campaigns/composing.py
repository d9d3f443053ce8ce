"""What the composer tells while somebody types: the text as it will be seen, its count, its cost.

Owns putting the pieces together (rendering, segments, the audience's estimate). The rules are those
of the pieces, so the page can never promise what the launch would not do.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from django.db.models import QuerySet
from phonenumbers import country_code_for_region

from accounts.models import Account
from campaigns.errors import AudienceTooLong
from campaigns.oddities import PRICED, OddCharacter, Piece, odd_characters, pieces, priced, saved
from campaigns.planning import Plan
from campaigns.selectors import blast_advice
from common.clock import now
from common.deadline import within
from common.errors import DomainError
from common.text import plain_lines
from contacts.field_types import words
from contacts.fields import CUSTOM_PREFIX
from contacts.models import Contact
from contacts.selectors import audience, contacts_ticked, field_types, merge_fields
from messaging import segments
from messaging.advice import Advice
from messaging.choices import BatchKind, TextType
from messaging.models import Batch, Media
from messaging.reasons import Words, skipped_words
from messaging.rendering import BODY_LIMIT, Template, compile_body
from messaging.selectors import media_list, price_names, prices_now
from messaging.services import Audience, Estimate, Priced, Timing, audience_count, timing
from tracking.codes import CODE_LENGTH
from tracking.selectors import batch_domain, link_base, link_settings
from tracking.services import links_check

# Stands for a recipient's own code while counting and showing; as long as a real one.
SAMPLE_CODE: Final = "aB3dE5gH7jK9mN2pQ4rS"[:CODE_LENGTH]

# What each look at an audience may take while somebody waits for the page.
COUNT_S: Final = 5.0


def counting() -> AbstractContextManager[None]:
    """Each statement inside is given up after some seconds. Reads only.

    Raises:
        AudienceTooLong: one took longer.
    """
    return within(COUNT_S, late=AudienceTooLong)


@dataclass(frozen=True)
class NotTexted:
    """People of the audience who would be left out for one reason."""

    reason: str
    count: int
    words: Words


@dataclass(frozen=True)
class Look:
    """Somebody whose text is worth a look.

    `words` say why; `segments` is None for who is not texted.
    """

    contact: Contact
    words: str
    segments: int | None


@dataclass(frozen=True)
class BlankField:
    """A field that some have no value for, by the name people know."""

    name: str
    label: str
    left_out: int
    fallback: int


@dataclass(frozen=True)
class Route:
    """What texting people of some countries costs; `countries` are those with that price."""

    priced: Priced
    countries: list[str]


@dataclass(frozen=True)
class Composed:
    """A draft as it would go out now.

    `text` is what `seen_by` (somebody of the audience, or None) would read. `error` says why it
    cannot be sent as it stands; `advice` stops nothing. `estimate` is None without groups, a
    text, or with an error, and where counting takes too long, which `uncounted` says. `saved` are
    the credits that replacing odd characters would save; `smart` those that smart encoding saves
    or would save. `links` are its addresses, as written. `routes` are its prices, where they
    differ or a segment costs more than a credit. With `pictures` it is a picture message: `each`
    is what the cheapest and the dearest cost in credits, `plain_credits` what the words alone
    would cost the same people. `brought` are characters that the fields of `seen_by` bring, and
    that make this person's text dearer where the words alone do not. `is_timed` is False where
    telling `timing` takes too long.
    """

    text: str
    seen_by: Contact | None
    count: segments.SegmentCount
    odd: list[OddCharacter] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    estimate: Estimate | None = None
    not_texted: list[NotTexted] = field(default_factory=list)
    error: str = ""
    uncounted: str = ""
    people: int = 0
    advice: list[Advice] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    blanks: list[BlankField] = field(default_factory=list)
    saved: int = 0
    is_smart: bool = False
    smart: int = 0
    links: tuple[str, ...] = ()
    timing: Timing | None = None
    pictures: list[Media] = field(default_factory=list)
    each: tuple[int, int] = (0, 0)
    plain_credits: int | None = None
    routes: list[Route] = field(default_factory=list)
    brought: list[str] = field(default_factory=list)
    is_timed: bool = True

    @property
    def people_now(self) -> int:
        """Who is texted as soon as it starts."""
        texted = self.estimate.texted_now if self.estimate else 0
        return texted - (self.timing.people_later if self.timing else 0)

    @property
    def replacements(self) -> dict[str, str]:
        """Odd character to its plain look-alike, where there is one."""
        return {odd.char: odd.replacement for odd in self.odd if odd.replacement is not None}

    @property
    def is_replaceable(self) -> bool:
        """Whether replacing would bring the cheaper encoding back."""
        return bool(self.odd) and all(odd.replacement is not None for odd in self.odd)

    @property
    def is_other_alphabet(self) -> bool:
        """Whether it is not written in Latin letters, so that no wording of it is cheaper."""
        foreign = (one for one in self.odd if not one.name.startswith("latin"))
        return sum(one.char[0].isalpha() for one in foreign) > PRICED

    @property
    def is_replaced(self) -> bool:
        """Whether smart encoding replaces the odd characters of what is shown."""
        return any(piece.sent is not None for piece in self.pieces)


def compose(
    *,
    account: Account,
    body: str,
    group_ids: Sequence[int],
    smart_encoding: bool = False,
    media_ids: Sequence[int] = (),
    seen_id: int | None = None,
    plan: Plan | None = None,
) -> Composed:
    """Count and show a draft. Never raises for what somebody is still typing.

    Where counting its people takes longer than a page may, `uncounted` says so and the rest is told
    as without groups.

    Args:
        account: The tenant.
        body: As typed.
        group_ids: Who gets it.
        smart_encoding: Whether look-alikes are replaced where that is cheaper; never with pictures.
        media_ids: The pictures that go with it.
        seen_id: The contact of the audience whose text is shown; else the first one.
        plan: When it is to go out; None for now.

    Queries: one for the fields, two for the people shown, two for the links, two for the
    advice, those of the estimate and of the timetable. With pictures three more: the pictures, and
    what the words alone would cost.
    """
    pictures = media_list(account=account, media_ids=media_ids)
    smart_encoding = smart_encoding and not pictures
    body = plain_lines(body)
    people = audience(account=account, group_ids=group_ids)
    try:
        with counting():
            told = _composed(account, body, people, group_ids, smart_encoding, pictures, seen_id)
    except AudienceTooLong as error:
        told = _composed(account, body, people, [], smart_encoding, pictures, None)
        return replace(told, uncounted=error.message)
    if told.estimate is None:
        return told
    try:
        with counting():
            return replace(told, timing=_timing(account, body, people, plan or Plan()))
    except AudienceTooLong:
        return replace(told, is_timed=False)


def _composed(
    account: Account,
    body: str,
    people: QuerySet[Contact],
    group_ids: Sequence[int],
    smart_encoding: bool,
    pictures: list[Media],
    seen_id: int | None,
) -> Composed:
    """All of it but when they would be texted; people are looked at only where there are groups."""
    if not body.strip():
        size = people.count() if group_ids else 0
        return Composed("", None, segments.count(""), people=size, pictures=pictures)
    fields = {merge.name: merge.label for merge in merge_fields(account=account)}
    try:
        template = compile_body(body)
        template.validate(fields)
        links_check(template.links)
        counted = (
            audience_count(
                account=account,
                body=body,
                audience=people,
                smart_encoding=smart_encoding,
                has_media=bool(pictures),
                may_be_recent=True,
            )
            if group_ids
            else None
        )
    except DomainError as error:
        odd = odd_characters(body)
        return Composed(
            body,
            None,
            segments.count(body),
            odd,
            pieces(body, odd, is_replaced=False),
            error=error.message,
            pictures=pictures,
        )
    seen_by = _seen_by(people, seen_id) if group_ids else None
    links = _sample_links(template, link_settings(account).domain)
    plain = as_read(template, seen_by, links)
    text = as_read(template, seen_by, links, is_smart=smart_encoding)
    # No character makes a picture message dearer.
    odd = [] if pictures else odd_characters(template.fullest([""] * len(template.links)))
    told = counted.estimate if counted else None
    return Composed(
        text,
        seen_by,
        segments.count(text),
        priced(body, odd, counted) if counted else odd,
        pieces(body, odd, is_replaced=text != plain),
        told,
        _not_texted(told.not_texted) if told else [],
        people=told.people if told else 0,
        advice=blast_advice(account=account, body=body, people=people if group_ids else None),
        looks=_looks(account, counted) if counted else [],
        blanks=_blanks(told, fields) if told else [],
        saved=saved(body, odd, counted) if counted else 0,
        is_smart=smart_encoding,
        smart=counted.smart_saves() if counted and told and told.texted_now else 0,
        links=template.links,
        pictures=pictures,
        each=_each(account, counted) if pictures else (0, 0),
        plain_credits=_plain_credits(account, body, people) if pictures and told else None,
        routes=_routes(told, has_media=bool(pictures)) if told else [],
        brought=[] if pictures or odd else _forcing(text),
    )


def _forcing(text: str) -> list[str]:
    return list(dict.fromkeys(one.char for one in segments.count(text).forcing))


def _each(account: Account, counted: Audience | None) -> tuple[int, int]:
    """What the cheapest and the dearest picture message costs; without an audience, one at home."""
    prices = [shape.price for shape in counted.shapes if not shape.reason] if counted else []
    if not prices:
        home = country_code_for_region(account.default_country)
        prices = [prices_now(kind=BatchKind.BLAST, type=TextType.MMS).of(f"+{home}")]
    return min(prices), max(prices)


def _plain_credits(account: Account, body: str, people: QuerySet[Contact]) -> int:
    counted = audience_count(account=account, body=body, audience=people, may_be_recent=True)
    return counted.estimate.credits


def _timing(account: Account, body: str, people: QuerySet[Contact], plan: Plan) -> Timing:
    start = plan.start(now())
    return timing(
        account=account,
        body=body,
        audience=people,
        start=start,
        wall=plan.wall,
        may_be_recent=True,
    )


def _routes(told: Estimate, *, has_media: bool) -> list[Route]:
    """Prices with their countries; nothing where everybody costs the usual one. One query.

    Usual is a credit a segment; of pictures `each` says a price that all share.
    """
    prices = {one.price for one in told.by_price}
    if prices <= {1} or (has_media and len(prices) == 1):
        return []
    names = price_names(kind=BatchKind.BLAST, type=TextType.MMS if has_media else TextType.SMS)
    return [Route(one, names.get(one.price, [])) for one in told.by_price]


def _seen_by(people: QuerySet[Contact], seen_id: int | None) -> Contact | None:
    chosen = people.filter(pk=seen_id).first() if seen_id else None
    return chosen or people.order_by("pk").first()


def as_read(
    template: Template,
    contact: Contact | None,
    links: Sequence[str] = (),
    *,
    is_smart: bool = False,
) -> str:
    """The text for `contact`; without one, or with blank fields, the fields' names stand in.

    Args:
        template: The draft.
        contact: Who reads it.
        links: Short links, one each; none leaves the addresses as written.
        is_smart: Whether look-alikes are replaced where that is cheaper.
    """
    values = contact_values(contact, template) if contact else {}
    values |= {name: f"[{name}]" for name in template.blank_fields(values)}
    text = template.render(values, links)
    return segments.cheaper(text, limit=BODY_LIMIT) if is_smart else text


def _sample_links(template: Template, domain: str | None) -> list[str]:
    return [link_base(domain) + SAMPLE_CODE] * len(template.links)


def shown(batch: Batch) -> str:
    """A launched text for the phone in its report: fallbacks and the names of fields stand in."""
    template = compile_body(batch.body)
    links = _sample_links(template, batch_domain(batch.pk))
    return as_read(template, None, links, is_smart=batch.smart_encoding)


def contact_values(contact: Contact, template: Template) -> dict[str, str | None]:
    """Merge field to value in words, as the launch would freeze them.

    Two queries where the text uses a field of the account's own.
    """
    values: dict[str, str | None] = {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
    }
    if not template.names <= values.keys():
        for key, own in field_types(account=contact.account).items():
            value = contact.custom.get(key)
            values[CUSTOM_PREFIX + key] = None if value is None else words(own.kind, str(value))
    return values


def _looks(account: Account, counted: Audience) -> list[Look]:
    """The people of the estimate's examples, each once, with all that is said of them."""
    examples = counted.estimate.examples
    said: dict[int, list[str]] = {}
    if examples.shortest != examples.longest:
        for contact_id, word in ((examples.shortest, "shortest"), (examples.longest, "longest")):
            if contact_id is not None:
                said.setdefault(contact_id, []).append(word)
    if examples.dearest is not None and counted.estimate.max_segments > 1 and said:
        said.setdefault(examples.dearest, []).append("dearest")
    if examples.blank is not None:
        said.setdefault(examples.blank, []).append("a blank field")
    contacts = contacts_ticked(account=account, ids=list(said)).in_bulk()
    return [
        Look(contacts[pk], " · ".join(words).capitalize(), counted.segments_of(pk))
        for pk, words in said.items()
        if pk in contacts
    ]


def _blanks(told: Estimate, labels: Mapping[str, str]) -> list[BlankField]:
    return [
        BlankField(one.name, labels[one.name], one.left_out, one.fallback) for one in told.blanks
    ]


def _not_texted(counts: Mapping[str, int]) -> list[NotTexted]:
    rows = [
        NotTexted(reason, count, skipped_words(reason)) for reason, count in counts.items() if count
    ]
    return sorted(rows, key=lambda row: -row.count)
