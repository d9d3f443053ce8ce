"""The statement of credits in words: what was sent, to whom, by whom, and what it took.

Owns naming sends for people who look at their credits. The ledger is the accounts app's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.models import Account, CreditEntry, User
from accounts.selectors import SendCredits, credit_entries, credits_by_send
from common.csvout import csv_lines
from common.phone import display
from messaging.choices import BatchKind
from messaging.models import Batch, Message
from messaging.selectors.costs import costs_by_batch

_TO: Final[Mapping[str, str]] = {
    BatchKind.REPLY: "Reply to",
    BatchKind.WRITE: "Text to",
    BatchKind.API: "Text by a program to",
    BatchKind.AUTO: "Automatic answer to",
    BatchKind.OPTIN: "Opt-in by form, text to",
    BatchKind.TEST: "Code or test text to",
}

HEADING: Final = (
    "number",
    "when",
    "movement",
    "credits",
    "held",
    "owed",
    "left_after",
    "cause",
    "send_number",
    "purchase_number",
    "who",
    "note",
)
_AT_ONCE: Final = 1000
# Look-ups have no send; the key of their movements names the run (`messaging.lookups`).
_LOOKUP: Final = re.compile(r"lookups:(\d+):")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the statement.

    Attributes:
        entry: The movement that stands for it: the only one, or a send's first.
        send: What the send did to the credits; None where credits came in, and of one movement.
        batch: The send, where it is still known.
        text: The send's only text, of sends to one person.
        cost: What the carrier asked for it, "" until it has said so; only beside a send.
    """

    entry: CreditEntry
    send: SendCredits | None = None
    batch: Batch | None = None
    text: Message | None = None
    cost: str = ""

    @property
    def title(self) -> str:
        """What it was."""
        if self.lookup_id is not None:
            return "Look-up of line types"
        if self.entry.batch_id is None:
            return self.entry.get_kind_display()
        if self.batch is None:
            return "A send"
        if self.text is None:
            return self.batch.name or self.batch.get_kind_display()
        contact = self.text.contact
        person = contact.full_name if contact else ""
        return f"{_TO.get(self.batch.kind, 'Text to')} {person or display(self.text.phone)}"

    @property
    def lookup_id(self) -> int | None:
        """The run of look-ups it was for."""
        run = _LOOKUP.match(self.entry.idempotency_key)
        return int(run[1]) if run else None

    @property
    def url(self) -> str:
        """Where what caused it can be read (purchases by admins); "" where the note tells."""
        if self.text is not None:
            return reverse("message_detail", args=[self.text.pk])
        if self.batch is not None and self.batch.kind == BatchKind.BLAST:
            return reverse("batch_report", args=[self.batch.pk])
        if self.lookup_id is not None:
            return reverse("lookup_detail", args=[self.lookup_id])
        if self.entry.purchase_id is not None:
            return f"{reverse('credit_buy')}?purchase={self.entry.purchase_id}"
        return ""

    @property
    def who(self) -> str:
        """Who caused it."""
        if self.batch is None:
            return self.entry.actor.display_name if self.entry.actor else "the platform"
        if self.batch.created_by:
            return self.batch.created_by.display_name
        return "automatic" if self.batch.kind == BatchKind.AUTO else "a program"


def statement_lines(*, account: Account, entries: Sequence[CreditEntry]) -> list[Line]:
    """The lines of one page of `accounts.selectors.credit_lines`. At most five queries."""
    ids = [entry.batch_id for entry in entries if entry.batch_id is not None]
    sends = credits_by_send(account=account, batch_ids=ids)
    costs = costs_by_batch(ids)
    lines = movement_lines(account=account, entries=entries)
    return [
        replace(line, send=sends.get(batch_id), cost=costs.get(batch_id, ""))
        for line in lines
        for batch_id in [line.entry.batch_id or 0]
    ]


def movement_lines(*, account: Account, entries: Sequence[CreditEntry]) -> list[Line]:
    """Movements with what caused them, in the order given. At most two queries."""
    ids = {entry.batch_id for entry in entries if entry.batch_id is not None}
    batches = Batch.objects.filter(account=account).select_related("created_by").in_bulk(list(ids))
    single = [batch.pk for batch in batches.values() if batch.kind != BatchKind.BLAST]
    texts = Message.objects.filter(batch__in=single, recipient_no=1).select_related("contact")
    text_of = {text.batch_id: text for text in texts}
    return [
        Line(entry, batch=batches.get(entry.batch_id or 0), text=text_of.get(entry.batch_id))
        for entry in entries
    ]


def movements_of(
    *, account: Account, who: User | None = None, batch_id: int | None = None, **more: Any
) -> QuerySet[CreditEntry]:
    """`accounts.selectors.credit_entries`, of what one person sent or did if asked."""
    entries = credit_entries(account, batch_id=batch_id, **more)
    if who is None:
        return entries
    theirs = Batch.objects.filter(account=account, created_by=who).values("pk")
    return entries.filter(Q(actor=who) | Q(batch_id__in=theirs))


def movements_csv(*, account: Account, entries: QuerySet[CreditEntry]) -> Iterator[str]:
    """Lines of CSV, heading first, newest movement first, times in the account's zone.

    Credits, held and owed of all movements add up to what the account has, holds and owes.

    Two queries for each thousand movements beside reading them.
    """
    return csv_lines(HEADING, _cells(account, entries))


def _cells(account: Account, entries: QuerySet[CreditEntry]) -> Iterator[list[str | int]]:
    zone = ZoneInfo(account.timezone)
    rows = entries.order_by("-pk").iterator(chunk_size=_AT_ONCE)
    while chunk := list(islice(rows, _AT_ONCE)):
        for line in movement_lines(account=account, entries=chunk):
            entry = line.entry
            yield [
                entry.pk,
                entry.created_at.astimezone(zone).isoformat(timespec="seconds"),
                entry.get_kind_display(),
                entry.available,
                entry.held,
                entry.owed,
                entry.balance_after,
                line.title,
                entry.batch_id or "",
                entry.purchase_id or "",
                line.who,
                entry.note,
            ]
