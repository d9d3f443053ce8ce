"""What a text would cost and whom it would reach, before anybody decides to send it.

Owns the counts beside the composer. Reasons come from the same rules as the launch, and every text
of the audience is counted with its own values and a short link of the real length, so that what was
announced is what happens and what is settled.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet

from accounts.models import Account
from contacts.models import Contact
from contacts.selectors import merge_fields
from messaging.choices import BatchKind, Reason, TextType
from messaging.content import Content
from messaging.errors import EmptyAudience, NoSender
from messaging.models import SenderNumber
from messaging.recent import rows_of, rows_recent
from messaging.recipients import people_by_shape
from messaging.rendering import compile_body
from messaging.segments import count
from messaging.selectors.prices import prices_now
from messaging.services.single import sender_default
from messaging.shapes import Counted, Shape, counted
from tracking.selectors import link_settings


@dataclass(frozen=True, slots=True)
class Blank:
    """A field that some people have no value for.

    Attributes:
        name: The field.
        left_out: People who are not texted because of it.
        fallback: People who are texted and read its fallback.
    """

    name: str
    left_out: int
    fallback: int


@dataclass(frozen=True, slots=True)
class Examples:
    """Contact ids of people whose texts are worth a look; None where there is nobody.

    Attributes:
        shortest: Of all who are texted.
        longest: Of all who are texted.
        dearest: Whose text costs the most credits.
        blank: Who has a blank field: somebody who is left out, else who reads a fallback.
    """

    shortest: int | None = None
    longest: int | None = None
    dearest: int | None = None
    blank: int | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """People whose texts cost the same for each segment, or picture message.

    Attributes:
        price: Credits a segment, or a picture message.
        people: Who would be texted at it.
        segments: Of their texts.
        credits: In all.
    """

    price: int
    people: int
    segments: int
    credits: int


@dataclass(frozen=True)
class Estimate:
    """What a launch would come to now.

    Attributes:
        people: Everybody in the audience.
        texted_now: Who would be texted.
        not_texted: Who would not, by `Reason`.
        segments: Segments in all.
        credits: Credits in all.
        encoding: ``GSM-7`` or ``UCS-2``, of the dearest text.
        max_segments: Segments of the longest text.
        exact: Always true: every text is counted.
        blanks: Fields that some have no value for, by name.
        examples: Whose text to look at.
        by_price: Who would be texted by what a segment costs there, the cheapest first.
    """

    people: int
    texted_now: int
    not_texted: dict[str, int]
    segments: int
    credits: int
    encoding: str
    max_segments: int
    exact: bool = True
    blanks: list[Blank] = field(default_factory=list)
    examples: Examples = field(default_factory=Examples)
    by_price: list[Priced] = field(default_factory=list)


class Audience:
    """An audience counted for one body, to be told about, and to hold other wordings against.

    Attributes:
        content: What it was counted for.
        shapes: Its people, by what makes their texts alike.
        estimate: What launching the body would come to.
    """

    def __init__(self, content: Content, shapes: Sequence[Shape]) -> None:
        self.content = content
        self.shapes = shapes
        self._counted = counted(content, shapes)
        self.estimate = _told(content, self._counted)

    def credits(self, body: str) -> int:
        """What another wording with the same fields would cost the same people, in credits.

        Raises:
            TemplateError: it cannot be sent as it is.
        """
        return self._credits(self.content.reworded(compile_body(body)))

    def smart_saves(self) -> int:
        """Credits that smart encoding saves, or would save where it is off."""
        other = self._credits(self.content.reworded(is_smart=not self.content.is_smart))
        return abs(other - self.estimate.credits)

    def segments_of(self, contact_id: int) -> int | None:
        """Segments of one of the examples; None for who is not texted."""
        for one in self._counted:
            if one.shape.contact_id == contact_id:
                return None if one.reason else one.segments
        return None

    def _credits(self, content: Content) -> int:
        texted = (one for one in counted(content, self.shapes) if not one.reason)
        return sum(one.credits for one in texted)


def estimate(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    sender: SenderNumber | None = None,
    smart_encoding: bool = False,
    has_media: bool = False,
) -> Estimate:
    """Count a body against an audience, exactly. One query over the audience; writes nothing.

    With `has_media` as a picture message, which is one unit whatever it says.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    return audience_count(
        account=account,
        body=body,
        audience=audience,
        sender=sender,
        smart_encoding=smart_encoding,
        has_media=has_media,
    ).estimate


