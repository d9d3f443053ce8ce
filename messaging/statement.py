"""The statement of credits in words: what was sent, to whom, by whom, and what it took.

Owns naming sends for people who look at their credits. The ledger is the accounts app's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from accounts.models import Account, CreditEntry
from accounts.selectors import SendCredits, credits_by_send
from common.phone import display
from messaging.choices import BatchKind
from messaging.models import Batch, Message

_TO: Final[Mapping[str, str]] = {
    BatchKind.REPLY: "Reply to",
    BatchKind.API: "Text by a program to",
    BatchKind.AUTO: "Automatic answer to",
    BatchKind.TEST: "Code or test text to",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the statement.

    Attributes:
        entry: The movement that stands for it: the only one, or a send's first.
        send: What the send did to the credits; None where credits came in.
        batch: The send, where it is still known.
        text: The send's only text, of sends to one person.
    """

    entry: CreditEntry
    send: SendCredits | None = None
    batch: Batch | None = None
    text: Message | None = None

    @property
    def title(self) -> str:
        """What it was."""
        if self.send is None:
            return self.entry.get_kind_display()
        if self.batch is None:
            return "A send"
        if self.text is None:
            return self.batch.name or self.batch.get_kind_display()
        contact = self.text.contact
        person = contact.full_name if contact else ""
        return f"{_TO.get(self.batch.kind, 'Text to')} {person or display(self.text.phone)}"

    @property
    def who(self) -> str:
        """Who caused it."""
        if self.batch is None:
            return self.entry.actor.display_name if self.entry.actor else "the platform"
        if self.batch.created_by:
            return self.batch.created_by.display_name
        return "automatic" if self.batch.kind == BatchKind.AUTO else "a program"


def statement_lines(*, account: Account, entries: Sequence[CreditEntry]) -> list[Line]:
    """The lines of one page of `accounts.selectors.credit_lines`. At most four queries."""
    ids = [entry.batch_id for entry in entries if entry.batch_id is not None]
    sends = credits_by_send(account=account, batch_ids=ids)
    batches = (
        Batch.objects.filter(account=account).select_related("created_by").in_bulk(list(sends))
    )
    single = [batch.pk for batch in batches.values() if batch.kind != BatchKind.BLAST]
    texts = Message.objects.filter(batch__in=single, recipient_no=1).select_related("contact")
    text_of = {text.batch_id: text for text in texts}
    return [
        Line(entry)
        if entry.batch_id is None
        else Line(
            entry, sends[entry.batch_id], batches.get(entry.batch_id), text_of.get(entry.batch_id)
        )
        for entry in entries
    ]
