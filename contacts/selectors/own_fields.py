"""Reads of the fields of a contact: the account's own, and which a text may use."""

from typing import NamedTuple

from django.db.models import QuerySet

from accounts.models import Account
from contacts.field_types import FieldType, reader
from contacts.fields import CUSTOM_PREFIX, LABELS, CustomReader
from contacts.models import CustomField


class MergeField(NamedTuple):
    """A field a text may use: ``{{name}}``, and what it is called on pages."""

    name: str
    label: str


def merge_fields(*, account: Account) -> list[MergeField]:
    """Fields a text may use: the fixed ones, then the account's own by label. One query."""
    fixed = [MergeField(name, LABELS[name]) for name in ("first_name", "last_name", "email")]
    own = [
        MergeField(CUSTOM_PREFIX + field.key, field.label)
        for field in custom_fields(account=account)
    ]
    return [*fixed, MergeField("phone", LABELS["phone"]), *own]


def custom_fields(*, account: Account) -> QuerySet[CustomField]:
    """The account's own contact fields, by label."""
    return CustomField.objects.filter(account=account).order_by("label", "id")


def field_types(*, account: Account) -> dict[str, FieldType]:
    """Key and type of the account's own fields, by label. One query."""
    return {
        field.key: FieldType(field.kind, tuple(field.options), field.label)
        for field in custom_fields(account=account)
    }


def custom_reader(*, account: Account) -> CustomReader:
    """How what people type into the account's own fields is read. One query."""
    return reader(field_types(account=account), account.default_country)
