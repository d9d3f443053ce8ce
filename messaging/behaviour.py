"""What became of texts, for the rules of smart groups (contacts.rule_sources).

Owns what each deed means on a message; the same definitions as the reports' (docs/reports.md).
"""

from collections.abc import Sequence
from typing import Any, Final

from accounts.models import Account
from common.sql import Sql
from contacts.rule_sources import Asked
from messaging.choices import MessageState
from messaging.listing import STATES

_TAKEN = ", ".join(f"'{state}'" for state in STATES["accepted"])
# Deed -> (what must be so, when it came to be so). Where the time alone says it, nothing else does.
_DEEDS: Final = {
    "sent": (f"m.state IN ({_TAKEN})", "m.accepted_at"),
    "delivered": (f"m.state = '{MessageState.DELIVERED}'", "m.final_at"),
    "clicked": ("", "m.human_click_at"),
    "replied": ("", "m.replied_at"),
    "opted_out": ("", "m.opted_out_at"),
}


def deeds(
    account: Account,
    questions: Sequence[Asked],
    batches: Sql | None,
    phones: Sequence[str] | None,
) -> Sql:
    """One row (contact, bits) for every text of the account that says yes to any question.

    Args:
        account: Whose texts.
        questions: What is asked, each with its bit.
        batches: Only texts of these batches; None for any text. Both read by index.
        phones: Only texts to and from these; None for anybody's.
    """
    whens = [_when(asked) for asked in questions]
    bits = " | ".join(
        f"(CASE WHEN {when.text} THEN {asked.mask} ELSE 0 END)"
        for asked, when in zip(questions, whens, strict=True)
    )
    params = [param for when in whens for param in when.params]
    among = f"AND m.batch_id IN ({batches.text})" if batches else ""
    if phones is not None:
        among += " AND m.phone = ANY(%s)"
    theirs = [] if phones is None else [list(phones)]
    return Sql(
        f"SELECT m.contact_id, ({bits})::bigint FROM messaging_message m "
        f"WHERE m.account_id = %s {among} AND ({' OR '.join(when.text for when in whens)})",
        [*params, account.pk, *(batches.params if batches else ()), *theirs, *params],
    )


def _when(asked: Asked) -> Sql:
    so, at = _DEEDS[asked.deed]
    params: list[Any] = []
    when = f"{at} IS NOT NULL" if not so else ""
    if asked.since is not None:
        when, params = f"{at} >= %s", [asked.since]
    return Sql(" AND ".join(part for part in (so, when) if part), params)
