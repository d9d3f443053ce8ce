"""What tests of own fields share: a field of each type, made, retyped, and what is held in it."""

from accounts.models import Account
from contacts.choices import FieldKind
from contacts.field_types import FieldType
from contacts.models import Contact, CustomField
from contacts.services import custom_field_change, custom_field_create

ANN = "+13055550101"
BEN = "+13055550102"
CLEO = "+13055550103"
OWN = {
    "points": FieldType(FieldKind.NUMBER, label="Points"),
    "born": FieldType(FieldKind.DATE, label="Born"),
    "vip": FieldType(FieldKind.YES_NO, label="VIP"),
    "size": FieldType(FieldKind.CHOICE, ("Small", "Large"), "Size"),
}


def made(account: Account, label: str, kind: str, options: str = "") -> CustomField:
    """A new field."""
    return custom_field_create(account=account, actor=None, label=label, kind=kind, options=options)


def changed(field: CustomField, kind: str, options: str = "", label: str = "") -> CustomField:
    """The field with another type, other options or another name."""
    return custom_field_change(
        account=field.account,
        actor=None,
        field_id=field.pk,
        label=label or field.label,
        kind=kind,
        options=options,
    )


def held(phone: str = ANN) -> dict[str, str]:
    """What the only contact with this phone holds in all fields."""
    return Contact.objects.get(phone=phone).custom
