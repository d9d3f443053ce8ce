"""A smart group as people use it: in lists, estimates, launches, and beside static groups."""

from typing import Any

import pytest

from accounts.models import Account, AuditEvent, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.composing import compose
from campaigns.models import Blast
from campaigns.services import blast_launch, blast_schedule
from common.clock import now
from common.errors import NotFound
from contacts import selectors
from contacts.errors import (
    GroupInRules,
    GroupIsSmart,
    GroupIsStatic,
    RulesInvalid,
    RuleTargetMissing,
)
from contacts.models import Contact, Group
from contacts.services import (
    contact_groups_set,
    contact_update,
    contact_upsert,
    group_add,
    group_count,
    group_create,
    group_delete,
    group_remove,
    group_rules_set,
)
from messaging.models import Message
from tests.campaigns.conftest import NAMES

pytestmark = pytest.mark.django_db
NAMED = {"field": "first_name", "op": "filled"}
ANN = {"field": "first_name", "op": "is", "value": "ann"}


def smart(account: Account, rules: object, name: str = "Smart") -> Group:
    return group_create(account=account, actor=None, name=name, rules=rules)


def names(account: Account, *groups: Group) -> list[str]:
    people = selectors.audience(account=account, group_ids=[group.pk for group in groups])
    return sorted(people.values_list("first_name", flat=True))


def sizes(account: Account) -> dict[str, int]:
    rows: list[Any] = list(selectors.groups_list(account=account))
    return {row.name: row.size for row in rows}


def test_its_people_are_whom_the_rules_fit_now(account: Account, group: Group) -> None:
    named = smart(account, NAMED)
    assert names(account, named) == ["Ann", "Ben", "Cleo", "Dan", "Eve"]

    ben = Contact.objects.get(account=account, first_name="Ben")
    contact_update(account=account, actor=None, contact_id=ben.pk, first_name="")

    assert names(account, named) == ["Ann", "Cleo", "Dan", "Eve"]


def test_smart_and_static_groups_together_hold_everybody_once(
    account: Account, group: Group
) -> None:
    few = group_create(account=account, actor=None, name="Few")
    ids = list(Contact.objects.filter(first_name__in=("Ann", "")).values_list("pk", flat=True))
    group_add(account=account, actor=None, group_id=few.pk, contact_ids=ids)
    both = smart(account, {"any": [ANN, {"field": "first_name", "op": "is", "value": "Eve"}]})
    rest = smart(account, {"not": {"group": few.pk}}, "Rest")

    assert names(account, few, both) == ["", "Ann", "Eve"]
    assert names(account, both, rest) == ["Ann", "Ben", "Cleo", "Dan", "Eve"]
    assert names(account, few, both, rest) == sorted(NAMES)


def test_lists_and_estimates_take_it_like_any_group(account: Account, group: Group) -> None:
    named = smart(account, {"all": [NAMED, {"group": group.pk}]})

    listed = selectors.contacts_list(account=account, group=named.pk, search="Cl")
    told = compose(account=account, body="Hello", group_ids=[named.pk])

    assert [contact.first_name for contact in listed] == ["Cleo"]
    assert told.estimate is not None
    assert (told.people, told.estimate.texted_now) == (5, 4)


def test_lists_show_the_size_last_counted(account: Account, group: Group) -> None:
    named = smart(account, NAMED)
    assert sizes(account) == {"Customers": 6, "Smart": 0}

    counted = group_count(account=account, group=named)

    assert counted.people == 5
    assert sizes(account) == {"Customers": 6, "Smart": 5}


def test_new_rules_forget_the_count_of_the_old_ones(account: Account, group: Group) -> None:
    named = group_count(account=account, group=smart(account, NAMED))

    group_rules_set(account=account, actor=None, group_id=named.pk, rules=ANN)
    late = group_count(account=account, group=named)  # of the rules it read before

    assert late.people == 5
    named.refresh_from_db()
    assert (named.rules, named.people, named.counted_at) == (ANN, None, None)


