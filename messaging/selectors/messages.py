"""Lists of messages: an account's log, the people of a batch, whoever did something.

Owns the filters; pages are cut by key (`common.pagination`), newest first, so that the thousandth
page costs what the first does.
"""

import re

from django.db.models import Q, QuerySet

from accounts.models import Account
from contacts.selectors import contacts_list
from messaging.models import Batch, Message

# The list that each word opens: recipients who did this after the text.
_DID = {
    "clicked": Q(human_click_at__isnull=False),
    "hit": Q(first_click_at__isnull=False),
    "replied": Q(replied_at__isnull=False),
    "opted_out": Q(opted_out_at__isnull=False),
}
# More people than this fit a search only when it says hardly anything.
_MOST_PEOPLE = 1000
_DIGITS = re.compile(r"\D+")


def messages_list(
    *,
    account: Account,
    batch: Batch | int | None = None,
    state: str | None = None,
    reason: str | None = None,
    did: str | None = None,
    search: str = "",
    direction: str | None = None,
) -> QuerySet[Message]:
    """Messages of the account, unordered (page them by key), with contact and author loaded.

    Args:
        account: Whose messages.
        batch: Only this batch's recipients.
        state: Only in this `MessageState`.
        reason: Only with this `Reason`.
        did: `clicked`, `hit`, `replied` or `opted_out`: only recipients who did.
        search: A person's name, a phone in any form, or words of the text.
        direction: `out` or `in`.
    """
    rows = Message.objects.filter(account=account).select_related("contact", "created_by")
    if batch is not None:
        rows = rows.filter(batch_id=batch.pk if isinstance(batch, Batch) else batch)
    for name, value in (("state", state), ("reason", reason), ("direction", direction)):
        if value:
            rows = rows.filter(**{name: value})
    if did:
        rows = rows.filter(_DID[did])
    if search.strip():
        rows = rows.filter(_found(account, search.strip()))
    return rows


def _found(account: Account, search: str) -> Q:
    people = contacts_list(account=account, search=search).values_list("phone", flat=True)
    found = Q(phone__in=list(people[:_MOST_PEOPLE])) | Q(body__icontains=search)
    digits = _DIGITS.sub("", search)
    if len(digits) >= 4:
        found |= Q(phone__contains=digits)
    return found
