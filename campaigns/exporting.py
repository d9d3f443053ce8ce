"""Lists of a report as CSV: streamed, of any size, and safe to open in a spreadsheet."""

from collections.abc import Collection, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.models import Account
from common.csvout import csv_lines
from messaging.choices import MessageState, Reason
from messaging.listing import EVERYTHING, ListFilter
from messaging.models import Message
from messaging.selectors import messages_list

CHUNK = 2000
HEAD = (
    "phone",
    "first_name",
    "last_name",
    "state",
    "reason",
    "carrier_code",
    "segments",
    "credits",
    "accepted_at",
    "sent_at",
    "final_at",
    "clicks",
    "first_click_by_person_at",
    "replied_at",
    "opted_out_at",
    "text",
)


def people_csv(
    *, account: Account, batches: Collection[int], chosen: ListFilter = EVERYTHING
) -> Iterator[str]:
    """Lines of CSV, head first, times in the account's zone (ISO 8601 with offset).

    No cell is run as a formula by a spreadsheet (`common.csvout`).
    """
    zone = ZoneInfo(account.timezone)
    rows = messages_list(account=account, batches=batches, chosen=chosen)
    people = rows.order_by("pk").iterator(chunk_size=CHUNK)
    return csv_lines(HEAD, (_cells(message, zone) for message in people))


def _cells(message: Message, zone: ZoneInfo) -> list[str | int]:
    contact = message.contact
    return [
        message.phone,
        contact.first_name if contact else "",
        contact.last_name if contact else "",
        MessageState(message.state).label,
        Reason(message.reason).label if message.reason else "",
        message.carrier_code,
        message.segments,
        message.credits,
        *(
            _time(moment, zone)
            for moment in (message.accepted_at, message.sent_at, message.final_at)
        ),
        message.clicks,
        _time(message.human_click_at, zone),
        _time(message.replied_at, zone),
        _time(message.opted_out_at, zone),
        message.body,
    ]


def _time(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else ""
