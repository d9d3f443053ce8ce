"""When the people of a blast would be texted, before anybody decides to send it, and who they are.

Owns the timetable beside the composer and the lists behind its numbers. Who is texted comes from
the same query as the launch, when from the rules of the gate. How often a person may be texted is
not foreseen: it depends on what goes out before.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from common.clock import now
from common.sql import Sql
from contacts.models import Contact
from messaging.content import Content
from messaging.errors import EmptyAudience, NoSender
from messaging.gate import blast_rules
from messaging.models import SenderNumber
from messaging.recipients import people
from messaging.rendering import compile_body
from messaging.services.single import sender_default
from messaging.timetable import Slot, Timetable, at_places, places_of
from tracking.selectors import link_settings


@dataclass(frozen=True)
class Timing:
    """When whoever would be texted has their turn.

    Attributes:
        later: Who of them waits, by moment, the earliest first; all others go at the start.
        first_at, last_at: When the first and the last have their turn, allowed hours apart: with
            local times, from the easternmost to the westernmost.
    """

    later: list[Slot]
    first_at: datetime
    last_at: datetime

    @property
    def people_later(self) -> int:
        """How many wait."""
        return sum(slot.people for slot in self.later)


def timing(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None = None,
) -> Timing:
    """When the people of an audience would be texted. One query over it; none where all go at once.

    Args:
        account: The tenant.
        body: The template.
        audience: Contacts of the account.
        start: When it would be launched.
        wall: The local time (naive) at which each would be texted; None for the start.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    try:
        chosen, timetable = _asked(account, body, audience, start, wall)
    except EmptyAudience:
        return Timing([], start, start)
    places = {} if timetable.is_at_once else places_of(chosen)
    later = [slot for slot in timetable.slots(places) if slot.at > start]
    return Timing(later, *timetable.ends(places))


def clocks(*, account: Account, body: str, audience: QuerySet[Contact]) -> list[tuple[str, ...]]:
    """Whose clocks count for an audience: each once, the zones that somebody may be in. One query.

    Whoever may be in several zones is texted at a local time once all of them show it.

    Args:
        account, body, audience: As for `timing`.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    try:
        chosen, timetable = _asked(account, body, audience, now(), None)
    except EmptyAudience:
        return []
    return sorted({timetable.zones(place) for place in places_of(chosen)})


def timing_people(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None = None,
    reason: str | None = None,
    until: datetime | None = None,
    before: int | None = None,
    size: int = 50,
) -> list[Contact]:
    """The people behind a number beside the composer, newest first. At most three queries.

    Args:
        account, body, audience, start, wall: As for `timing`.
        reason: Only who is not texted for this `Reason`; None for who is texted.
        until: Of who is texted only those who wait until then; None for those who do not wait.
        before: Only with a lower id: the page after the one that ended with it.
        size: People a page.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    if before is not None:
        audience = audience.filter(pk__lt=before)
    try:
        chosen, timetable = _asked(account, body, audience, start, wall)
    except EmptyAudience:
        return []
    if reason is None:
        waits = {place: timetable.goes_at(place) for place in places_of(chosen)}
        places = [place for place, at in waits.items() if (at == until if until else at <= start)]
        found = at_places(chosen, places)
    else:
        found = Sql(f"SELECT * FROM ({chosen.text}) p WHERE reason = %s", [*chosen.params, reason])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({found.text}) f ORDER BY id DESC LIMIT %s", [*found.params, size]
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Contact.objects.filter(account=account, pk__in=ids).order_by("-pk"))


def _asked(
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None,
) -> tuple[Sql, Timetable]:
    chosen = chosen_people(account, body, audience)
    rules = blast_rules(account, _sender(account))
    return chosen, Timetable(rules, start=start, wall=wall)


def chosen_people(account: Account, body: str, audience: QuerySet[Contact]) -> Sql:
    """The people of an audience and why some are not texted, as the launch would insert them.

    Raises:
        EmptyAudience: provably nobody.
        TemplateError: the body cannot be sent as it is.
    """
    template = compile_body(body)
    return people(
        account=account,
        sender=_sender(account),
        template=template,
        link_length=Content(template, domain=link_settings(account).domain).link_length,
        audience=audience,
    )


def _sender(account: Account) -> SenderNumber | None:
    try:
        return sender_default(account)
    except NoSender:
        return None
