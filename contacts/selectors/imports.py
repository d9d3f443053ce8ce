"""Reads of imports and of the rows that they refused."""

from collections.abc import Iterator

from django.db.models import Count, QuerySet

from accounts.models import Account
from contacts.choices import ImportStatus
from contacts.models import ContactImport, ImportRefusal


def imports_list(*, account: Account) -> QuerySet[ContactImport]:
    """The account's imports, unordered (page them by key), with who made them and their group."""
    return ContactImport.objects.filter(account=account).select_related("created_by", "group")


def mapping_remembered(contact_import: ContactImport) -> list[str] | None:
    """Where the account's last finished import with the same headings put its columns.

    None without such an import, or where this file has no headings. One query at most.
    """
    if not contact_import.headings_key:
        return None
    done = ContactImport.objects.filter(
        account_id=contact_import.account_id,
        headings_key=contact_import.headings_key,
        purpose=contact_import.purpose,
        status=ImportStatus.DONE,
    )
    return done.order_by("-pk").values_list("mapping", flat=True).first()


def refusal_counts(*, contact_import: ContactImport) -> list[tuple[str, int]]:
    """(reason, rows) of an import, most rows first. One query."""
    counts = contact_import.refusals.values_list("reason").annotate(rows=Count("pk"))
    return [(reason, rows) for reason, rows in counts.order_by("-rows", "reason")]


def refusals_first(*, contact_import: ContactImport, limit: int) -> QuerySet[ImportRefusal]:
    """The first refused rows in the order of the file."""
    return contact_import.refusals.order_by("line", "id")[:limit]


def refusals(*, contact_import: ContactImport) -> Iterator[ImportRefusal]:
    """Refused rows in the order of the file, streamed from PostgreSQL by the thousand."""
    return contact_import.refusals.order_by("line", "id").iterator(chunk_size=1000)
