"""Messages as a file: the log, and the people of a report (which `campaigns.exporting` chooses)."""

from collections.abc import Sequence
from typing import Final

from django.db.models import Case, CharField, F, Func, QuerySet, Value, When

from accounts.models import Account
from common.csvout import SafeText
from exports.copying import Columns, told, worded
from exports.lists import ExportList, Params, titled
from messaging.choices import BatchKind, Direction, MessageState, Reason
from messaging.listing import listing_read
from messaging.models import Message
from messaging.selectors import messages_list

MESSAGE_COLUMNS: Final[Columns] = {
    "phone": F("phone"),
    "first_name": SafeText("contact__first_name"),
    "last_name": SafeText("contact__last_name"),
    "direction": worded("direction", Direction.choices),
    "our_number": F("our_number"),
    "sent_in": Case(
        When(batch__name="", then=worded("batch__kind", BatchKind.choices)),
        default=SafeText("batch__name"),
    ),
    "by": Case(
        When(
            created_by__name="",
            then=Func(
                F("created_by__email"),
                Value("@"),
                Value(1),
                function="split_part",
                output_field=CharField(),
            ),
        ),
        default=SafeText("created_by__name"),
    ),
    "state": worded("state", MessageState.choices),
    "reason": worded("reason", Reason.choices),
    "carrier_code": SafeText("carrier_code"),
    "segments": F("segments"),
    "credits": F("credits"),
    "asked_for_at": told("created_at"),
    "accepted_at": told("accepted_at"),
    "sent_at": told("sent_at"),
    "final_at": told("final_at"),
    "clicks": F("clicks"),
    "first_click_by_person_at": told("human_click_at"),
    "replied_at": told("replied_at"),
    "opted_out_at": told("opted_out_at"),
    "text": SafeText("body"),
}


def message_heading(_: Account) -> Sequence[str]:
    """The columns of a list of messages."""
    return tuple(MESSAGE_COLUMNS)


def _title(_: Account, params: Params) -> str:
    return titled("Messages", listing_read(params).words)


def _rows(account: Account, params: Params) -> QuerySet[Message]:
    return messages_list(account=account, chosen=listing_read(params)).select_related("batch")


MESSAGES = ExportList(title=_title, heading=message_heading, rows=_rows, columns=MESSAGE_COLUMNS)
