"""Everything that happened with one person, newest first: one list made of several tables.

Owns the merge, its pages and what contacts themselves know. Texts and clicks are messaging's, which
says at start-up how it reads them (as with contacts.rule_sources). Each source reads at most a page
of its own rows by an index, whatever lies behind them.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db.models import Model, QuerySet

from common.phone import display
from contacts.choices import ConsentKind, TimelineKind
from contacts.models import ConsentEvent, Contact, ContactImport, GroupMember
from contacts.person import Person, person_of

R = TypeVar("R", bound=Model)

_PLACE = re.compile(r"([a-z])(\d{1,18})")
_ROLES = {ConsentKind.IN: "delivered", ConsentKind.OUT: "unsubscribed"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        id: Falls within a source from each entry to the older one.
        kind: A `TimelineKind`.
        at: When.
        title: What happened, in words.
        text: What was said: by us, by the person, or how they agreed.
        detail: By whom, or where it came from.
        role: The colour role.
        state, reason: Of a text; `why` is the reason in words.
        verdict: Of a click.
        message_id, import_id, group_id: What it belongs to, where it does.
    """

    id: int
    kind: str
    at: datetime
    title: str
    text: str = ""
    detail: str = ""
    role: str = "waiting"
    state: str = ""
    reason: str = ""
    why: str = ""
    verdict: str = ""
    message_id: int | None = None
    import_id: int | None = None
    group_id: int | None = None


class Source(NamedTuple):
    """A table that knows something: its letter in places, what kinds, and how it is read.

    `read(person, kind, below, limit)` gives entries of the kind ("" for any) whose id is below
    (None for any), by falling id.
    """

    letter: str
    kinds: frozenset[str]
    read: Callable[[Person, str, int | None, int], list[Entry]]


@dataclass(frozen=True)
class Timeline:
    """A page of it. `older` is the place of the next one, "" at the end."""

    entries: list[Entry]
    older: str


def register_sources(*sources: Source) -> None:
    """Say how an app above reads what it knows of a person."""
    _sources.update({source.letter: source for source in sources})


def contact_timeline(
    *, contact: Contact, kind: str = "", before: str = "", limit: int = 30
) -> Timeline:
    """A page of what happened with a person, newest first. A few queries, all by index.

    Args:
        contact: Who; also what happened under numbers that were merged into theirs.
        kind: Only this `TimelineKind`; anything else is no filter.
        before: The `older` of the page before; what makes no sense is the beginning.
        limit: Entries a page.
    """
    kind = kind if kind in TimelineKind.values else ""
    places = {letter: int(digits) for letter, digits in _PLACE.findall(before)}
    person = person_of(contact)
    waiting = {
        source.letter: deque(source.read(person, kind, places.get(source.letter), limit + 1))
        for source in _sources.values()
        if not kind or kind in source.kinds
    }
    entries: list[Entry] = []
    while len(entries) < limit and any(waiting.values()):
        letter = max(
            (letter for letter, rows in waiting.items() if rows),
            key=lambda letter: waiting[letter][0].at,
        )
        entries.append(waiting[letter].popleft())
        places[letter] = entries[-1].id
    more = any(waiting.values())
    older = ".".join(f"{letter}{place}" for letter, place in sorted(places.items()))
    return Timeline(entries, older if more else "")


def newest(person: Person, rows: QuerySet[R], below: int | None, limit: int) -> list[R]:
    """The newest of a person's rows, by falling id: a query for each phone, each by its index.

    Asked for all phones at once, the planner could go through everybody's rows by id.
    """
    if below is not None:
        rows = rows.filter(pk__lt=below)
    rows = rows.filter(account_id=person.contact.account_id)
    found = [
        row for phone in person.phones for row in rows.filter(phone=phone).order_by("-id")[:limit]
    ]
    return sorted(found, key=lambda row: row.pk, reverse=True)[:limit]


def number_of(person: Person, phone: str) -> str:
    """The number in words where it is not the contact's own, else ""."""
    return "" if phone == person.contact.phone else f"Number {display(phone)}"


def _consent(person: Person, kind: str, below: int | None, limit: int) -> list[Entry]:
    events = ConsentEvent.objects.select_related("actor")
    return [
        Entry(
            event.pk,
            TimelineKind.CONSENT,
            event.at,
            event.get_kind_display(),
            text=event.wording,
            detail=" · ".join(filter(None, (_by(event), number_of(person, event.phone)))),
            role=_ROLES.get(ConsentKind(event.kind), "waiting"),
            message_id=event.message_id,
            import_id=event.import_id,
        )
        for event in newest(person, events, below, limit)
    ]


def _by(event: ConsentEvent) -> str:
    source = event.get_source_display()
    return f"{source}: {event.actor.display_name}" if event.actor else source


def _groups(person: Person, kind: str, below: int | None, limit: int) -> list[Entry]:
    rows = GroupMember.objects.filter(contact=person.contact).select_related("group")
    if below is not None:
        rows = rows.filter(pk__lt=below)
    return [
        Entry(
            row.pk,
            TimelineKind.CONTACT,
            row.added_at,
            f"Put into the group “{row.group.name}”",
            group_id=row.group_id,
        )
        for row in rows.order_by("-id")[:limit]
    ]


def _row(person: Person, kind: str, below: int | None, limit: int) -> list[Entry]:
    """When the contact came and when it was changed last, and by which import where that is known.

    An import's people carry its moment, which it keeps as long as it can be undone.
    """
    contact = person.contact
    moments = [(0, contact.created_at, "Added")]
    if contact.updated_at > contact.created_at:
        moments.insert(0, (1, contact.updated_at, "Changed last"))
    wanted = [moment for moment in moments if below is None or moment[0] < below]
    if not wanted:
        return []
    found = ContactImport.objects.filter(
        account_id=contact.account_id, merged_at__in=[at for _, at, _ in wanted]
    )
    imports = {found.merged_at: found for found in found.only("pk", "filename", "merged_at")}
    return [
        Entry(
            place,
            TimelineKind.CONTACT,
            at,
            f"{title} by an import" if at in imports else title,
            detail=imports[at].filename if at in imports else "",
            import_id=imports[at].pk if at in imports else None,
        )
        for place, at, title in wanted
    ]


_sources: dict[str, Source] = {}
register_sources(
    Source("c", frozenset({TimelineKind.CONSENT}), _consent),
    Source("g", frozenset({TimelineKind.CONTACT}), _groups),
    Source("r", frozenset({TimelineKind.CONTACT}), _row),
)
