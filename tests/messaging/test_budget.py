"""Budgets of campaigns and months: held at the reservation, never passed, also at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account, CreditEntry, User
from campaigns.services.campaigns import campaign_change, campaign_create
from carriersim.client import Client
from messaging.budget import Budget
from messaging.choices import BatchKind
from messaging.costs import credits_follow
from messaging.errors import BudgetPassed
from messaging.models import Attempt, Batch, Chunk, Message
from messaging.sending.claim import claim
from messaging.services import batch_resume, batch_retry, message_send
from tests.messaging.conftest import Launch, People, claim_soon, send_all, serve_soon

pytestmark = pytest.mark.django_db


def budget(limit_credits: int) -> Budget:
    return Budget("The campaign's budget", limit_credits, Batch.objects.filter(name="Flowers"))


def test_a_launch_that_could_pass_it_changes_nothing(
    launch: Launch, people: People, account: Account
):
    people(11)

    with pytest.raises(BudgetPassed) as passed:
        launch(budgets=[budget(10)])

    assert "up to 11 credits. The campaign's budget has 10 left." in passed.value.message
    assert (Batch.objects.count(), Message.objects.count()) == (0, 0)
    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held) == (100_000, 0)
    assert CreditEntry.objects.filter(kind="reserve").count() == 0


def test_the_exact_cost_decides_where_the_bound_would_pass_it(launch: Launch, people: People):
    people(10, last_name="x" * 70)
    body = "Hi {{last_name}}, " + "y" * 70

    batch = launch(body=body, budgets=[budget(10)])

    assert batch.credits_reserved == 10


def test_what_came_back_may_be_used_again(
    launch: Launch, people: People, account: Account, sim: Client
):
    (contact, *_) = people(10)
    sim.set(scripts={contact.phone: "invalid"})
    launch(budgets=[budget(12)])
    send_all()
    assert budget(12).left() == 3

    Message.objects.all().delete()
    people(phones=["+14155559001", "+14155559002", "+14155559003"])
    later = {"audience": account.contacts.filter(phone__startswith="+1415555900")}

    assert launch(request_key="k2", budgets=[budget(12)], **later).credits_reserved == 3
    with pytest.raises(BudgetPassed):
        launch(request_key="k3", budgets=[budget(12)], **later)


def test_a_month_counts_its_blasts_only(launch: Launch, people: People, account: Account):
    Account.objects.update(monthly_budget_credits=10)
    people(10)
    earlier = launch()
    Batch.objects.filter(pk=earlier.pk).update(launched_at=earlier.launched_at - timedelta(days=32))
    message_send(
        account=account, actor=None, phone="+14155559001", body="Your code", kind=BatchKind.API,
        request_key="code",
    )  # fmt: skip

    launch(request_key="k2")
    with pytest.raises(BudgetPassed) as passed:
        launch(request_key="k3")

    assert "This month's budget for blasts has 0 left" in passed.value.message
    assert Batch.objects.filter(kind=BatchKind.BLAST).count() == 2


def test_trying_again_is_held_to_it_too(
    launch: Launch, people: People, account: Account, sim: Client
):
    people(10)
    batch = launch(budgets=[budget(10)])
    send_all()
    Message.objects.filter(recipient_no=1).update(
        state="undelivered", rank=4, reason="unreachable", carrier_code="30003"
    )

    with pytest.raises(BudgetPassed):
        batch_retry(account=account, actor=None, batch=batch, budgets=[budget(10)])

    assert batch_retry(account=account, actor=None, batch=batch, budgets=[budget(11)]) == 1


def test_trying_again_counts_for_the_month_of_the_launch(
    launch: Launch, people: People, account: Account, sim: Client
):
    """Also where this month has no room left, and not where that one has none."""
    Account.objects.update(monthly_budget_credits=11, timezone="America/New_York")
    people(10)
    batch = launch()
    send_all()
    month = (
        timezone.now()
        .astimezone(ZoneInfo("America/New_York"))
        .replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    )
    Batch.objects.update(launched_at=month - timedelta(seconds=1))
    launch(request_key="this month's", body="Ten more")
    Message.objects.filter(batch=batch, recipient_no__lte=2).update(
        state="undelivered", rank=4, reason="unreachable", carrier_code="30003"
    )

    with pytest.raises(BudgetPassed) as passed:
        batch_retry(account=account, actor=None, batch=batch)
    name = f"The budget for blasts of {month - timedelta(days=1):%B %Y}"
    assert f"{name} has 1 left" in passed.value.message

    Message.objects.filter(batch=batch, recipient_no=2).update(
        state="delivered", rank=4, reason="", carrier_code=""
    )
    assert batch_retry(account=account, actor=None, batch=batch) == 1


def test_what_the_carrier_counted_otherwise_counts_too(
    launch: Launch, people: People, account: Account
):
    people(5)
    Account.objects.update(monthly_budget_credits=20)
    first = launch()
    send_all()
    Attempt.objects.update(carrier_segments=3)

    assert credits_follow(first.pk) == 10

    assert budget(20).left() == 5
    launch(request_key="k2")
    with pytest.raises(BudgetPassed):
        launch(request_key="k3")


# ---- lowered while a blast runs ------------------------------------------------------------------


def lower(account: Account, credits: int) -> None:
    """The account's budget of the month is now so many credits."""
    Account.objects.filter(pk=account.pk).update(monthly_budget_credits=credits)


