"""Whether two lists hold the same people: a digest of their numbers, whatever the order.

Numbers tell people apart: somebody who was deleted and imported again is the same one, a contact
who was given another number is not.
"""

from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from contacts.models import Contact
from messaging.errors import EmptyAudience
from messaging.models import Batch
from messaging.recipients import everybody_from

# Two sums of independent 64-bit hashes. No sort, so a million people are counted in parallel.
_DIGEST: Final = (
    "concat_ws('-', count(*), to_hex(coalesce(bit_xor(hashtextextended({0}, 0)), 0)), "
    "coalesce(sum(hashtextextended({0}, 1)), 0))"
)
NOBODY: Final = "0-0-0"


def audience_digest(*, account: Account, audience: QuerySet[Contact]) -> str:
    """Of everybody in an audience, texted or not: somebody who opts out is still in it. One query.

    Args:
        account: The tenant; nobody of another one counts.
        audience: Contacts, in any order, perhaps more than once.
    """
    try:
        people = everybody_from(account, audience, is_sorted=False)
    except EmptyAudience:
        return NOBODY
    return _digest(f"SELECT {_DIGEST.format('c.phone')} FROM {people.text}", people.params)


def batch_digest(*, batch: Batch) -> str:
    """Of everybody a batch was launched to, texted or not. One query."""
    return _digest(
        f"SELECT {_DIGEST.format('phone')} FROM messaging_message WHERE batch_id = %s", [batch.pk]
    )


def _digest(text: str, params: list[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return str(cursor.fetchone()[0])
