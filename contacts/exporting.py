"""Contacts as a file: the fixed fields, then the account's own."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet

from accounts.models import Account
from common.text import typed, whole_number
from contacts import selectors
from contacts.choices import Consent
from contacts.models import Contact
from exports.lists import ExportList, Params, moment_of, titled

_HEAD = (
    "phone",
    "first_name",
    "last_name",
    "email",
    "timezone",
    "consent",
    "consent_at",
    "added_at",
    "tags",
)


def contacts_chosen(account: Account, params: Params) -> QuerySet[Contact]:
    """The contacts that an address asks for.

    Args:
        account: Whose.
        params: `q`, `group`, `tag`, `consent`, `blank` (a merge field), `own` (a field of the
            account's own) with the `value` that it is to have.
    """
    consent = params.get("consent", "")
    found = selectors.contacts_list(
        account=account,
        search=typed(params.get("q", "")),
        group=whole_number(params.get("group", "")),
        tag=whole_number(params.get("tag", "")),
        consent=consent if consent in Consent.values else "",
    )
    if blank := params.get("blank", ""):
        found = selectors.contacts_blank(found, account=account, name=blank)
    if params.get("own"):
        value = typed(params.get("value", ""))
        found = selectors.contacts_valued(found, name=params["own"], value=value)
    return found


def _title(account: Account, params: Params) -> str:
    told = [str(dict(Consent.choices).get(params.get("consent", ""), "")), params.get("q", "")]
    if params.get("group"):
        named = selectors.groups_named(account=account)
        told += [group.name for group in named if str(group.pk) == params["group"]]
    if params.get("tag"):
        tags = selectors.tags_named(account=account)
        told += [tag.name for tag in tags if str(tag.pk) == params["tag"]]
    if params.get("blank"):
        told.append(f"without {params['blank']}")
    if params.get("own"):
        told.append(f"{params['own']} {params.get('value', '')}")
    return titled("Contacts", [words for words in told if words])


def _heading(account: Account) -> Sequence[str]:
    return [*_HEAD, *(field.label for field in selectors.custom_fields(account=account))]


def _cells(account: Account) -> Callable[[Any], Sequence[object]]:
    told = moment_of(account)
    own = [field.key for field in selectors.custom_fields(account=account)]

    def cells(contact: Contact) -> Sequence[object]:
        return [
            contact.phone,
            contact.first_name,
            contact.last_name,
            contact.email,
            contact.timezone,
            contact.get_consent_display(),
            told(contact.consent_at),
            told(contact.created_at),
            ", ".join(tag.name for tag in contact.tags.all()),
            *(str(contact.custom.get(key, "")) for key in own),
        ]

    return cells


def _rows(account: Account, params: Params) -> QuerySet[Contact]:
    return selectors.with_tags(contacts_chosen(account, params))


CONTACTS = ExportList(title=_title, heading=_heading, rows=_rows, cells=_cells)