def audience_count(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    sender: SenderNumber | None = None,
    smart_encoding: bool = False,
    has_media: bool = False,
    may_be_recent: bool = False,
) -> Audience:
    """As `estimate`, with what other wordings of the body can be held against.

    With `may_be_recent` a large audience may be as it was half a minute ago: for whoever is typing,
    never for what is charged. Memory grows with the number of different shapes, hundreds as a rule,
    not with the audience.
    """
    template = compile_body(body)
    template.validate({field.name for field in merge_fields(account=account)})
    content = Content(
        template,
        domain=link_settings(account).domain,
        is_smart=smart_encoding,
        has_media=has_media,
    )
    if sender is None:
        try:
            sender = sender_default(account)
        except NoSender:
            sender = None
    try:
        chosen = people_by_shape(
            account=account,
            sender=sender,
            template=template,
            audience=audience,
            by_value=template.composes_values,
            prices=prices_now(
                kind=BatchKind.BLAST, type=TextType.MMS if has_media else TextType.SMS
            ),
        )
    except EmptyAudience:
        return Audience(content, [])
    rows = (
        rows_recent(chosen, lambda found: sum(row[1] for row in found))
        if may_be_recent
        else rows_of(chosen)
    )
    names = sorted(template.names)
    shapes = [
        Shape(reason, people, contact_id, price, dict(zip(names, values, strict=True)))
        for reason, people, contact_id, price, *values in rows
    ]
    return Audience(content, shapes)


def _told(content: Content, counts: Sequence[Counted]) -> Estimate:
    not_texted: Counter[str] = Counter()
    for one in counts:
        if one.reason:
            not_texted[one.reason] += one.shape.people
    texted = [one for one in counts if not one.reason]
    people = sum(one.shape.people for one in texted)
    dearest = min(texted, key=lambda one: (-one.segments, one.shape.contact_id), default=None)
    seen = count(dearest.text if dearest else content.sample(None))
    return Estimate(
        people=people + not_texted.total(),
        texted_now=people,
        not_texted=dict(not_texted),
        segments=sum(one.shape.people * one.segments for one in texted),
        credits=sum(one.credits for one in texted),
        encoding=seen.encoding,
        max_segments=1 if content.has_media else seen.segments,
        blanks=_blanks(content, counts),
        examples=_examples(texted, counts),
        by_price=_by_price(texted),
    )


def _by_price(texted: Sequence[Counted]) -> list[Priced]:
    prices = sorted({one.shape.price for one in texted})
    groups = [[one for one in texted if one.shape.price == price] for price in prices]
    return [
        Priced(
            price,
            sum(one.shape.people for one in group),
            sum(one.shape.people * one.segments for one in group),
            sum(one.credits for one in group),
        )
        for price, group in zip(prices, groups, strict=True)
    ]


def _blanks(content: Content, counts: Sequence[Counted]) -> list[Blank]:
    names = sorted(content.template.names) if content.template else []
    left_out: Counter[str] = Counter()
    fallback: Counter[str] = Counter()
    for one in counts:
        for name in one.blank:
            if not one.reason:
                fallback[name] += one.shape.people
            elif one.reason == Reason.BLANK_FIELD:
                left_out[name] += one.shape.people
    return [
        Blank(name, left_out[name], fallback[name])
        for name in names
        if left_out[name] or fallback[name]
    ]


def _examples(texted: Sequence[Counted], counts: Sequence[Counted]) -> Examples:
    # Of several alike the earliest contact, so that the page does not show another one each time.
    shortest = min(texted, key=lambda one: (len(one.text), one.shape.contact_id), default=None)
    dearest = min(
        texted,
        key=lambda one: (-one.segments * one.shape.price, one.shape.contact_id),
        default=None,
    )
    longest = min(texted, key=lambda one: (-len(one.text), one.shape.contact_id), default=None)
    blanks = [one for one in counts if one.blank and one.reason in ("", Reason.BLANK_FIELD)]
    blank = min(blanks, key=lambda one: (not one.reason, one.shape.contact_id), default=None)
    return Examples(*map(_contact_id, (shortest, longest, dearest, blank)))


def _contact_id(one: Counted | None) -> int | None:
    return one.shape.contact_id if one else None
