"""What a text would cost and whom it would reach, before anybody decides to send it.

Owns the counts beside the composer. They come from the same query as the launch, so that what was
announced is what happens.
"""

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from contacts.models import Contact
from contacts.selectors import merge_fields
from messaging.content import Content
from messaging.errors import EmptyAudience, NoSender
from messaging.models import SenderNumber
from messaging.pricing import credits_for
from messaging.recipients import people
from messaging.rendering import compile_body
from messaging.segments import count, segments
from messaging.services.single import sender_default
from tracking.selectors import link_settings

# So many people are counted one by one; of larger audiences these stand for the rest.
SAMPLE: Final = 5000


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
        exact: Whether every text was counted; else segments and credits are scaled up.
        max_segments: Segments of the longest text.
    """

    people: int
    texted_now: int
    not_texted: dict[str, int]
    segments: int
    credits: int
    encoding: str
    exact: bool
    max_segments: int


def estimate(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    sender: SenderNumber | None = None,
) -> Estimate:
    """Count a body against an audience. Two queries over the audience; writes nothing.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    template = compile_body(body)
    template.validate({field.name for field in merge_fields(account=account)})
    content = Content(template, domain=link_settings(account).domain)
    if sender is None:
        try:
            sender = sender_default(account)
        except NoSender:
            sender = None
    try:
        chosen = people(
            account=account,
            sender=sender,
            template=template,
            link_length=content.link_length,
            audience=audience,
        )
    except EmptyAudience:
        return _result(content, {}, [])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT reason, count(*) FROM ({chosen.text}) p GROUP BY 1", chosen.params)
        counts: dict[str, int] = dict(cursor.fetchall())
        merges: list[dict[str, str] | None] = [None]
        if template.names and counts.get(""):
            cursor.execute(
                f"SELECT {_pairs(content)} FROM ({chosen.text}) p WHERE reason = '' LIMIT %s",
                [*sorted(template.names), *chosen.params, SAMPLE],
            )
            names = sorted(template.names)
            merges = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return _result(content, counts, [content.sample(merge) for merge in merges])


def _pairs(content: Content) -> str:
    template = content.template
    return ", ".join("merge ->> %s" for _ in template.names) if template else "NULL"


def _result(content: Content, counts: dict[str, int], texts: list[str]) -> Estimate:
    sizes = [segments(text) for text in texts] or [segments(content.sample(None))]
    texted = counts.pop("", 0)
    varies = content.template is not None and bool(content.template.names)
    is_exact = not varies or len(sizes) >= texted
    total = sum(sizes) if varies and is_exact else -(-sum(sizes) * texted // len(sizes))
    dearest = max(texts or [content.sample(None)], key=segments)
    return Estimate(
        people=texted + sum(counts.values()),
        texted_now=texted,
        not_texted=counts,
        segments=total if texted else 0,
        credits=credits_for(total) if texted else 0,
        encoding=count(dearest).encoding,
        exact=is_exact,
        max_segments=max(sizes),
    )
