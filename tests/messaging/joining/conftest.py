"""What tests of joining share: a word, a form, texts from a phone, and what came of them."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from accounts.models import Account, User
from common.clock import now
from contacts.disclosures import wording_default
from contacts.models import ConsentEvent, Contact, OptInForm, OptInKeyword
from contacts.services import group_create, optin_form_save
from messaging.gateways.events import InboundText
from messaging.models import CarrierAccount, Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.services.joining import keyword_save

ANN = "+12025550170"
TYPED = "(202) 555-0170"
SIGN = "Text GARDEN to us for our garden news."
TERMS = "Up to 4 msgs/month. Msg & data rates may apply. Reply HELP for help, STOP to opt out."
QUESTION = f"Alice's Flowers: Reply YES to get our texts. {TERMS}"
WELCOME = f"Alice's Flowers: You are on the list. {TERMS}"

Says = Callable[..., Message]
MakeForm = Callable[..., OptInForm]


@pytest.fixture
def sender(account: Account) -> SenderNumber:
    """Alice's number; nothing is sent in these tests, only queued."""
    carrier = CarrierAccount.objects.create(
        account=account,
        name="Ours",
        external_id="AC1",
        secret_encrypted=b"",
        api_base_url="http://x",
    )
    return SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone="+12025550100", is_default=True
    )


@pytest.fixture
def says(sender: SenderNumber) -> Says:
    """`says("JOIN", phone=ANN)`: a text from a phone to Alice's number."""
    numbers = count(1)

    def arrive(body: str, *, phone: str = ANN, **more: Any) -> Message:
        text = InboundText(
            carrier_id=f"SM{next(numbers):032x}",
            account_ref=sender.carrier_account.external_id,
            phone=phone,
            our_number=sender.phone,
            body=body,
        )
        message = inbound_file(
            carrier_account=sender.carrier_account, text=text, at=more.get("at") or now()
        )
        assert message is not None
        return message

    return arrive


@pytest.fixture
def garden(account: Account, alice: User) -> OptInKeyword:
    """GARDEN puts people into a group of that name."""
    return make_keyword(account, alice, asks_yes=False)


def make_keyword(account: Account, alice: User, **values: Any) -> OptInKeyword:
    group = group_create(account=account, actor=alice, name="Garden")
    given: dict[str, Any] = {
        "frequency": "Up to 4 msgs/month",
        "welcome": "",
        "wording": SIGN,
        "word": "Garden",
    }
    return keyword_save(account=account, actor=alice, group_ids=[group.pk], **{**given, **values})


@pytest.fixture
def make_form(account: Account, alice: User, sender: SenderNumber) -> MakeForm:
    """`make_form(asks_yes=...)`: Alice's open form; it puts people into the group Web."""
    cache.clear()

    def make(**values: Any) -> OptInForm:
        group = group_create(account=account, actor=alice, name="Web")
        given: dict[str, Any] = {
            "is_open": True,
            "title": "Get texts from Alice's Flowers",
            "wording": wording_default("Alice's Flowers"),
            "frequency": "Up to 4 msgs/month.",
            "privacy_url": "https://shop.example/privacy",
            "terms_url": "",
            "welcome": "",
            "asks_yes": True,
        }
        return optin_form_save(
            account=account, actor=alice, group_ids=[group.pk], **{**given, **values}
        )

    return make


def texts() -> list[tuple[str, str, str]]:
    """(kind, state, body) of what was queued to phones, in order."""
    rows = Message.objects.filter(direction="out").select_related("batch").order_by("pk")
    return [(row.batch.kind, row.state, row.batch.body) for row in rows if row.batch]


def proofs() -> list[tuple[Any, ...]]:
    """(in or out, source, wording, message, form) of every consent event, in order."""
    fields = ("kind", "source", "wording", "message_id", "form_id")
    return list(ConsentEvent.objects.order_by("pk").values_list(*fields))


def groups_of(phone: str) -> list[str]:
    """Names of the groups that the live contact of a phone is in."""
    contact = Contact.objects.get(phone=phone, deleted_at=None)
    return sorted(contact.group_members.values_list("group__name", flat=True))


def submit(form: OptInForm, *, after_s: float = 5, **typed: Any) -> Any:
    """Open the form at noon the day before, wait, and send it off as a visitor does."""
    visitor = Client()
    address = f"/subscribe/{form.token}/"
    moment = now().replace(hour=12) - timedelta(days=1, seconds=after_s)
    with time_machine.travel(moment, tick=False):
        opened = visitor.get(address).context["form"]["opened"].value()
    given = {"phone": TYPED, "first_name": "Ann", "agrees": "on", "website": "", "opened": opened}
    with time_machine.travel(moment + timedelta(seconds=after_s), tick=False):
        return visitor.post(address, {**given, **typed})
