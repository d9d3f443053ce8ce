"""Writes of the contacts app: one module a matter, all reachable from here."""

from contacts.services.consent import consent_grant, consent_revoke
from contacts.services.groups import (
    group_add,
    group_create,
    group_delete,
    group_remove,
    group_rename,
)
from contacts.services.people import (
    RowResult,
    contact_delete,
    contact_update,
    contact_upsert,
    contacts_upsert_many,
)

__all__ = [
    "RowResult",
    "consent_grant",
    "consent_revoke",
    "contact_delete",
    "contact_update",
    "contact_upsert",
    "contacts_upsert_many",
    "group_add",
    "group_create",
    "group_delete",
    "group_remove",
    "group_rename",
]
