"""A draft sent to oneself: through the same door, with somebody's values, counted by no report."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, AuditEvent, User, VerifiedNumber
from campaigns.models import Blast
from common.clock import now
from contacts.choices import ConsentSource
from contacts.models import Contact, Group
from contacts.services import consent_revoke
from messaging.choices import BatchKind
from messaging.models import Batch, Message, SenderNumber
from tests.campaigns.conftest import people

PHONE = "+12025550123"


@pytest.fixture
def phone(account: Account) -> VerifiedNumber:
    return VerifiedNumber.objects.create(account=account, phone=PHONE, verified_at=now())


@pytest.fixture
def test(
    browse: Callable[[User], Client], alice: User, group: Group, sender: SenderNumber
) -> Callable[..., str]:
    client = browse(alice)

    def _test(**fields: Any) -> str:
        form = {
            "body": "It’s for {{first_name}}: https://shop.example/sale " + "x" * 60,
            "groups": [group.pk],
            "sender": sender.pk,
            "test_phone": PHONE,
            **fields,
        }
        return client.post("/blasts/test", form).content.decode()

    return _test


def test_a_test_reads_as_the_chosen_person_reads_it(
    test: Callable[..., str], account: Account, phone: VerifiedNumber, group: Group
) -> None:
    cleo = Contact.objects.get(account=account, first_name="Cleo")

    page = test(seen=cleo.pk, smart_encoding="on")

    message, batch = Message.objects.get(), Batch.objects.get()
    assert message.body == "It's for Cleo: https://shop.example/sale " + "x" * 60
    assert (message.phone, message.contact_id, message.state) == (PHONE, None, "pending")
    assert (batch.kind, batch.credits_reserved) == (BatchKind.TEST, 1)
    assert "On its way" in page
    assert AuditEvent.objects.filter(action="blast.tested").count() == 1
    assert Blast.objects.count() == 0


def test_without_anybody_the_names_of_fields_stand_in(
    test: Callable[..., str], phone: VerifiedNumber
) -> None:
    test()

    assert Message.objects.get().body.startswith("It’s for [first_name]: ")


def test_line_ends_cost_one_character_as_in_the_blast(
    test: Callable[..., str], phone: VerifiedNumber
) -> None:
    test(body="Tulips\r\nare\x00 in\r\n", smart_encoding="")

    assert Message.objects.get().body == "Tulips\nare in\n"


def test_each_click_sends_one_more(test: Callable[..., str], phone: VerifiedNumber) -> None:
    test()
    test()

    assert Message.objects.filter(phone=PHONE).count() == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"test_phone": "+12025550124"}, "A test goes only to a phone of yours."),
        ({"test_phone": ""}, "A test goes only to a phone of yours."),
        ({"body": " "}, "Write the text first."),
        ({"body": "Hi {{nick}}"}, "There is no field called"),
    ],
)
def test_what_cannot_be_tested_says_why_and_sends_nothing(
    test: Callable[..., str], phone: VerifiedNumber, change: dict[str, Any], sentence: str
) -> None:
    page = test(**change)

    assert sentence in page
    assert not Batch.objects.exists()


def test_a_phone_that_waits_for_its_code_gets_none(
    test: Callable[..., str], phone: VerifiedNumber
) -> None:
    VerifiedNumber.objects.update(verified_at=None)

    assert "A test goes only to a phone of yours." in test()
    assert not Batch.objects.exists()


def test_the_values_of_another_accounts_person_are_not_read(
    test: Callable[..., str], phone: VerifiedNumber, other_account: Account
) -> None:
    people(other_account, "Cheese people", ("Zoe", "Yan"))

    page = test(seen=Contact.objects.get(first_name="Zoe").pk)

    assert 'role="alert"' in page
    assert not Batch.objects.exists()


def test_a_phone_that_opted_out_gets_no_test(
    test: Callable[..., str], phone: VerifiedNumber, account: Account
) -> None:
    consent_revoke(account=account, phone=PHONE, source=ConsentSource.KEYWORD)

    assert "Not sent: opted out." in test()
    assert Batch.objects.get().credits_reserved == 0
