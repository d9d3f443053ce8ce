"""Ann, who has three numbers, and what a test does with them."""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account, User
from common.clock import now
from contacts.choices import ImportPurpose
from contacts.models import ConsentEvent, Contact, ContactImport, OptOut
from contacts.services import contact_upsert, contacts_unite
from messaging.gateways.events import InboundText
from messaging.models import SenderNumber
from messaging.receipts.inbound import inbound_file
from tests.contacts.importing import ran

ANN, WORK, HOME, BEN = (f"+1415555000{n}" for n in range(1, 5))


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> None:
    """Where uploads lie."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ann(account: Account, alice: User) -> Contact:
    """Ann, who has three numbers; texts go to the first."""
    kept = contact_upsert(account=account, actor=None, phone=ANN, first_name="Ann")
    for phone in (WORK, HOME):
        other = contact_upsert(account=account, actor=None, phone=phone)
        contacts_unite(account=account, actor=alice, contact_id=kept.pk, other_id=other.pk)
    contact_upsert(account=account, actor=None, phone=BEN, first_name="Ben")
    return kept


def out(account: Account) -> dict[str, str]:
    found = OptOut.objects.filter(account=account).order_by("phone")
    return dict(found.values_list("phone", "source"))


def says(sender: SenderNumber, phone: str, body: str) -> None:
    number = Contact.objects.count() + ConsentEvent.objects.count()
    inbound_file(
        carrier_account=sender.carrier_account,
        text=InboundText(
            carrier_id=f"SM{number}{phone}",
            account_ref=sender.carrier_account.external_id,
            phone=phone,
            our_number=sender.phone,
            body=body,
        ),
        at=now(),
    )


def opt_out_list(account: Account, *phones: str) -> ContactImport:
    """A list of who must not be texted, imported."""
    return ran(
        account,
        "\n".join(("phone", *phones)).encode(),
        purpose=ImportPurpose.OPT_OUTS,
        consent_wording="Our old provider",
    )
