"""Lists of messages: an account's log, the people of a report, whoever clicked a link.

Owns how a `messaging.listing.ListFilter` becomes a query; pages are cut by key
(`common.pagination`), newest first, so that the thousandth page costs what the first does. What no
index knows (a state, words of a text) is looked for in `LOOKED_AT_MOST` rows at a time, and the
page says so (docs/adr/0016-bounded-looks.md).
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from contacts.choices import Consent
from contacts.models import Contact
from contacts.selectors import contacts_list
from messaging.choices import Direction, MessageState
from messaging.listing import EVERYTHING, STATES, ListFilter
from messaging.models import Message
from tracking.selectors import link_clickers

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
    """Whether some of these people were never texted by the account. One query.

    Looks at the newest of them, who are the likeliest; whoever opted out does not count.
    """
    newest = people.exclude(consent=Consent.OPTED_OUT).order_by("-pk").values("pk")[:_NEWEST]
    texted = Message.objects.filter(
        account=account, phone=OuterRef("phone"), direction=Direction.OUT
    ).exclude(state=MessageState.SKIPPED)
    return Contact.objects.filter(~Exists(texted), account=account, pk__in=newest).exists()


def messages_list(
    *, account: Account, batches: Collection[int] | None = None, chosen: ListFilter = EVERYTHING
) -> QuerySet[Message]:
    """Messages of the account, unordered (page them by key), with contact and author loaded.

    At most two queries of its own, for a search and for a link.

    Args:
        account: Whose messages.
        batches: Only recipients of these batches.
        chosen: What they have in common.
    """
    rows = Message.objects.filter(account=account).select_related("contact", "created_by")
    if batches is not None:
        rows = rows.filter(batch_id__in=list(batches))
    if chosen.show:
        rows = rows.filter(state__in=STATES[chosen.show])
    for name in ("state", "reason", "direction"):
        if value := getattr(chosen, name):
            rows = rows.filter(**{name: value})
    for name in ("clicked", "replied", "left"):
        if answer := getattr(chosen, name):
            rows = rows.filter(_ASKED[name, answer])
    if chosen.link is not None:
        rows = rows.filter(_clicked(account, chosen.link))
    if chosen.search:
        rows = rows.filter(_found(account, chosen.search))
    return rows


def messages_counted(rows: QuerySet[Message], *, most: int) -> int:
    """How many rows, at most `most` + 1, which then means "more". One query."""
    return rows.select_related(None).order_by()[: most + 1].count()


def _clicked(account: Account, link_id: int) -> Q:
    batch_id, recipients = link_clickers(account=account, link_id=link_id)
    return Q(batch_id=batch_id, recipient_no__in=recipients) if batch_id else Q(pk__in=[])


def _found(account: Account, search: str) -> Q:
    people = contacts_list(account=account, search=search).values_list("phone", flat=True)
    found = Q(phone__in=list(people[:_MOST_PEOPLE])) | Q(body__icontains=search)
    digits = _DIGITS.sub("", search)
    if len(digits) >= 4:
        found |= Q(phone__contains=digits)
    return found
