"""Who is in a group, whichever kind it is: the one answer for lists, counts and audiences."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from common.clock import now
from common.deadline import within
from contacts.errors import CountTooLong
from contacts.models import Contact, Group, GroupMember
from contacts.person import person_of
from contacts.rules import ID_MAX, AnyOf, InGroup, Rule, parse
from contacts.rules_sql import fitting, fitting_ids


def members(
    *, account: Account, group_ids: Sequence[int], moment: datetime | None = None
) -> QuerySet[Contact]:
    """Live contacts that are in any of the groups, each once, unordered. One query, for the rules.

    Groups of other accounts have no members here. The people of smart groups are those whom the
    rules fit at `moment` (default: now); nobody is loaded, so that it can be compiled into another
    statement.
    """
    wanted = {pk for pk in group_ids if 0 < pk <= ID_MAX}  # more, PostgreSQL cannot compare
    groups = Group.objects.filter(account=account, pk__in=wanted, rules__isnull=False)
    smart = {pk: parse(raw) for pk, raw in groups.order_by("pk").values_list("pk", "rules")}
    if smart:
        static_ids = sorted(wanted - smart.keys())
        rules = (*(InGroup(pk) for pk in static_ids), *smart.values())
        anybody = AnyOf(rules) if len(rules) > 1 else rules[0]
        return fitting(account=account, rule=anybody, moment=moment or now())
    static = GroupMember.objects.filter(account=account, group_id__in=wanted)
    # A member's contact is of the member's account. Asked for it again, the planner would think of
    # one contact just after an import, and go through all members once for each contact there is.
    return Contact.objects.filter(deleted_at=None, pk__in=static.values("contact_id"))


def groups_fitting(*, account: Account, contact: Contact) -> list[int]:
    """Ids of the smart groups whose rules fit a live contact at this moment. Three queries.

    Reads this person's rows alone, by index, however many people the account has.
    """
    smart = Group.objects.filter(account=account, rules__isnull=False).order_by("pk")
    only, moment = person_of(contact), now()
    asked = [
        (pk, fitting_ids(account=account, rule=parse(raw), moment=moment, only=only))
        for pk, raw in smart.values_list("pk", "rules")
    ]
    if not asked:
        return []
    parts = [f"SELECT {pk} WHERE EXISTS ({found.text})" for pk, found in asked]
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(parts), [param for _, found in asked for param in found.params]
        )
        return [pk for (pk,) in cursor.fetchall()]


def rule_count(
    *,
    account: Account,
    rule: Rule,
    moment: datetime | None = None,
    within_s: float | None = None,
) -> int:
    """How many live contacts the rule fits. One query.

    Args:
        account: Whose contacts.
        rule: Of the account's things.
        moment: What "in the last days" is counted from; default: now.
        within_s: Give up then; None for as long as it takes.

    Raises:
        CountTooLong: it takes longer.
    """
    found = fitting_ids(account=account, rule=rule, moment=moment or now())
    with within(within_s, late=CountTooLong), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({found.text}) f", found.params)
        (count,) = cursor.fetchone()
    return int(count)