@pytest.fixture
def launched(draft: Blast, account: Account, alice: User) -> Blast:
    """Sent to five of the six."""
    return launch(account, alice, draft)


def launch(account: Account, alice: User, blast: Blast) -> Blast:
    blast_schedule(account=account, actor=alice, blast=blast)
    blast.refresh_from_db()
    assert blast.scheduled_at is not None
    assert blast_launch(blast_id=blast.pk, moment=blast.scheduled_at)
    blast.refresh_from_db()
    assert blast.state == BlastState.LAUNCHED
    return blast


def test_a_blast_goes_to_whom_the_rules_fit_at_its_launch(
    account: Account, alice: User, draft: Blast, launched: Blast
) -> None:
    clicked = Message.objects.filter(batch=launched.batch, contact__first_name__in=("Ann", "Dan"))
    clicked.update(state="delivered", human_click_at=now())
    clickers = smart(account, {"did": "clicked", "blast": launched.pk}, "Clicked")
    again = services.blast_duplicate(account=account, actor=alice, blast=launched)
    services.blast_update(account=account, actor=alice, blast=again, group_ids=[clickers.pk])
    blast_schedule(account=account, actor=alice, blast=again)
    late = Message.objects.filter(batch=launched.batch, contact__first_name="Eve")
    late.update(state="delivered", human_click_at=now())

    again.refresh_from_db()
    assert blast_launch(blast_id=again.pk, moment=again.scheduled_at)
    again.refresh_from_db()
    Message.objects.filter(batch=launched.batch).update(human_click_at=None)

    told = Message.objects.filter(batch=again.batch).values_list("contact__first_name", flat=True)
    assert sorted(told) == ["Ann", "Dan", "Eve"]
    assert names(account, clickers) == []


def test_never_is_everybody_whom_nothing_says_they_did(
    account: Account, launched: Blast, draft: Blast
) -> None:
    Message.objects.filter(batch=launched.batch, contact__first_name__in=("Ann", "Eve")).update(
        replied_at=now()
    )
    campaign = {"campaign": launched.campaign_id}

    never = smart(account, {"all": [NAMED, {"not": {"did": "replied", **campaign}}]})

    assert names(account, never) == ["Ben", "Cleo", "Dan"]


# --- What is refused ---


def test_nobody_is_put_into_it_or_taken_out_by_hand(account: Account, group: Group) -> None:
    named = smart(account, NAMED)
    ann = Contact.objects.get(account=account, first_name="Ann")
    of_it: dict[str, Any] = {
        "account": account,
        "actor": None,
        "group_id": named.pk,
        "contact_ids": [ann.pk],
    }

    for act in (
        lambda: group_add(**of_it),
        lambda: group_remove(**of_it),
        lambda: contact_upsert(
            account=account, actor=None, phone="+12025550188", group_ids=[named.pk]
        ),
        lambda: contact_groups_set(
            account=account, actor=None, contact_id=ann.pk, group_ids=[named.pk]
        ),
    ):
        with pytest.raises(GroupIsSmart) as refused:
            act()
        assert "Rules decide who is in “Smart”" in refused.value.message

    assert not named.members.exists()
    assert Contact.objects.filter(account=account).count() == 6
    assert [group.name for group in selectors.groups_static(account=account)] == ["Customers"]


def test_a_group_keeps_its_kind(account: Account, group: Group) -> None:
    with pytest.raises(GroupIsStatic):
        group_rules_set(account=account, actor=None, group_id=group.pk, rules=ANN)

    group.refresh_from_db()
    assert (group.rules, group.members.count()) == (None, 6)


