"""Sending and reading texts over the API: once per key, from one's own numbers, with consent."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.choices import Scope
from accounts.models import Account, CreditEntry, User
from contacts.choices import ConsentSource
from contacts.services import consent_grant, consent_revoke, contact_upsert, person_erase
from messaging.choices import BatchKind, MessageState, Priority
from messaging.models import Batch, Message, SenderNumber
from tests.contracts.world import everything

pytestmark = pytest.mark.django_db

URL = "/api/v1/messages/"
TEXT = {"to": "(202) 555-0170", "body": "Order 1 is on its way.", "idempotency_key": "order-1"}

Call = Callable[..., Any]


@pytest.fixture
def headers(account: Account, alice: User) -> dict[str, str]:
    """With a key of Alice's for everything."""
    _, secret = services.apikey_create(
        account=account, actor=alice, name="Shop", scopes=Scope.values
    )
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def send(headers: dict[str, str]) -> Call:
    """`send(body=...)`: post a text."""

    def post(**changed: Any) -> Any:
        return Client().post(URL, TEXT | changed, content_type="application/json", headers=headers)

    return post


def _nothing_went_out() -> bool:
    return not Message.objects.exists() and not CreditEntry.objects.filter(kind="reserve").exists()


def test_a_text_is_queued_from_the_usual_number(sender: SenderNumber, alice: User, send: Call):
    answer = send()

    assert answer.status_code == 201
    message = Message.objects.get()
    assert answer.json() | {"created_at": ""} == {
        "id": message.pk,
        "direction": "out",
        "phone": "+12025550170",
        "our_number": sender.phone,
        "body": TEXT["body"],
        "media": [],
        "state": "pending",
        "reason": "",
        "carrier_code": "",
        "segments": 0,
        "credits": 0,
        "batch": message.batch_id,
        "contact": None,
        "created_at": "",
        "accepted_at": None,
        "sent_at": None,
        "final_at": None,
        "human_click_at": None,
        "replied_at": None,
        "opted_out_at": None,
    }
    batch = Batch.objects.get()
    assert (batch.kind, batch.priority, batch.created_by) == (
        BatchKind.API,
        Priority.SINGLE,
        alice,
    )


def test_the_same_key_sends_once(sender: SenderNumber, send: Call):
    first, second = send(), send()

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert Message.objects.count() == 1
    assert CreditEntry.objects.filter(kind="reserve").count() == 1


def test_who_opted_out_is_skipped_with_the_reason(
    account: Account, sender: SenderNumber, send: Call
):
    consent_revoke(account=account, phone="+12025550170", source=ConsentSource.KEYWORD)

    answer = send()

    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["reason"]) == ("skipped", "opted_out")
    assert not CreditEntry.objects.filter(kind="reserve").exists()


def test_who_was_erased_is_refused_and_nothing_is_kept(
    account: Account, alice: User, sender: SenderNumber, send: Call
):
    contact = contact_upsert(account=account, actor=None, phone="+12025550170")
    person_erase(account=account, actor=alice, contact_id=contact.pk)

    answer = send()

    assert (answer.status_code, answer.json()["code"]) == (409, "erased")
    assert _nothing_went_out()
    assert not Batch.objects.exists()
    assert "2025550170" not in repr(everything())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"to": "12"}, "to"),
        ({"to": ""}, "to"),
        ({"body": ""}, "body"),
        ({"body": "x" * 1601}, "body"),
        ({"body": "a\0b"}, "body"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "k" * 81}, "idempotency_key"),
        ({"sender": "+12025550199"}, "sender"),
    ],
)
def test_bad_input_names_its_field_and_sends_nothing(
    sender: SenderNumber, send: Call, changed: dict[str, str], field: str
):
    answer = send(**changed)

    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]
    assert _nothing_went_out()


def test_another_accounts_number_cannot_be_used(
    sender: SenderNumber, other_account: Account, send: Call
):
    theirs = SenderNumber.objects.create(
        account=other_account, carrier_account=sender.carrier_account, phone="+12025550111"
    )

    assert send(sender=theirs.phone).status_code == 422
    assert _nothing_went_out()


def test_without_credits_nothing_is_sent(account: Account, sender: SenderNumber, send: Call):
    Account.objects.filter(pk=account.pk).update(credit_balance=0)

    answer = send()

    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credits")
    assert _nothing_went_out()
    assert not Batch.objects.exists()


def test_a_key_without_the_scope_sends_nothing(account: Account, alice: User, sender: SenderNumber):
    _, secret = services.apikey_create(
        account=account, actor=alice, name="R", scopes=[Scope.READ, Scope.WRITE]
    )
    before = everything()

    answer = Client().post(
        URL, TEXT, content_type="application/json", headers={"authorization": f"Bearer {secret}"}
    )

    assert answer.status_code == 403
    assert everything() == before


def test_lists_filter_and_page(account: Account, other_account: Account, headers: dict[str, str]):
    for owner in (account, other_account):
        for number in range(3):
            Message.objects.create(
                account=owner,
                phone=f"+1202555017{number}",
                our_number="+12025550100",
                state=MessageState.DELIVERED if number else MessageState.FAILED,
                reason="" if number else "unreachable",
            )
    own = list(Message.objects.filter(account=account).order_by("-id").values_list("pk", flat=True))

    def ids(query: str) -> list[int]:
        answer = Client().get(URL + query, headers=headers)
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()["results"]]

    assert ids("") == own
    assert ids("?state=delivered") == own[:2]
    assert ids("?reason=unreachable") == own[2:]
    assert ids("?phone=%2B12025550171") == [own[1]]
    assert ids("?direction=in") == []
    page = Client().get(URL + "?page_size=2", headers=headers).json()
    assert [row["id"] for row in page["results"]] == own[:2]
    after = Client().get(page["next"], headers=headers).json()
    assert ([row["id"] for row in after["results"]], after["next"]) == (own[2:], None)
    assert Client().get(URL + "?state=nonsense", headers=headers).status_code == 422


def test_a_text_to_a_known_person_counts_on_their_consent(
    account: Account, sender: SenderNumber, send: Call
):
    account.requires_consent = True
    account.save()
    ann = contact_upsert(account=account, actor=None, phone="+12025550170", first_name="Ann")
    consent_grant(account=account, phone=ann.phone, source=ConsentSource.FORM)

    known = send()
    stranger = send(to="+12025550171", idempotency_key="order-2")

    assert (known.json()["contact"], known.json()["state"]) == (ann.pk, "pending")
    assert stranger.json()["contact"] is None
    assert (stranger.json()["state"], stranger.json()["reason"]) == ("skipped", "no_consent")
