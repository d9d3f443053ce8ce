"""Contacts that are likely one person with two numbers: of the account, and of one contact.

Likely means: the same email address, or the same first and last name where not everybody of that
name has an address that tells them apart. Only a person decides (contacts.services.uniting).
"""

from typing import Final, NamedTuple

from django.db import connection
from django.db.models.functions import Lower

from accounts.models import Account
from contacts.looking import looking
from contacts.models import Contact
from contacts.selectors import contacts_list

REASONS: Final = {"email": "Same email", "name": "Same name"}
SHOWN: Final = 5
_KEYS: Final[dict[str, tuple[str, str, str]]] = {
    "email": ("lower(email)", "email <> ''", "true"),
    "name": (
        "lower(first_name) || ' ' || lower(last_name)",
        "first_name <> '' AND last_name <> ''",
        "bool_or(email = '')",
    ),
}


class Likely(NamedTuple):
    """Contacts that share a `key`; `people` has the first few of `size`, the oldest first."""

    key: str
    size: int
    people: list[Contact]


def duplicates_list(
    *, account: Account, reason: str, after: str = "", limit: int = 25
) -> tuple[list[Likely], str]:
    """Likely duplicates by what they share, in its order. Two queries.

    No index knows them, so the account's contacts are read once: about a second for a million. Two
    more indexes would have to be written with every row of every import.

    Args:
        account: The tenant.
        reason: One of REASONS.
        after: The key that the page before ended with.
        limit: Keys a page.

    Returns:
        A page, and the key that the next one begins after, "" at the end.

    Raises:
        ListTooLong: the contacts are too many to be read while somebody waits.
    """
    key, holds, having = _KEYS[reason]
    with looking(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {key}, count(*), (array_agg(id ORDER BY id))[:{SHOWN}]
            FROM contacts_contact
            WHERE account_id = %s AND deleted_at IS NULL AND {holds} AND {key} > %s
            GROUP BY 1 HAVING count(*) > 1 AND {having} ORDER BY 1 LIMIT %s
            """,
            [account.pk, after, limit + 1],
        )
        rows = cursor.fetchall()
    shown = rows[:limit]
    people = Contact.objects.filter(account=account).in_bulk([pk for row in shown for pk in row[2]])
    page = [Likely(found, size, [people[pk] for pk in ids]) for found, size, ids in shown]
    return page, page[-1].key if len(rows) > limit else ""


def duplicates_of(*, account: Account, contact: Contact, limit: int = 20) -> list[Contact]:
    """Live contacts that are likely the same person. Two queries, by the index of searches."""
    found: dict[int, Contact] = {}
    if contact.email:
        same = contacts_list(account=account, search=contact.email)
        same = same.alias(address=Lower("email")).filter(address=contact.email.lower())
        found |= {one.pk: one for one in same.order_by("pk")[: limit + 1]}
    if contact.first_name and contact.last_name:
        named = contacts_list(account=account, search=contact.full_name)
        named = named.alias(first=Lower("first_name"), last=Lower("last_name")).filter(
            first=contact.first_name.lower(), last=contact.last_name.lower()
        )
        if contact.email:
            named = named.filter(email="")
        found |= {one.pk: one for one in named.order_by("pk")[: limit + 1]}
    return [found[pk] for pk in sorted(found) if pk != contact.pk][:limit]
