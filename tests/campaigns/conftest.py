"""A shop that can send: two groups of people, a number, a campaign."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Account, User
from accounts.services import apikey_create
from campaigns import services
from campaigns.models import Approval, Blast, Campaign
from contacts.choices import ConsentSource
from contacts.models import Contact, Group, GroupMember
from contacts.services import consent_revoke
from messaging.models import SenderNumber
from tests.campaigns.launched import launched

Browse = Callable[[User], Client]
NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eve", "")


@pytest.fixture(autouse=True)
def _confirmed(alice: User) -> None:
    """Alice confirmed her address, without which nothing of hers is sent."""
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)


@pytest.fixture
def group(account: Account) -> Group:
    """Six people: one opted out, one without a first name."""
    return people(account, "Customers", NAMES)


@pytest.fixture
def campaign(account: Account, alice: User) -> Campaign:
    return services.campaign_create(account=account, actor=alice, name="Mother's Day")


@pytest.fixture
def draft(
    account: Account, alice: User, campaign: Campaign, group: Group, sender: SenderNumber
) -> Blast:
    """A blast that could be sent as it stands: five people, one opted out."""
    return services.blast_create(
        account=account,
        actor=alice,
        campaign=campaign,
        name="Last call",
        body="Hi {{first_name|there}}, see https://shop.example/sale",
        group_ids=[group.pk],
        sender=sender,
    )


@pytest.fixture
def blast(account: Account, alice: User, draft: Blast) -> Blast:
    """The draft, launched."""
    return launched(account, alice, draft)


@pytest.fixture
def typed(campaign: Campaign, group: Group, sender: SenderNumber) -> dict[str, Any]:
    """What a finished form holds."""
    return {
        "name": "Last call",
        "campaign": campaign.pk,
        "groups": [group.pk],
        "sender": sender.pk,
        "body": "Hi {{first_name|there}}, see https://shop.example/sale",
        "when": "now",
    }


@pytest.fixture
def browse() -> Browse:
    """`browse(user)`: a logged-in test client."""

    def _browse(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return _browse


def words(html: str) -> str:
    """A page's text, white space folded."""
    bare = re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", bare)


@pytest.fixture
def api(account: Account, alice: User) -> Any:
    """A client that asks with a full-scope key of Alice's account."""
    return api_client(account, alice, ["read", "write", "send"])


def api_client(account: Account, user: User, scopes: list[str]) -> Client:
    _, key = apikey_create(account=account, actor=user, name="test", scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {key}"})


def people(account: Account, name: str, first_names: tuple[str, ...]) -> Group:
    """A group of new contacts; the second of them has opted out."""
    group = Group.objects.create(account=account, name=name)
    for index, first_name in enumerate(first_names):
        contact = Contact.objects.create(
            account=account,
            phone=f"+1202555{1000 + Contact.objects.filter(account=account).count()}",
            first_name=first_name,
        )
        GroupMember.objects.create(account=account, group=group, contact=contact)
        if index == 1:
            consent_revoke(account=account, phone=contact.phone, source=ConsentSource.KEYWORD)
    return group


@pytest.fixture
def needs_two(account: Account) -> None:
    """Every blast of Alice's account needs a second person."""
    account.requires_approval = True
    account.save()


@pytest.fixture
def asked(account: Account, alice: User, draft: Blast, needs_two: None) -> Approval:
    """Alice asked for her draft: six people, five credits."""
    return services.approval_request(
        account=account, actor=alice, blast=draft, note="For Friday, please"
    )
