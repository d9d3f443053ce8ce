"""What texts cost at the carrier: told by its list, kept for each, summed, and credits follow."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from accounts.models import Account, CreditEntry, User
from accounts.selectors import credit_books
from accounts.services import credits_grant, credits_refund
from campaigns.models import Blast, Campaign
from carriersim.client import Client
from common.clock import now
from common.phone import display
from messaging.choices import BatchKind
from messaging.costs import credits_follow
from messaging.gateways.base import Answer
from messaging.gateways.twilio import TwilioGateway
from messaging.models import Attempt, Batch, BatchCost, Message, SenderNumber
from messaging.reconcile import batch_reconcile
from messaging.reconcile_due import reconcile_due
from messaging.recounting import differences
from messaging.selectors import costs_of, message_cost
from messaging.services import batch_retry, message_send
from messaging.single_costs import singles_cost
from tests.messaging.conftest import Launch, People, send_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(launch: Launch, people: People, sim: Client) -> Batch:
    """Ten people, one of them refused; the carrier asks 0.0079 dollars a segment."""
    (contact, *_) = people(10)
    sim.set(scripts={contact.phone: "invalid"})
    batch = launch()
    send_all()
    # Its own clock has the last word on what was sent, and when.
    sim.flush()
    return batch


@pytest.mark.parametrize(
    ("price", "unit", "micros"),
    [
        ("-0.00750", "USD", 7500),
        ("-1.2", "USD", 1_200_000),
        ("0", "USD", 0),
        (None, "USD", None),
        ("about nothing", "USD", None),
        ("-0.0553", "gbp", 55_300),
    ],
)
def test_twilios_price_is_read_in_millionths(price: Any, unit: str, micros: int | None):
    row = {
        "sid": "SM" + "0" * 32,
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
        "num_segments": "2",
        "direction": "outbound-api",
        "price": price,
        "price_unit": unit,
    }
    gateway = TwilioGateway(
        account_sid="AC0",
        auth_token="x",
        api_base_url="https://x.example",
        callback_base="https://x/",
    )

    page = gateway.list_page(Answer(200, json.dumps({"messages": [row]}).encode()))

    assert page is not None
    (listed,) = page.messages
    assert (listed.cost_micros, listed.currency, listed.segments) == (micros, unit.upper(), 2)


def test_what_the_carrier_asks_is_kept_for_each_text_and_summed(sent: Batch):
    batch_reconcile(batch=sent)

    assert (
        list(
            Attempt.objects.filter(outcome="accepted").values_list(
                "carrier_segments", "cost_micros"
            )
        )
        == [(1, 7900)] * 9
    )
    (cost,) = costs_of([sent.pk])
    assert (cost.texts, cost.priced, cost.segments, cost.our_segments) == (9, 9, 9, 9)
    assert (cost.amount, cost.each) == ("0.0711 USD", "0.0079 USD")
    assert message_cost(Message.objects.get(batch=sent, recipient_no=2)) == "0.0079 USD"
    assert message_cost(Message.objects.get(batch=sent, recipient_no=1)) == ""
    assert not CreditEntry.objects.filter(kind="adjust").exists()


def test_a_price_that_comes_late_is_asked_for_again(launch: Launch, people: People, sim: Client):
    people(2)
    sim.set(delays={"sent": [3600, 3600], "final": [1, 1]})
    batch = launch()
    send_all()
    batch_reconcile(batch=batch)
    (early,) = costs_of([batch.pk])
    assert (early.priced, early.unpriced, early.amount, early.each) == (0, 2, "0.00", "")

    Message.objects.filter(batch=batch).update(state="delivered", rank=4)
    batch.tallies.all().delete()
    sim.flush()
    # Nothing is open any more but the prices; the next look is due after as long again.
    at = now()
    Batch.objects.filter(pk=batch.pk).update(
        launched_at=at - timedelta(hours=9), reconciled_at=at - timedelta(hours=5)
    )
    assert reconcile_due() == 1

    (late,) = costs_of([batch.pk])
    assert (late.priced, late.unpriced, late.amount) == (2, 0, "0.0158 USD")


def test_credits_follow_the_carriers_count_once(
    sent: Batch, account: Account, monkeypatch: pytest.MonkeyPatch
):
    def count(segments: int) -> None:
        """The carrier counts so many segments for each text."""
        batch_reconcile(batch=sent)
        Attempt.objects.filter(outcome="accepted").update(carrier_segments=segments)
        credits_follow(sent.pk)

    count(3)
    count(3)
    sent.refresh_from_db()
    assert sent.credits_adjusted == 18

    moved = CreditEntry.objects.filter(kind="adjust").order_by("pk")
    assert sum(moved.values_list("available", flat=True)) == -18
    assert credit_books(account).used == 9 + 18
    (cost,) = costs_of([sent.pk])
    assert (cost.credits, cost.adjusted, cost.charged) == (9, 18, 27)
    assert credit_books(account).out_of_balance == 0


def test_what_was_not_left_is_borne_and_neither_charged_later_nor_given_back(
    sent: Batch, account: Account, alice: User
):
    credits_refund(account=account, credits=99_987, key="small", actor=None)  # 4 are left
    batch_reconcile(batch=sent)

    def count(segments: int) -> tuple[int, int, int]:
        """The carrier counts so many for each of nine: moved now; charged and borne in all."""
        Attempt.objects.filter(outcome="accepted").update(carrier_segments=segments)
        moved = credits_follow(sent.pk)
        sent.refresh_from_db()
        return moved, sent.credits_adjusted, sent.credits_borne

    assert count(2) == (4, 4, 5)
    credits_grant(account=account, credits=100, kind="grant", key="late", actor=None)
    assert count(2) == (0, 4, 5)
    (cost,) = costs_of([sent.pk])
    assert (cost.credits, cost.adjusted, cost.charged) == (9, 4, 13)
    assert count(3) == (9, 13, 5)
    assert count(2) == (-4, 9, 0)
    assert count(1) == (-9, 0, 0)
    assert differences() == []
    assert credit_books(account).used == 9
    account.refresh_from_db()
    assert account.credit_balance == 104


def test_retries_are_in_the_cost(sent: Batch, account: Account, sim: Client):
    Message.objects.filter(batch=sent, recipient_no=2).update(
        state="undelivered", rank=4, reason="unreachable", carrier_code="30003"
    )
    batch_retry(account=account, actor=None, batch=sent)
    send_all()
    sim.flush()

    batch_reconcile(batch=sent)

    (cost,) = costs_of([sent.pk])
    assert (cost.texts, cost.segments, cost.amount) == (10, 10, "0.0790 USD")
    assert (cost.credits, cost.retried, cost.first) == (10, 1, 9)
    assert message_cost(Message.objects.get(batch=sent, recipient_no=2)) == "0.0158 USD"


# ---- one-to-one texts ---------------------------------------------------------------------------


def single(account: Account, key: str, **fields: Any) -> Batch:
    """A text to one person, sent and settled; the carrier knows it."""
    message = message_send(
        **{
            "account": account,
            "actor": None,
            "phone": "+14155550150",
            "body": "Yes, until six",
            "kind": BatchKind.REPLY,
            "request_key": key,
            **fields,
        }
    )
    send_all()
    batch = message.batch
    assert batch is not None
    batch.refresh_from_db()
    return batch


def ages(batch: Batch, hours: float) -> None:
    """It was launched so long ago."""
    Batch.objects.filter(pk=batch.pk).update(launched_at=now() - timedelta(hours=hours))


def test_one_to_one_texts_are_asked_for_by_number_after_an_hour(
    account: Account, alice: User, sender: SenderNumber, sim: Client
):
    reply = single(account, "r", actor=alice)
    api = single(account, "a", kind=BatchKind.API, phone="+14155550250")
    answer = single(account, "s", kind=BatchKind.AUTO, phone="+14155550151")
    sim.set(scripts={"+14155550152": "invalid"})
    refused = single(account, "x", phone="+14155550152")
    sim.flush()
    fresh = single(account, "f", phone="+14155550153")
    for one in (reply, api, answer, refused):
        ages(one, 2)

    assert (singles_cost(sender=sender), singles_cost(sender=sender)) == (4, 0)

    costs = {
        cost.batch_id: (cost.texts, cost.priced, cost.micros) for cost in BatchCost.objects.all()
    }
    assert costs == {
        reply.pk: (1, 1, 7900),
        api.pk: (1, 1, 7900),
        answer.pk: (1, 1, 7900),
        refused.pk: (0, 0, 0),
    }
    assert fresh.pk not in costs
    assert message_cost(Message.objects.get(batch=api)) == "0.0079 USD"
    assert not CreditEntry.objects.filter(kind="adjust").exists()


def test_one_without_a_price_is_asked_for_at_ever_longer_intervals(
    account: Account, sender: SenderNumber, sim: Client
):
    sim.set(delays={"sent": [3600, 3600], "final": [1, 1]})
    reply = single(account, "r")
    ages(reply, 8)
    assert singles_cost(sender=sender) == 1
    cost = BatchCost.objects.get()
    assert (cost.texts, cost.priced) == (1, 0)

    BatchCost.objects.update(asked_at=now() - timedelta(hours=3.9))
    assert singles_cost(sender=sender) == 0
    BatchCost.objects.update(asked_at=now() - timedelta(hours=4.1))
    sim.flush()
    assert singles_cost(sender=sender) == 1
    cost.refresh_from_db()
    assert (cost.priced, cost.micros, cost.currency) == (1, 7900, "USD")


def test_credits_of_a_reply_follow_the_carriers_count(
    account: Account, sender: SenderNumber, sim: Client
):
    reply = single(account, "r")
    sim.flush()
    ages(reply, 2)
    Message.objects.filter(batch=reply).update(segments=2, credits=2)  # as if so counted

    singles_cost(sender=sender)

    cost = BatchCost.objects.get()
    assert (cost.segments, cost.our_segments, cost.adjusted_credits) == (1, 2, -1)


def test_beat_asks_for_them_with_what_the_number_received(
    account: Account, sender: SenderNumber, sim: Client
):
    reply = single(account, "r")
    sim.flush()
    ages(reply, 2)
    # Its final word came, so that nothing but the price is still open.
    Message.objects.filter(batch=reply).update(state="delivered", rank=4)
    reply.tallies.all().delete()
    SenderNumber.objects.update(created_at=now() - timedelta(days=1))

    assert reconcile_due() == 0
    assert BatchCost.objects.get().micros == 7900
    # By number, never one by one, however long it has no price.
    BatchCost.objects.update(priced=0, asked_at=now())
    Batch.objects.update(reconciled_at=now() - timedelta(hours=20))
    assert reconcile_due() == 0


def test_persons_numbers_and_the_statement_count_them(
    blast: Blast, account: Account, alice: User, sender: SenderNumber, sim: Client
):
    reply = single(account, "r", actor=alice)
    api = single(account, "a", kind=BatchKind.API)
    sim.flush()
    for one in (reply, api):
        ages(one, 2)
    told(blast)
    singles_cost(sender=sender)
    browser = Browser()
    browser.force_login(alice)

    def rows(by: str) -> list[tuple[Any, ...]]:
        found = browser.get("/costs/", {"by": by}).context["rows"]
        return [
            (one["name"], one["row"].estimated, one["row"].people, cost.charged, cost.amount)
            for one in found
            for cost in [one["cost"]]
        ]

    assert rows("campaign") == [("May", 12, -3, 9, "0.0711 USD")]
    assert rows("user") == [
        ("Alice Adams", 13, -3, 10, "0.0790 USD"),
        ("Programs and automatic answers", 1, 0, 1, "0.0079 USD"),
    ]
    assert rows("number") == [(display(sender.phone), None, 0, 11, "0.0869 USD")]
    statement = words(browser.get("/settings/credits/").content.decode())
    assert statement.count("carrier: 0.0079 USD") == 2
    assert statement.count("carrier: 0.0711 USD") == 1


@pytest.fixture
def blast(sent: Batch, account: Account, alice: User) -> Blast:
    """The blast of `sent`, by Alice; twelve credits had been estimated."""
    Batch.objects.filter(pk=sent.pk).update(created_by=alice)
    campaign = Campaign.objects.create(account=account, name="May", created_by=alice)
    return Blast.objects.create(
        account=account,
        campaign=campaign,
        name="Flowers",
        body=sent.body,
        sender=sent.sender,
        state="launched",
        created_by=alice,
        sent_by=alice,
        batch=sent,
        estimated_credits=12,
    )


def told(blast: Blast) -> None:
    """The carrier has been asked what it cost."""
    assert blast.batch is not None
    batch_reconcile(batch=blast.batch)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_report_leads_from_the_estimate_to_the_cost(blast: Blast, alice: User):
    browser = Browser()
    browser.force_login(alice)
    before = words(browser.get(f"/blasts/{blast.pk}/").content.decode())
    told(blast)

    after = words(browser.get(f"/blasts/{blast.pk}/").content.decode())

    assert "The carrier’s price comes about an hour after the last text." in before
    assert (
        "Estimate before sending 12 People 1 refused by the carrier, which cost nothing." in after
    )
    assert "-3 Used 9" in after
    assert "The carrier’s price: 0.0711 USD for 9 segments, 0.0079 USD each." in after


def test_the_report_says_what_was_charged_where_not_all_was_left(
    blast: Blast, account: Account, alice: User
):
    told(blast)
    credits_refund(account=account, credits=99_987, key="small", actor=None)  # 4 are left
    Attempt.objects.filter(outcome="accepted").update(carrier_segments=2)
    assert credits_follow(blast.batch_id or 0) == 4
    browser = Browser()
    browser.force_login(alice)

    page = words(browser.get(f"/blasts/{blast.pk}/").content.decode())

    assert "5 more were not left and are not charged. +4 Charged 13" in page


@pytest.mark.parametrize(
    ("by", "name"),
    [("blast", "Flowers"), ("campaign", "May"), ("user", "Alice Adams"), ("number", "+1 202")],
)
def test_costs_are_summed_by_blast_campaign_person_and_number(
    blast: Blast, alice: User, charlie: User, other_account: Account, by: str, name: str
):
    told(blast)

    def rows(user: User) -> list[tuple[str, str]]:
        browser = Browser()
        browser.force_login(user)
        found = browser.get("/costs/", {"by": by}).context["rows"]
        return [(row["name"], row["cost"].amount) for row in found]

    ((found, amount),) = rows(alice)
    assert (found.startswith(name), amount) == (True, "0.0711 USD")
    assert rows(charlie) == []
    assert BatchCost.objects.count() == 1
