"""An account whose rows came after the last ANALYZE, beside one that is all the planner knows."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from django.db import connection

from accounts.models import Account
from common.clock import now
from contacts.choices import ConsentKind, ConsentSource, ImportStatus, LineType
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ContactTag,
    Group,
    GroupMember,
    ImportChange,
    LineFact,
    OptOut,
    Tag,
)

PEOPLE = 2000
GROUPS = 10

Fill = Callable[[Account, list[Contact]], None]


def unmet(met: Account, account: Account, *fills: Fill) -> list[Contact]:
    """Both accounts with people and all of `fills`; the statistics have what is `met`'s.

    The people of `account` are in its one group and have its one tag; `met` has ten of each.
    """
    people = _people(met, "212", GROUPS)
    for fill in fills:
        fill(met, people)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    people = _people(account, "303", 1)
    for fill in fills:
        fill(account, people)
    return people


def _people(account: Account, area: str, lists: int) -> list[Contact]:
    people = Contact.objects.bulk_create(
        Contact(
            account=account, phone=f"+1{area}200{n:04}", first_name="Ann", email=f"{n}@x.example"
        )
        for n in range(PEOPLE)
    )
    groups = [Group.objects.create(account=account, name=f"Group {n}") for n in range(lists)]
    tags = [Tag.objects.create(account=account, name=f"tag {n}") for n in range(lists)]
    GroupMember.objects.bulk_create(
        GroupMember(account=account, group=groups[n % lists], contact=one)
        for n, one in enumerate(people)
    )
    ContactTag.objects.bulk_create(
        ContactTag(account=account, tag=tags[n % lists], contact=one)
        for n, one in enumerate(people)
    )
    return people


def opted_out(account: Account, people: list[Contact]) -> None:
    """Everybody left, in their own words that nobody has reviewed; the carrier told too."""
    OptOut.objects.bulk_create(
        OptOut(account=account, phone=one.phone, source=ConsentSource.FREE_TEXT, at=now())
        for one in people
    )
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            account=account, phone=one.phone, kind=ConsentKind.OUT, source=source, wording="STOP"
        )
        for one in people
        for source in (ConsentSource.FREE_TEXT, ConsentSource.CARRIER)
    )


def merged(account: Account, people: list[Contact]) -> None:
    """Every second one is another number of the one before."""
    gone = list(pairwise(people))[::2]
    for one, other in gone:
        other.merged_into = one
    Contact.objects.bulk_update([other for _, other in gone], ["merged_into"])


def deleted(account: Account, people: list[Contact]) -> None:
    """Everybody was deleted, and can be restored."""
    Contact.objects.filter(account=account).update(deleted_at=now())


def looked_up(account: Account, people: list[Contact]) -> None:
    """A carrier told everybody's line."""
    LineFact.objects.bulk_create(
        LineFact(account=account, phone=one.phone, line_type=LineType.MOBILE) for one in people
    )


def imported(account: Account, people: Sequence[Contact]) -> None:
    """They came by an import that can be undone, into the first group and with the first tag."""
    moment = now()
    group = Group.objects.filter(account=account).earliest("pk")
    done = ContactImport.objects.create(
        account=account,
        filename="list.csv",
        status=ImportStatus.DONE,
        merged_at=moment,
        group=group,
        tags=["tag 0"],
    )
    ImportChange.objects.bulk_create(
        ImportChange(contact_import=done, contact_id=one.pk, granted=False) for one in people
    )
    Contact.objects.filter(account=account).update(updated_at=moment)
    for listed in (GroupMember, ContactTag):
        listed.objects.filter(account=account).update(added_at=moment)
