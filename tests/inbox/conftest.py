"""A shop that may send, a customer, and texts that arrive as the receipts' part stores them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.choices import Role
from accounts.models import Account, Membership, User
from common.clock import now
from contacts.models import Contact
from inbox.models import Conversation
from messaging.gateways.events import InboundText
from messaging.models import Message, SenderNumber
from messaging.receipts.inbound import inbound_file

CAROL = "+12025550170"

Inbound = Callable[..., Message]


@pytest.fixture(autouse=True)
def _confirmed(alice: User, bob: User) -> None:
    """Alice and Bob confirmed their addresses, so that they may send."""
    for user in (alice, bob):
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)


@pytest.fixture
def vera(account: Account) -> User:
    """A viewer in Alice's shop."""
    user = User.objects.create_user("vera@example.com", name="Vera Voss")
    Membership.objects.create(account=account, user=user, role=Role.VIEWER)
    return user


@pytest.fixture
def carol(account: Account) -> Contact:
    """A customer."""
    return Contact.objects.create(
        account=account, phone=CAROL, first_name="Carol", last_name="Cook"
    )


@pytest.fixture
def inbound(sender: SenderNumber) -> Inbound:
    """`inbound(body, phone=CAROL, at=...)`: a text from a phone to Alice's number."""
    numbers = count(1)

    def arrive(
        body: str, *, phone: str = CAROL, at: datetime | None = None, carrier_id: str = ""
    ) -> Message:
        message = inbound_file(
            carrier_account=sender.carrier_account,
            text=InboundText(
                carrier_id=carrier_id or f"SM{next(numbers):032x}",
                account_ref=sender.carrier_account.external_id,
                phone=phone,
                our_number=sender.phone,
                body=body,
            ),
            at=at or now(),
        )
        assert message is not None
        return message

    return arrive


@pytest.fixture
def thread(carol: Contact, inbound: Inbound) -> Conversation:
    """Carol asked something a minute ago; nobody has read it."""
    inbound("Do you deliver to Oakland?", at=now() - timedelta(minutes=1))
    return Conversation.objects.get()


def browser(user: User) -> Client:
    """A logged-in browser."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def bobs(bob: User) -> Client:
    """Bob's browser."""
    return browser(bob)
