"""Line types that a carrier told: kept by phone, and as the contact's own line type."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from accounts.models import Account
from common.sql import unguessed
from contacts.choices import LineSource, LineType
from contacts.models import Contact, LineFact


class LineTold(NamedTuple):
    """What a carrier says of a number."""

    line_type: str
    carrier_name: str


@transaction.atomic
def line_types_keep(*, account: Account, told: Mapping[str, LineTold], at: datetime) -> None:
    """Keep what a carrier told; whose type it does not know either stays as the contact has it.

    Args:
        account: Whose contacts.
        told: By phone, E.164.
        at: When it was told.

    Locks: the contacts, in the order of their phones.
    Side effects: Contact.line_type, by which launches skip landlines.
    """
    phones = sorted(told)
    contacts = Contact.objects.select_for_update(no_key=True).filter(
        account=unguessed(account.pk), phone__in=phones
    )
    changed = []
    for contact in contacts.order_by("phone"):
        line_type = told[contact.phone].line_type
        if line_type != LineType.UNKNOWN:
            contact.line_type = line_type
            changed.append(contact)
    Contact.objects.bulk_update(changed, ["line_type"])
    LineFact.objects.bulk_create(
        [
            LineFact(
                account=account,
                phone=phone,
                line_type=told[phone].line_type,
                carrier_name=told[phone].carrier_name,
                source=LineSource.LOOKUP,
                at=at,
            )
            for phone in phones
        ],
        update_conflicts=True,
        unique_fields=["account", "phone"],
        update_fields=["line_type", "carrier_name", "source", "at"],
    )