def accepted(batch: Batch) -> int:
    return Message.objects.filter(batch=batch, state="accepted").count()


def test_a_budget_lowered_while_a_blast_runs_pauses_it_before_it_is_passed(
    launch: Launch, people: People, account: Account, settings: Any
):
    settings.SEND_WINDOW = 3
    people(10)
    batch = launch()
    serve_soon()
    lower(account, 5)

    send_all()

    batch.refresh_from_db()
    assert (accepted(batch), batch.state) == (5, "paused")
    assert "This month's budget for blasts is 5 credits" in batch.state_reason
    assert "Raise the budget and resume, or cancel the rest." in batch.state_reason
    account.refresh_from_db()
    assert account.credit_held == 5

    batch_resume(account=account, actor=None, batch=batch)  # without raising it: in vain
    send_all()
    batch.refresh_from_db()
    assert (accepted(batch), batch.state) == (5, "paused")

    lower(account, 10)
    batch_resume(account=account, actor=None, batch=batch)
    send_all()
    batch.refresh_from_db()
    assert (accepted(batch), batch.state, batch.credits_settled) == (10, "done", 10)


def test_one_lowered_below_what_was_used_stops_at_once(
    launch: Launch, people: People, account: Account, settings: Any
):
    settings.SEND_WINDOW = 4
    people(10)
    batch = launch(body="Hi {{first_name}}, " + "tulips " * 30)  # two credits each
    serve_soon()
    lower(account, 7)

    send_all()

    batch.refresh_from_db()
    assert (accepted(batch), batch.state) == (4, "paused")


def test_what_is_unknown_counts_as_used(
    launch: Launch, people: People, account: Account, sim: Client
):
    people(6)
    sim.set(profile={"faults": {"lost_answer": 1.0}})
    lost = launch(audience=account.contacts.order_by("pk")[:4])
    send_all()
    assert Message.objects.filter(batch=lost, state="unknown").count() == 4
    sim.set(profile={"faults": {}})
    other = launch(request_key="k2", audience=account.contacts.order_by("-pk")[:2])
    lower(account, 5)

    send_all()

    other.refresh_from_db()
    assert (accepted(other), other.state) == (1, "paused")


def test_windows_under_a_lowered_budget_wait_for_each_other(
    launch: Launch, people: People, account: Account
):
    people(2)
    first, second = launch(), launch(request_key="k2")
    lower(account, 3)
    window = claim_soon()
    assert {lease.batch.id for lease in window.leases} == {first.pk, second.pk}
    Chunk.objects.filter(batch=second).update(state="ready", lease_token=None, lease_until=None)

    assert claim() is None

    Chunk.objects.filter(batch=first).update(state="ready", lease_token=None, lease_until=None)
    send_all()
    assert accepted(first) + accepted(second) == 3


def test_a_campaigns_budget_is_asked_while_its_blasts_run(
    launch: Launch, people: People, account: Account, alice: User, settings: Any
):
    settings.SEND_WINDOW = 3
    people(10)
    campaign = campaign_create(account=account, actor=alice, name="May")
    batch = launch(budget_group=campaign.pk, budget_credits=20)
    serve_soon()

    campaign_change(account=account, actor=alice, campaign=campaign, budget_credits=4)
    send_all()

    batch.refresh_from_db()
    assert (accepted(batch), batch.state) == (4, "paused")
    assert "The campaign's budget is 4 credits" in batch.state_reason


@pytest.mark.django_db(transaction=True)
def test_launches_at_the_same_time_never_pass_it_together(
    launch: Launch, people: People, account: Account
):
    people(10)

    def one(at: int) -> int:
        try:
            return launch(request_key=f"k{at}", budgets=[budget(25)]).credits_reserved
        except BudgetPassed:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        reserved = sorted(pool.map(one, range(4)))

    assert reserved == [0, 0, 10, 10]
    account.refresh_from_db()
    assert account.credit_held == 20
