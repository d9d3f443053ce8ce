"""Plans over an audience stay linear where the planner knows nothing of the account."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Account, User
from campaigns.models import Campaign
from campaigns.services import blast_create
from common.clock import now
from common.sql import Sql
from contacts.membership import members
from contacts.models import Contact, Group
from contacts.rules import parse
from contacts.rules_sql import fitting_ids
from contacts.services import group_create
from messaging.choices import BatchKind, MessageState
from messaging.models import Message, SenderNumber
from messaging.recipients import people, people_by_shape
from messaging.rendering import compile_body
from messaging.selectors.prices import prices_now
from tests.campaigns.launched import launched
from tests.plans import planned, quadratic
from tests.unmet import PEOPLE, opted_out, unmet

pytestmark = pytest.mark.django_db
RULES = {
    "all": [
        {"field": "first_name", "op": "is", "value": "Ann"},
        {
            "any": [
                {"not": {"did": "clicked"}},
                {"did": "sent", "days": 30},
                {"field": "region", "op": "is", "value": "US"},
            ]
        },
    ]
}


@pytest.fixture(params=["static", "smart"])
def group(request: pytest.FixtureRequest, account: Account, other_account: Account) -> Group:
    """All of an account that is not in the statistics; half were texted, half left."""
    unmet(other_account, account, _texted, _left)
    if request.param == "smart":
        return group_create(account=account, actor=None, name="Smart", rules=RULES)
    return Group.objects.get(account=account)


def _texted(account: Account, people: list[Contact]) -> None:
    Message.objects.bulk_create(
        Message(
            account=account,
            phone=contact.phone,
            our_number="+15550100199",
            state=MessageState.DELIVERED,
            body="Hello",
        )
        for contact in people[: PEOPLE // 2]
    )


def _left(account: Account, people: list[Contact]) -> None:
    opted_out(account, people[::2])


def test_counting(account: Account, group: Group) -> None:
    statement = fitting_ids(account=account, rule=parse(RULES), moment=now())

    assert quadratic(Sql(f"SELECT count(*) FROM ({statement.text}) f", statement.params)) == []


def test_listing(account: Account, group: Group) -> None:
    found = members(account=account, group_ids=[group.pk]).order_by("-pk")[:50]

    text, params = found.query.sql_with_params()

    assert quadratic(Sql(text, list(params))) == []


def test_launching(account: Account, group: Group) -> None:
    statement = people(
        account=account,
        sender=None,
        template=compile_body("Hello"),
        link_length=20,
        audience=members(account=account, group_ids=[group.pk]),
    )

    assert quadratic(statement) == []


def test_estimating(account: Account, group: Group) -> None:
    statement = people_by_shape(
        account=account,
        sender=None,
        template=compile_body("Hello"),
        audience=members(account=account, group_ids=[group.pk]),
        prices=prices_now(kind=BatchKind.BLAST),
    )

    assert quadratic(statement) == []


@pytest.mark.parametrize("many", [False, True])
def test_composing(
    browse: Callable[[User], Client],
    alice: User,
    account: Account,
    group: Group,
    sender: SenderNumber,
    many: bool,
) -> None:
    typed = {"groups": [group.pk], "sender": sender.pk, "body": "Hi {{first_name|there}}"}
    if many:
        typed["groups"] = list(Group.objects.filter(account=account).values_list("pk", flat=True))
    client = browse(alice)

    with planned() as bad:
        answer = client.post("/blasts/count", {**typed, "when": "now"})

    assert answer.context["composed"].people == PEOPLE
    assert bad == []


def test_the_list_of_its_people(
    browse: Callable[[User], Client], alice: User, group: Group
) -> None:
    client = browse(alice)

    with planned() as bad:
        for asked in ("", "&consent=unknown", "&q=Ann", "&q=2025550"):
            assert client.get(f"/contacts/?group={group.pk}{asked}").status_code == 200

    assert bad == []


def test_sending(
    account: Account, alice: User, group: Group, campaign: Campaign, sender: SenderNumber
) -> None:
    draft = blast_create(
        account=account,
        actor=alice,
        campaign=campaign,
        name="Spring",
        body="Hi, it is Spring. Reply STOP to end",
        group_ids=[group.pk],
        sender=sender,
    )

    with planned() as bad:
        launched(account, alice, draft)

    assert Message.objects.filter(account=account, batch__isnull=False).count() == PEOPLE
    assert bad == []
