"""Messages as a file: the log, and the people of a report (which `campaigns.exporting` chooses)."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet

from accounts.models import Account
from exports.lists import ExportList, Params, moment_of, titled
from messaging.choices import Direction, MessageState, Reason
from messaging.listing import listing_read
from messaging.models import Message
from messaging.selectors import messages_list

_HEAD = (
    "phone",
    "first_name",
    "last_name",
    "direction",
    "our_number",
    "sent_in",
    "by",
    "state",
    "reason",
    "carrier_code",
    "segments",
    "credits",
    "asked_for_at",
    "accepted_at",
    "sent_at",
    "final_at",
    "clicks",
    "first_click_by_person_at",
    "replied_at",
    "opted_out_at",
    "text",
)


def message_heading(_: Account) -> Sequence[str]:
    """The columns of a list of messages."""
    return _HEAD


def message_cells(account: Account) -> Callable[[Any], Sequence[object]]:
    """How a message with its contact, author and batch becomes a row; codes in words."""
    told = moment_of(account)

    def cells(message: Message) -> Sequence[object]:
        contact, batch, author = message.contact, message.batch, message.created_by
        return [
            message.phone,
            contact.first_name if contact else "",
            contact.last_name if contact else "",
            Direction(message.direction).label,
            message.our_number,
            (batch.name or batch.get_kind_display()) if batch else "",
            author.display_name if author else "",
            MessageState(message.state).label,
            Reason(message.reason).label if message.reason else "",
            message.carrier_code,
            message.segments,
            message.credits,
            told(message.created_at),
            told(message.accepted_at),
            told(message.sent_at),
            told(message.final_at),
            message.clicks,
            told(message.human_click_at),
            told(message.replied_at),
            told(message.opted_out_at),
            message.body,
        ]

    return cells


def _title(_: Account, params: Params) -> str:
    return titled("Messages", listing_read(params).words)


def _rows(account: Account, params: Params) -> QuerySet[Message]:
    return messages_list(account=account, chosen=listing_read(params)).select_related("batch")


MESSAGES = ExportList(title=_title, heading=message_heading, rows=_rows, cells=message_cells)
