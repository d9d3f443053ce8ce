"""Lists of a report as CSV: streamed, of any size, and safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.models import Account
from campaigns import selectors
from messaging.choices import MessageState, Reason
from messaging.models import Batch, Message

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


class _Line:
    """A file that hands each written line on at once."""

    def write(self, line: str) -> str:
        return line


def people_csv(
    *, account: Account, batch: Batch, show: str = "all", reason: str = "", search: str = ""
) -> Iterator[str]:
    """Lines of CSV, head first, times in the account's zone (ISO 8601 with offset).

    Cells that a spreadsheet would run as a formula begin with an apostrophe (OWASP, CSV injection);
    phones keep their plus, which is followed by digits only.
    """
    zone = ZoneInfo(account.timezone)
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow(HEAD)
    rows = selectors.people(
        account=account, batch=batch, show=show, reason=reason, search=search
    ).select_related("contact")
    for message in rows.order_by("pk").iterator(chunk_size=CHUNK):
        yield writer.writerow(_cells(message, zone))


def _cells(message: Message, zone: ZoneInfo) -> list[str | int]:
    contact = message.contact
    return [
        message.phone,
        formula_safe(contact.first_name if contact else ""),
        formula_safe(contact.last_name if contact else ""),
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
        formula_safe(message.body),
    ]


def formula_safe(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _time(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else ""
