"""People, groups, consent and imports.

An OptOut is keyed by (account, phone), not by contact: it survives deletion and re-import. What was
texted to a contact is owned by messaging. Foreign keys whose column leads another index, or is
never searched by, have no index of their own, and an `account` that is copied from a row with a
constraint has none: a list of a million people pays for each of them (checks of foreign keys were
half of an import's time).
"""

from contacts.models.consent import ConsentEvent, ErasedNumber, OptOut
from contacts.models.groups import Group, GroupMember
from contacts.models.imports import RUNS_MAX, ContactImport, ImportChange, ImportRefusal, ImportRow
from contacts.models.lines import LineFact
from contacts.models.optin import OptInForm, OptInKeyword, OptInPending
from contacts.models.people import Contact, CustomField
from contacts.models.tags import ContactTag, Tag

__all__ = [
    "RUNS_MAX",
    "ConsentEvent",
    "Contact",
    "ContactImport",
    "ContactTag",
    "CustomField",
    "ErasedNumber",
    "Group",
    "GroupMember",
    "ImportChange",
    "ImportRefusal",
    "ImportRow",
    "LineFact",
    "OptInForm",
    "OptInKeyword",
    "OptInPending",
    "OptOut",
    "Tag",
]
