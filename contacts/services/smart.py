"""Rules of smart groups: checked against the account, kept, and counted.

Owns that everything a rule names is the account's and stays there: a rule may ask who is in a
static group, and that group cannot be deleted while it does. Without it "not in Do not text" would
mean everybody.
"""

from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.jobs import enqueue
from contacts import rule_sources
from contacts.errors import (
    CountTooLong,
    GroupInRules,
    GroupIsSmart,
    GroupIsStatic,
    RuleTargetMissing,
    TagInRules,
)
from contacts.fields import CUSTOM_PREFIX
from contacts.membership import rule_count
from contacts.models import Group, Tag
from contacts.rules import Did, Field, HasTag, InGroup, Rule, leaves, parse, plain
from contacts.rules_typed import typed
from contacts.selectors import field_types
from contacts.services.own_fields import fields_hold

# What a page may spend on one figure.
LOOK_S: Final = 1.0


@transaction.atomic
def group_rules_set(*, account: Account, actor: User | None, group_id: int, rules: object) -> Group:
    """Give a smart group other rules.

    A blast that is scheduled to it goes to whom the new rules fit at its time.

    Raises:
        NotFound: no such group in the account.
        GroupIsStatic: people are put into it.
        RulesInvalid: the rules say what cannot be said.
        RuleTargetMissing: a rule names what is not the account's.

    Locks: the account's fields, shared; the group; then groups the rules name, which are static.
    """
    fields_hold(account)
    group = group_lock(account, group_id)
    if not group.is_smart:
        raise GroupIsStatic(group.name)
    old, group.rules = group.rules, plain(rules_read(account=account, rules=rules, holds=True))
    group.people = group.counted_at = None
    group.save(update_fields=["rules", "people", "counted_at"])
    audit_record(
        account=account,
        actor=actor,
        action="group.rules_changed",
        subject=group.name,
        data={"old": old, "new": group.rules},
    )
    return group


def rules_count(*, account: Account, rules: object) -> int:
    """How many people rules would fit that are not kept yet.

    Raises:
        CountTooLong: counting takes longer.
        RulesInvalid, RuleTargetMissing, GroupIsSmart: they cannot be asked.
    """
    rule = rules_read(account=account, rules=rules)
    return rule_count(account=account, rule=rule, within_s=LOOK_S)


def group_look(*, account: Account, group: Group) -> bool:
    """`group_count`, if that takes no longer than a page may; whether it was counted.

    If not, the group keeps the figure of its last count.
    """
    try:
        group_count(account=account, group=group, within_s=LOOK_S)
    except CountTooLong:
        return False
    return True


def group_count_ask(*, account: Account, group: Group) -> None:
    """Have a worker count a smart group exactly, however long it takes.

    Side effects: enqueues contacts.group_count; a lost hint leaves the last figure, with its time.
    """
    if group.is_smart:
        enqueue("contacts.group_count", account.pk, group.pk)


def group_count(*, account: Account, group: Group, within_s: float | None = None) -> Group:
    """Count whom a smart group's rules fit now, and keep the figure for lists.

    Where the rules were changed meanwhile, the figure is not kept.

    Raises:
        CountTooLong: it takes longer than `within_s`.
    """
    moment = now()
    group.people = rule_count(
        account=account, rule=parse(group.rules), moment=moment, within_s=within_s
    )
    group.counted_at = moment
    kept = Group.objects.filter(account=account, pk=group.pk, rules=group.rules)
    kept.update(people=group.people, counted_at=moment)
    return group


def rules_read(*, account: Account, rules: object, holds: bool = False) -> Rule:
    """Rules of the account, read and checked.

    Args:
        account: Whose.
        rules: As JSON.
        holds: Whether the groups they name stay there until the transaction ends.

    Raises:
        RulesInvalid: they say what cannot be said.
        RuleTargetMissing: one names a group, tag, blast, campaign or field of nobody here.
        GroupIsSmart: one asks who is in a smart group; rules would go round in circles.

    Locks: with `holds`, the account's fields, shared; the groups they name by id, then the tags.
    """
    if holds:
        fields_hold(account)
    rule = parse(rules)
    asked = list(leaves(rule))
    _groups_check(account, {leaf.group_id for leaf in asked if isinstance(leaf, InGroup)}, holds)
    _tags_check(account, {leaf.tag_id for leaf in asked if isinstance(leaf, HasTag)}, holds)
    targets = {leaf.target for leaf in asked if isinstance(leaf, Did) and leaf.target}
    known = rule_sources.targets().names(account=account, targets=targets)
    for target in targets - known.keys():
        raise RuleTargetMissing(target.kind)
    own = {
        leaf.field.removeprefix(CUSTOM_PREFIX)
        for leaf in asked
        if isinstance(leaf, Field) and leaf.field.startswith(CUSTOM_PREFIX)
    }
    types = field_types(account=account) if own else {}
    if own - types.keys():
        raise RuleTargetMissing("field")
    return typed(rule, types)


def named_delete(thing: Group | Tag, *, actor: User | None) -> int:
    """Delete a group or a tag, locked by the caller, and keep its people; how many they were.

    Raises:
        GroupInRules, TagInRules: a smart group's rules ask for it.
    """
    account, rows = thing.account, _rows_of(thing)
    asked = InGroup(thing.pk) if isinstance(thing, Group) else HasTag(thing.pk)
    smart = Group.objects.filter(account=account, rules__isnull=False).order_by("name")
    by = next((group for group in smart if asked in leaves(parse(group.rules))), None)
    if by is not None:
        refusal = GroupInRules if isinstance(thing, Group) else TagInRules
        raise refusal(thing.name, by=by.name)
    # By one DELETE of their own: the ORM's cascade would load a million of them.
    people: int = rows._raw_delete(rows.db)
    audit_record(
        account=account,
        actor=actor,
        action=f"{thing._meta.model_name}.deleted",
        subject=thing.name,
        data={"people": people},
    )
    thing.delete()
    return people


def _rows_of(thing: Group | Tag) -> QuerySet[Any, Any]:
    return thing.members.all() if isinstance(thing, Group) else thing.contact_tags.all()


def group_lock(account: Account, group_id: int, *, no_key: bool = True) -> Group:
    """The group, locked until the transaction ends; to delete it, its key too.

    Raises:
        NotFound: no such group in the account.
    """
    group = (
        Group.objects.select_for_update(no_key=no_key).filter(account=account, pk=group_id).first()
    )
    if group is None:
        raise NotFound
    return group


def _tags_check(account: Account, tag_ids: set[int], holds: bool) -> None:
    tags = Tag.objects.filter(account=account, pk__in=tag_ids).order_by("pk")
    if tag_ids and len(tags.select_for_update(no_key=True) if holds else tags) != len(tag_ids):
        raise RuleTargetMissing("tag")


def _groups_check(account: Account, group_ids: set[int], holds: bool) -> None:
    groups = Group.objects.filter(account=account, pk__in=group_ids).order_by("pk")
    found = list(groups.select_for_update(no_key=True) if holds else groups)
    if len(found) != len(group_ids):
        raise RuleTargetMissing("group")
    for group in found:
        if group.is_smart:
            raise GroupIsSmart(group.name)
