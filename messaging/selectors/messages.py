"""Lists of messages: an account's log, the people of a report, whoever clicked a link.

Owns how a `messaging.listing.ListFilter` becomes a query; pages are cut by key
(`common.pagination`), newest first, so that the thousandth page costs what the first does. What no
index knows (a state, words of a text) is looked for in `LOOKED_AT_MOST` rows at a time, and the
page says so (docs/adr/0016-bounded-looks.md).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Model, Q, QuerySet
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from accounts.models import Account
from contacts.choices import Consent
from contacts.models import Contact
from contacts.selectors import contacts_list
from messaging.choices import BatchKind, Direction, MessageState
from messaging.listing import EVERYTHING, NO_CODE, NOBODY, STATES, ListFilter
from messaging.models import Batch, Message
from tracking.selectors import batches_with_links, link_batch, link_clickers, links_list

M = TypeVar("M", bound=Model)

# The column that answers each question about a person, by the answer.
_ASKED = {
    ("clicked", "yes"): Q(human_click_at__isnull=False),
    ("clicked", "no"): Q(human_click_at__isnull=True),
    ("clicked", "hit"): Q(first_click_at__isnull=False),
    ("replied", "yes"): Q(replied_at__isnull=False),
    ("replied", "no"): Q(replied_at__isnull=True),
    ("left", "yes"): Q(opted_out_at__isnull=False),
    ("left", "no"): Q(opted_out_at__isnull=True),
}
# When what a list may ask the day or hour of happened, and to whom it did.
_HAPPENED = {
    "delivered": ("final_at", Q(state=MessageState.DELIVERED)),
    "clicked": ("human_click_at", Q()),
    "replied": ("replied_at", Q()),
}
# A quarter of a second for words of a text, which is what a page may take.
LOOKED_AT_MOST = 50_000
# More people than this fit a search only when it says hardly anything.
_MOST_PEOPLE = 1000
# A list that was imported is longer, and one who joined by a form is among them.
_NEWEST = 200
_DIGITS = re.compile(r"\D+")


def phones_since(*, account: Account, since: datetime) -> QuerySet[Message, Any]:
    """Phones that the account texted, or meant to, or heard from since: as `values("phone")`.

    Meant to be compiled into another statement; nothing is loaded.
    """
    return Message.objects.filter(account=account, created_at__gte=since).values("phone")


def has_newcomers(*, account: Account, people: QuerySet[Contact]) -> bool:
    """Whether some of these people were never texted by the account. Two queries.

    Looks at the newest of them, who are the likeliest; whoever opted out does not count.
    """
    newest = people.exclude(consent=Consent.OPTED_OUT).order_by("-pk")
    phones = set(newest.values_list("phone", flat=True)[:_NEWEST])
    # Not one by one: the planner may think of one message just after a launch, and go through all
    # of them for each person.
    texted = Message.objects.filter(account=account, phone__in=phones, direction=Direction.OUT)
    texted = texted.exclude(state=MessageState.SKIPPED)
    return phones > set(texted.values_list("phone", flat=True).distinct())


@dataclass(frozen=True)
class Listed:
    """A list of messages, and how to find its pages.

    Attributes:
        rows: The messages, unordered, with contact and author loaded.
        among: What has to be looked through to find them; None where an index finds them all.
        key: By which it is paged (`common.pagination`): has an index over `among`.
        batches: The batches they are all of, where the list is confined to some.
    """

    rows: QuerySet[Message]
    among: QuerySet[Message] | None
    key: Sequence[str]
    batches: list[int] | None


def messages_list(
    *, account: Account, batches: Collection[int] | None = None, chosen: ListFilter = EVERYTHING
) -> QuerySet[Message]:
    """Messages of the account, unordered, with contact and author loaded.

    As of `messages_listed`, for who reads all of them.
    """
    return messages_listed(account=account, batches=batches, chosen=chosen).rows


def messages_listed(
    *, account: Account, batches: Collection[int] | None = None, chosen: ListFilter = EVERYTHING
) -> Listed:
    """Messages of the account that a filter asks for. At most four queries of its own.

    What is asked of batches (their blasts' period, who sent them) is asked of them and not of their
    messages, which are then found by their numbers, however old.

    Args:
        account: Whose messages.
        batches: Only recipients of these batches, which are the account's.
        chosen: What they have in common.
    """
    confined = _batches(account, batches, chosen)
    if confined is None:
        among, looked_for = Message.objects.filter(account=account), chosen
        rows = _sent(among, account, chosen)
    else:
        # Not by account too: the planner would join two indexes and sort what it finds.
        among = rows = Message.objects.filter(batch_id__in=confined)
        looked_for = chosen.of_messages
    for condition in _conditions(account, chosen):
        rows = rows.filter(condition)
    return Listed(
        rows=_in_hour(rows, account, chosen).select_related("contact", "created_by"),
        among=among if looked_for else None,
        key=("pk",) if confined is None else ("batch_id", "recipient_no"),
        batches=confined,
    )


def _batches(
    account: Account, batches: Collection[int] | None, chosen: ListFilter
) -> list[int] | None:
    """The batches that the list is confined to, newest first; None for none in particular."""
    if chosen.link is not None:
        of_link = link_batch(account=account, link_id=chosen.link)
        batches = [pk for pk in (of_link,) if pk and (batches is None or pk in batches)]
    if batches is None and chosen.kind != BatchKind.BLAST:
        return None
    if batches is not None and chosen == chosen.of_messages:
        return sorted(batches, reverse=True)
    rows = Batch.objects.filter(account=account)
    if batches is not None:
        rows = rows.filter(pk__in=list(batches))
    if chosen.kind:
        rows = rows.filter(kind=chosen.kind)
    rows = _asked_within(rows, account, chosen, "launched_at")
    if chosen.by:
        rows = rows.filter(created_by_id=None if chosen.by == NOBODY else int(chosen.by))
    ids = list(rows.order_by("-pk").values_list("pk", flat=True))
    if chosen.linked:
        linked = batches_with_links(batch_ids=ids)
        ids = [pk for pk in ids if pk in linked]
    return ids


def _sent(rows: QuerySet[Message], account: Account, chosen: ListFilter) -> QuerySet[Message]:
    """How and by whom they were sent, where no batch was asked for."""
    rows = _asked_within(rows, account, chosen, "created_at")
    if chosen.kind:
        rows = rows.filter(batch__kind=chosen.kind)
    if chosen.by == NOBODY:
        rows = rows.filter(direction=Direction.OUT, batch__created_by=None)
    elif chosen.by:
        rows = rows.filter(created_by_id=int(chosen.by))
    if chosen.linked:
        rows = rows.filter(batch_id__in=links_list(account=account).values("batch_id"))
    return rows


def _asked_within(
    rows: QuerySet[M], account: Account, chosen: ListFilter, column: str
) -> QuerySet[M]:
    """Those of the chosen days, which begin and end by the account's clock."""
    if chosen.since:
        rows = rows.filter(**{f"{column}__gte": _midnight(account, chosen.since)})
    if chosen.until:
        rows = rows.filter(**{f"{column}__lt": _midnight(account, chosen.until, days=1)})
    return rows


def _midnight(account: Account, day: date | str, *, days: int = 0) -> datetime:
    """The beginning of a day, or of one some days later, by the account's clock."""
    on = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(on + timedelta(days=days), time.min, tzinfo=ZoneInfo(account.timezone))


def _conditions(account: Account, chosen: ListFilter) -> Iterator[Q]:
    """What is asked of each message, whatever its batch."""
    if chosen.show:
        yield Q(state__in=STATES[chosen.show])
    for name in ("state", "reason", "direction"):
        if value := getattr(chosen, name):
            yield Q(**{name: value})
    if chosen.code:
        yield Q(carrier_code="" if chosen.code == NO_CODE else chosen.code)
    for name in ("clicked", "replied", "left"):
        if answer := getattr(chosen, name):
            yield _ASKED[name, answer]
    if chosen.number:
        yield Q(our_number=chosen.number)
    if chosen.moment_day:
        what, day = chosen.moment_day
        column, condition = _HAPPENED[what]
        start, end = _midnight(account, day), _midnight(account, day, days=1)
        yield condition & Q(**{f"{column}__gte": start, f"{column}__lt": end})
    if chosen.link is not None:
        clickers = link_clickers(link_id=chosen.link, robots=chosen.clicked == "hit")
        yield Q(recipient_no__in=clickers)
    if chosen.search:
        yield _found(account, chosen.search)


def _in_hour(rows: QuerySet[Message], account: Account, chosen: ListFilter) -> QuerySet[Message]:
    """Those to whom it happened in the chosen hour of the week, by the account's clock."""
    if chosen.moment_hour is None:
        return rows
    what, weekday, hour = chosen.moment_hour
    column, condition = _HAPPENED[what]
    zone = ZoneInfo(account.timezone)
    return rows.alias(
        _weekday=ExtractIsoWeekDay(column, tzinfo=zone), _hour=ExtractHour(column, tzinfo=zone)
    ).filter(condition, _weekday=weekday, _hour=hour)


def messages_counted(rows: QuerySet[Message], *, most: int) -> int:
    """How many rows, at most `most` + 1, which then means "more". One query."""
    return rows.select_related(None).order_by()[: most + 1].count()


def _found(account: Account, search: str) -> Q:
    people = contacts_list(account=account, search=search).values_list("phone", flat=True)
    found = Q(phone__in=list(people[:_MOST_PEOPLE])) | Q(body__icontains=search)
    digits = _DIGITS.sub("", search)
    if len(digits) >= 4:
        found |= Q(phone__contains=digits)
    return found