def test_rules_ask_only_of_static_groups(account: Account, group: Group) -> None:
    named = smart(account, NAMED)

    with pytest.raises(GroupIsSmart):
        smart(account, {"group": named.pk}, "Circle")
    with pytest.raises(GroupIsSmart):
        group_rules_set(
            account=account, actor=None, group_id=named.pk, rules={"not": {"group": named.pk}}
        )

    kept = Group.objects.filter(account=account).order_by("name").values_list("name", flat=True)
    assert list(kept) == ["Customers", "Smart"]


def test_a_group_that_rules_ask_for_stays(account: Account, alice: User, group: Group) -> None:
    without = smart(account, {"not": {"group": group.pk}}, "All but customers")

    with pytest.raises(GroupInRules) as refused:
        group_delete(account=account, actor=alice, group_id=group.pk)

    assert "The rules of “All but customers” ask who is in “Customers”" in refused.value.message
    assert group.members.count() == 6
    group_delete(account=account, actor=alice, group_id=without.pk)
    group_delete(account=account, actor=alice, group_id=group.pk)
    assert not Group.objects.filter(account=account).exists()


def test_what_is_another_accounts_cannot_be_named(
    account: Account, other_account: Account, launched: Blast, group: Group
) -> None:
    own = smart(other_account, ANN)
    foreign: list[dict[str, Any]] = [
        {"group": group.pk},
        {"did": "sent", "blast": launched.pk},
        {"did": "sent", "campaign": launched.campaign_id},
        {"field": "custom.city", "op": "filled"},
        {"did": "sent", "blast": 999_999_999},
    ]

    for rule in foreign:
        with pytest.raises(RuleTargetMissing) as refused:
            smart(other_account, {"any": [ANN, {"not": rule}]}, "Theirs")
        assert isinstance(refused.value, NotFound)
        with pytest.raises(RuleTargetMissing):
            group_rules_set(account=other_account, actor=None, group_id=own.pk, rules=rule)
    with pytest.raises(NotFound):
        group_rules_set(account=other_account, actor=None, group_id=group.pk, rules=ANN)

    own.refresh_from_db()
    assert own.rules == ANN
    assert Group.objects.filter(account=other_account).count() == 1


def test_rules_stored_past_the_checks_find_nobody_of_another_account(
    account: Account, other_account: Account, launched: Blast, group: Group
) -> None:
    contact_upsert(account=other_account, actor=None, phone="+12025551000", first_name="Zoe")
    theirs = {"any": [{"group": group.pk}, {"did": "sent", "blast": launched.pk}, ANN]}

    stray = Group.objects.create(account=other_account, name="Stray", rules=theirs)

    assert names(other_account, stray) == []
    assert names(other_account, group) == []
    assert names(account, stray) == []


def test_a_refused_change_changes_nothing(account: Account, alice: User, group: Group) -> None:
    named = smart(account, NAMED)
    before = AuditEvent.objects.count()

    with pytest.raises(RulesInvalid):
        group_rules_set(account=account, actor=alice, group_id=named.pk, rules={"all": []})

    named.refresh_from_db()
    assert named.rules == NAMED
    assert AuditEvent.objects.count() == before


def test_who_changed_which_rules_is_on_record(account: Account, alice: User) -> None:
    named = group_create(account=account, actor=alice, name="Named", rules=NAMED)

    group_rules_set(account=account, actor=alice, group_id=named.pk, rules=ANN)

    made, changed = AuditEvent.objects.filter(actor=alice, action__startswith="group.").order_by(
        "pk"
    )
    assert (made.action, made.data) == ("group.created", {"rules": NAMED})
    assert (changed.action, changed.data) == ("group.rules_changed", {"old": NAMED, "new": ANN})


def test_two_underscores_in_a_fields_name_are_no_path(account: Account, group: Group) -> None:
    contact_update(
        account=account,
        actor=None,
        contact_id=Contact.objects.get(account=account, first_name="Ann").pk,
        custom={"no__texts": "yes"},
    )
    willing = smart(account, {"not": {"field": "custom.no__texts", "op": "filled"}})

    assert "Ann" not in names(account, willing)
    assert "Ben" in names(account, willing)
