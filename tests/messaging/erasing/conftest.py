"""What tests of erasing share: Ann, what she says, and what is left of her."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account, User
from common.clock import now
from contacts.models import Contact, ContactImport
from contacts.services import person_erase
from messaging.gateways.events import InboundText
from messaging.models import Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from tests.contacts.importing import ran
from tests.contracts.world import everything
from tests.messaging.conftest import People

ANN, BEN, CLEO = "+14155550101", "+14155550102", "+14155550103"

Says = Callable[..., Message]


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> None:
    """Where uploads lie."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ann(account: Account, people: People) -> Contact:
    """Ann, with Ben and Cleo beside her."""
    ann, *_ = people(phones=[ANN, BEN, CLEO])
    Contact.objects.filter(pk=ann.pk).update(
        first_name="Annabel", last_name="Quist", email="bell@quist.example", custom={"pet": "Rex"}
    )
    return Contact.objects.get(pk=ann.pk)


@pytest.fixture
def says(sender: SenderNumber) -> Says:
    """`says("Hello")`: a text from Ann to Alice's number."""

    def arrive(body: str, *, phone: str = ANN) -> Message:
        message = inbound_file(
            carrier_account=sender.carrier_account,
            text=InboundText(
                carrier_id=f"SM{Message.objects.count():032x}",
                account_ref=sender.carrier_account.external_id,
                phone=phone,
                our_number=sender.phone,
                body=body,
            ),
            at=now(),
        )
        assert message is not None
        return message

    return arrive


def erase(account: Account, actor: User, contact: Contact) -> None:
    """Erase them, as an admin does."""
    person_erase(account=account, actor=actor, contact_id=contact.pk)


def imported(account: Account, content: bytes, *, wording: str = "Till") -> ContactImport:
    """A list, imported to its end."""
    return ran(account, content, consent_wording=wording)


def traces() -> set[str]:
    """What of Ann stands anywhere in the database."""
    rows = repr(everything())
    told = ("4155550101", "Annabel", "Quist", "quist.example", "Rex", "allergic", "likes lilies")
    return {word for word in told if word in rows}
