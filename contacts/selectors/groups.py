"""Reads of groups and tags, with their sizes."""

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from accounts.models import Account
from common.errors import NotFound
from contacts.membership import groups_fitting
from contacts.models import Contact, ContactTag, Group, GroupMember, Tag


def groups_named(*, account: Account) -> QuerySet[Group]:
    """Groups by name, without their sizes: for choosing one of them. One query."""
    return Group.objects.filter(account=account).order_by("name")


def groups_static(*, account: Account) -> QuerySet[Group]:
    """Groups that people are put into, by name. One query."""
    return groups_named(account=account).filter(rules__isnull=True)


def groups_list(*, account: Account) -> QuerySet[Group]:
    """Groups by name, each with `size`, the number of its members. One query.

    The size of a smart group is the one last counted (`Group.people`): asking every group's rules
    could take as long as the largest of them.
    """
    sizes = (
        GroupMember.objects.filter(group=OuterRef("pk"))
        .order_by()
        .values("group")
        .annotate(size=Count("pk"))
        .values("size")
    )
    size = Coalesce("people", Subquery(sizes, output_field=IntegerField()), 0)
    return Group.objects.filter(account=account).annotate(size=size).order_by("name")


def group_get(*, account: Account, group_id: int) -> Group:
    """A group of the account with `size`. One query.

    Raises:
        NotFound: never there, or another account's.
    """
    group = groups_list(account=account).filter(pk=group_id).first()
    if group is None:
        raise NotFound
    return group


def groups_of(*, account: Account, contact: Contact) -> QuerySet[Group]:
    """The groups a live contact is in, static and smart, by name. Four queries."""
    static = GroupMember.objects.filter(contact=contact).values("group_id")
    smart = groups_fitting(account=account, contact=contact)
    found = Group.objects.filter(Q(pk__in=static) | Q(pk__in=smart), account=account)
    return found.order_by("name")


def tags_named(*, account: Account) -> QuerySet[Tag]:
    """The account's tags by name. One query."""
    return Tag.objects.filter(account=account).order_by(Lower("name"))


def tags_of(*, account: Account, contact: Contact) -> QuerySet[Tag]:
    """The tags of a contact, by name."""
    return tags_named(account=account).filter(contact_tags__contact=contact)


def tags_list(*, account: Account) -> QuerySet[Tag]:
    """Tags by name, each with `size`, the number of people who have it. One query."""
    sizes = (
        ContactTag.objects.filter(tag=OuterRef("pk"))
        .order_by()
        .values("tag")
        .annotate(size=Count("pk"))
        .values("size")
    )
    size = Coalesce(Subquery(sizes, output_field=IntegerField()), 0)
    return tags_named(account=account).annotate(size=size)


def tagged_ids(*, account: Account, name: str) -> QuerySet[Any, Any]:
    """Ids of the contacts that have the tag of this name, in any case of letters."""
    tags = Tag.objects.filter(account=account).alias(folded=Lower("name"))
    named = tags.filter(folded=" ".join(name.lower().split()))
    # Not of the account too, which the tag holds: the planner would think of one row.
    return ContactTag.objects.filter(tag__in=named).values("contact_id")
