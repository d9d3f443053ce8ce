"""A person as their numbers: the contact's own, and those of contacts that were merged into it."""

from typing import NamedTuple

from contacts.models import Contact


class Person(NamedTuple):
    """A contact and every phone (E.164) that is this person's, its own first."""

    contact: Contact
    phones: list[str]


def person_of(contact: Contact) -> Person:
    """The person that a contact stands for. One query."""
    others = contact.merged.order_by("pk").values_list("phone", flat=True)
    return Person(contact, [contact.phone, *others])
