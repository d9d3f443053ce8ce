"""When the people of a blast would be texted, before anybody decides to send it, and who they are.

Owns the timetable beside the composer and the lists behind its numbers. Who is texted comes from
the same query as the launch, when from the rules of the gate. Whom the account's cap holds back is
told as far as it is known now (`messaging.capping`).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Account
from common.clock import now
from common.sql import Sql
from contacts.models import Contact
from messaging.capping import held, rooms
from messaging.content import Content
from messaging.errors import EmptyAudience, NoSender
from messaging.frequency import tried_at
from messaging.gate import Policy, blast_rules
from messaging.models import SenderNumber
from messaging.recent import rows_of, rows_recent
from messaging.recipients import people
from messaging.rendering import compile_body
from messaging.services.single import sender_default
from messaging.timetable import Place, Slot, Timetable, at_places, places_of
from tracking.selectors import link_settings


@dataclass(frozen=True)
class Capped:
    """People who had as many blasts as the account allows, and wait until there is room.

    Attributes:
        people: How many.
        first_at, last_at: When the first and the last of them go, allowed hours and all, if nothing
            goes out to them before.
    """

    people: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Timing:
    """When whoever would be texted has their turn.

    Attributes:
        later: Who of them waits for a time of day, by moment, the earliest first.
        first_at, last_at: When the first and the last have their turn, allowed hours apart: with
            local times, from the easternmost to the westernmost.
        capped: Who waits because of the account's cap; None where nobody does. All others go at the
            start.
    """

    later: list[Slot]
    first_at: datetime
    last_at: datetime
    capped: Capped | None = None

    @property
    def people_later(self) -> int:
        """How many wait."""
        waiting = sum(slot.people for slot in self.later)
        return waiting + (self.capped.people if self.capped else 0)


@dataclass(frozen=True)
class _Asked:
    """An audience, its rules and its timetable."""

    account_id: int
    chosen: Sql
    rules: Policy
    timetable: Timetable
    start: datetime

    def held(self, places: Collection[Place]) -> Sql:
        """Who of these places has no room when it is time; as of the minute, to be found again."""
        return held(
            self.chosen,
            account_id=self.account_id,
            rules=self.rules,
            start=_minute(self.start),
            moments={place: _minute(self.timetable.goes_at(place)) for place in places},
        )

    def capped(self) -> Sql:
        """Everybody who has no room when it is time. One query of its own."""
        if not self.rules.cap_texts:
            return Sql("SELECT 0 AS id WHERE false", [])
        return self.held(places_of(self.chosen))

    def at(self, moment: datetime) -> Sql:
        """Who goes at that moment, or before it where it is the start. One query of its own."""
        goes_at = {place: self.timetable.goes_at(place) for place in places_of(self.chosen)}
        found = at_places(
            self.chosen, [place for place, at in goes_at.items() if max(at, self.start) == moment]
        )
        if not self.rules.cap_texts:
            return found
        full = rooms(account_id=self.account_id, rules=self.rules, start=_minute(self.start))
        return Sql(
            f"SELECT * FROM ({found.text}) f WHERE NOT EXISTS "
            f"(SELECT FROM ({full.text}) r WHERE r.phone = f.phone AND r.frees > %s)",
            [*found.params, *full.params, _minute(moment)],
        )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def timing(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None = None,
    may_be_recent: bool = False,
) -> Timing:
    """When the people of an audience would be texted. One query over it; none where all go at once.

    A second one where the account caps how often people are texted.

    Args:
        account: The tenant.
        body: The template.
        audience: Contacts of the account.
        start: When it would be launched.
        wall: The local time (naive) at which each would be texted; None for the start.
        may_be_recent: A large audience may be as it was half a minute ago, for whoever is typing.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    try:
        asked = _asked(account, body, audience, start, wall)
    except EmptyAudience:
        return Timing([], start, start)
    timetable = asked.timetable
    if timetable.is_at_once and not asked.rules.cap_texts:
        return Timing([], start, start)
    places = places_of(asked.chosen, may_be_recent=may_be_recent)
    waiting = _held_back(asked, places, may_be_recent=may_be_recent)
    free = Counter(places) - Counter({place: one.people for place, one in waiting.items()})
    later = [slot for slot in timetable.slots(free) if slot.at > start]
    return Timing(later, *timetable.ends(places), _together(waiting.values()))


def _held_back(
    asked: _Asked, places: Mapping[Place, int], *, may_be_recent: bool
) -> dict[Place, Capped]:
    """Who of each place has no room for another blast. One query, none without a cap."""
    if not asked.rules.cap_texts or not places:
        return {}
    found = asked.held(places)
    query = Sql(
        f"SELECT timezone, digits, count(*), min(frees), max(frees) FROM ({found.text}) h "
        "GROUP BY 1, 2",
        found.params,
    )
    people = sum(places.values())
    rows = rows_recent(query, lambda _: people) if may_be_recent else rows_of(query)
    opens_at = asked.timetable.opens_at
    return {
        (place := Place(zone, digits)): Capped(
            count, opens_at(place, tried_at(first)), opens_at(place, tried_at(last))
        )
        for zone, digits, count, first, last in rows
    }


def _together(waiting: Collection[Capped]) -> Capped | None:
    if not waiting:
        return None
    return Capped(
        sum(one.people for one in waiting),
        min(one.first_at for one in waiting),
        max(one.last_at for one in waiting),
    )


def clocks(*, account: Account, body: str, audience: QuerySet[Contact]) -> list[tuple[str, ...]]:
    """Whose clocks count for an audience: each once, the zones that somebody may be in. One query.

    Whoever may be in several zones is texted at a local time once all of them show it.

    Args:
        account, body, audience: As for `timing`.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    try:
        asked = _asked(account, body, audience, now(), None)
    except EmptyAudience:
        return []
    return sorted({asked.timetable.zones(place) for place in places_of(asked.chosen)})


def timing_people(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None = None,
    reason: str | None = None,
    until: datetime | None = None,
    is_capped: bool = False,
    before: int | None = None,
    size: int = 50,
) -> list[Contact]:
    """The people behind a number beside the composer, newest first. At most three queries.

    Args:
        account, body, audience, start, wall: As for `timing`.
        reason: Only who is not texted for this `Reason`; None for who is texted.
        until: Of who is texted only those who wait until then; None for those who do not wait.
        is_capped: Of who is texted only those who wait because of the account's cap.
        before: Only with a lower id: the page after the one that ended with it.
        size: People a page.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    if before is not None:
        audience = audience.filter(pk__lt=before)
    try:
        asked = _asked(account, body, audience, start, wall)
    except EmptyAudience:
        return []
    if reason is None:
        found = asked.capped() if is_capped else asked.at(until or start)
    else:
        found = Sql(
            f"SELECT * FROM ({asked.chosen.text}) p WHERE reason = %s",
            [*asked.chosen.params, reason],
        )
    rows = rows_of(
        Sql(f"SELECT id FROM ({found.text}) f ORDER BY id DESC LIMIT %s", [*found.params, size])
    )
    ids = [row[0] for row in rows]
    return list(Contact.objects.filter(account=account, pk__in=ids).order_by("-pk"))


def _asked(
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    start: datetime,
    wall: datetime | None,
) -> _Asked:
    rules = blast_rules(account, _sender(account))
    chosen = chosen_people(account, body, audience)
    return _Asked(account.pk, chosen, rules, Timetable(rules, start=start, wall=wall), start)


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
