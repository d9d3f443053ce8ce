"""A blast on its way: launched once whatever happens, held back, and stopped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection

from accounts.models import Account, User
from accounts.services import credits_refund
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import BlastNotEditable, BlastNotRunning
from campaigns.models import Blast
from common.clock import now
from common.errors import Invalid, NotFound
from contacts.models import Group
from messaging.choices import BatchState, MessageState, Priority
from messaging.errors import BatchOver, BudgetPassed
from messaging.models import Batch, Chunk, Message, Price, SenderNumber
from messaging.recounting import differences
from tests.campaigns.scheduled import LATER, launch, nothing_was_sent, schedule


def test_a_launch_makes_one_batch_with_a_message_for_everybody(
    account: Account, alice: User, draft: Blast, sender: SenderNumber
) -> None:
    schedule(account, alice, draft)

    assert launch(draft) is True

    draft.refresh_from_db()
    assert draft.state == BlastState.LAUNCHED
    assert draft.batch is not None
    assert draft.batch.request_key == f"blast:{draft.pk}"
    assert (draft.batch.created_by, draft.batch.sender) == (alice, sender)
    states = Message.objects.filter(batch=draft.batch).values_list("state", "reason")
    assert sorted(states) == [
        *[(MessageState.PENDING, "")] * 5,
        (MessageState.SKIPPED, "opted_out"),
    ]


def test_its_campaigns_place_and_its_time_to_give_up_go_with_it(
    account: Account, alice: User, draft: Blast
) -> None:
    services.campaign_change(account=account, actor=alice, campaign=draft.campaign, goes_first=True)
    services.blast_update(account=account, actor=alice, blast=draft, give_up_hours=12)
    schedule(account, alice, draft)

    moment = now() + LATER
    services.blast_launch(blast_id=draft.pk, moment=moment)

    batch = Batch.objects.get()
    assert batch.priority == Priority.BULK_FIRST
    assert batch.expires_at == moment + timedelta(hours=12)
    assert list(Chunk.objects.values_list("priority", flat=True)) == [Priority.BULK_FIRST]


def test_a_campaigns_budget_is_asked_when_it_is_scheduled_and_when_it_goes(
    account: Account, alice: User, draft: Blast
) -> None:
    services.campaign_change(
        account=account, actor=alice, campaign=draft.campaign, budget_credits=4
    )
    with pytest.raises(BudgetPassed):
        schedule(account, alice, draft)
    assert nothing_was_sent(account)

    services.campaign_change(
        account=account, actor=alice, campaign=draft.campaign, budget_credits=5
    )
    schedule(account, alice, draft)
    services.campaign_change(
        account=account, actor=alice, campaign=draft.campaign, budget_credits=1
    )
    launch(draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.FAILED
    assert "The campaign's budget has 1 left" in draft.state_reason
    assert nothing_was_sent(account)


@pytest.mark.parametrize(("left", "state"), [(15, "launched"), (14, "failed")])
def test_a_price_that_changed_since_the_estimate_is_charged_as_it_is_at_the_launch(
    account: Account, alice: User, draft: Blast, left: int, state: str
) -> None:
    credits_refund(account=account, credits=100_000 - left, key="small", actor=None)
    schedule(account, alice, draft)
    Price.objects.create(country="US", credits=3)

    launch(draft)

    draft.refresh_from_db()
    account.refresh_from_db()
    assert (draft.state, draft.estimated_credits) == (state, 5)
    held = 15 if state == "launched" else 0
    assert (account.credit_balance, account.credit_held) == (left - held, held)
    assert [batch.credits_reserved for batch in Batch.objects.all()] == ([15] if held else [])
    assert differences() == []


def test_spread_over_several_numbers_its_people_are_texted_from_each(
    account: Account, alice: User, draft: Blast, sender: SenderNumber
) -> None:
    second = SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )
    SenderNumber.objects.update(rate_per_s=1)
    services.blast_update(account=account, actor=alice, blast=draft, more_senders=[sender, second])
    schedule(account, alice, draft)

    launch(draft)

    texted = Message.objects.filter(state=MessageState.PENDING)
    numbers = texted.order_by("recipient_no").values_list("our_number", flat=True)
    assert list(numbers) == [sender.phone] * 3 + [second.phone] * 2
    assert [one.phone for one in draft.more_senders.all()] == [second.phone]


def test_another_accounts_number_cannot_be_spread_over(
    account: Account, alice: User, draft: Blast, other_account: Account, sender: SenderNumber
) -> None:
    theirs = SenderNumber.objects.create(
        account=other_account, carrier_account=sender.carrier_account, phone="+12025550101"
    )

    with pytest.raises(NotFound):
        services.blast_update(account=account, actor=alice, blast=draft, more_senders=[theirs])

    assert not draft.more_senders.exists()


@pytest.mark.parametrize("hours", [-1, 24 * 90 + 1])
def test_a_time_to_give_up_that_cannot_be_is_refused(
    account: Account, alice: User, draft: Blast, hours: int
) -> None:
    with pytest.raises(Invalid) as refused:
        services.blast_update(account=account, actor=alice, blast=draft, give_up_hours=hours)

    assert list(refused.value.fields) == ["give_up_hours"]
    draft.refresh_from_db()
    assert draft.give_up_hours == 0


def test_before_its_time_nothing_is_launched(account: Account, alice: User, draft: Blast) -> None:
    schedule(account, alice, draft, at=now() + timedelta(minutes=30))

    assert services.blasts_launch_due() == 0
    assert nothing_was_sent(account)


def test_launching_again_launches_nothing(account: Account, alice: User, draft: Blast) -> None:
    schedule(account, alice, draft)

    assert [launch(draft), launch(draft)] == [True, False]
    assert Batch.objects.count() == 1


def test_what_changed_before_the_launch_makes_it_fail_with_a_sentence_and_can_be_mended(
    account: Account, alice: User, draft: Blast, group: Group
) -> None:
    schedule(account, alice, draft)
    Account.objects.filter(pk=account.pk).update(credit_balance=1)

    launch(draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.FAILED
    assert "needs 5 credits and the account has 1" in draft.state_reason
    assert nothing_was_sent(account)

    Account.objects.filter(pk=account.pk).update(credit_balance=100)
    services.blast_update(account=account, actor=alice, blast=draft, body="Shorter")
    schedule(account, alice, draft)
    launch(draft)
    draft.refresh_from_db()
    assert (draft.state, draft.state_reason) == (BlastState.LAUNCHED, "")


def test_one_blast_that_cannot_be_sent_does_not_stop_the_next(
    account: Account, alice: User, draft: Blast
) -> None:
    second = services.blast_duplicate(account=account, actor=alice, blast=draft)
    for blast in (draft, second):
        schedule(account, alice, blast)
    Blast.objects.filter(pk=draft.pk).update(body="Hi {{gone}}")

    with time_machine.travel(now() + LATER):
        assert services.blasts_launch_due() == 2

    states = Blast.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [BlastState.FAILED, BlastState.LAUNCHED]


@pytest.mark.django_db(transaction=True)
def test_sent_from_two_threads_at_once_it_goes_out_once(
    account: Account, alice: User, draft: Blast
) -> None:
    def in_thread(work: Callable[[], object]) -> object:
        try:
            return work()
        except BlastNotEditable:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(in_thread, [lambda: schedule(account, alice, draft)] * 2))
    assert sent.count("refused") == 1

    with ThreadPoolExecutor(4) as pool:
        launched = list(pool.map(in_thread, [lambda: launch(draft)] * 4))
    assert launched.count(True) == 1
    assert Batch.objects.count() == 1
    assert Message.objects.count() == 6


# --- Holding back ---


def test_pause_resume_and_cancel_reach_the_batch(
    account: Account, alice: User, draft: Blast
) -> None:
    schedule(account, alice, draft)
    launch(draft)

    services.blast_pause(account=account, actor=alice, blast=draft)
    assert Batch.objects.get().state == BatchState.PAUSED
    services.blast_resume(account=account, actor=alice, blast=draft)
    assert Batch.objects.get().state == BatchState.RUNNING
    services.blast_cancel(account=account, actor=alice, blast=draft)
    assert Batch.objects.get().state == BatchState.CANCELED
    with pytest.raises(BatchOver):
        services.blast_resume(account=account, actor=alice, blast=draft)


def test_canceled_before_its_launch_it_never_goes(
    account: Account, alice: User, draft: Blast
) -> None:
    schedule(account, alice, draft)

    services.blast_cancel(account=account, actor=alice, blast=draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.CANCELED
    assert launch(draft) is False
    assert nothing_was_sent(account)


def test_a_draft_cannot_be_paused_nor_another_accounts_blast(
    account: Account, alice: User, other_account: Account, charlie: User, draft: Blast
) -> None:
    with pytest.raises(BlastNotRunning):
        services.blast_pause(account=account, actor=alice, blast=draft)
    schedule(account, alice, draft)
    launch(draft)
    for service in (services.blast_pause, services.blast_resume, services.blast_cancel):
        with pytest.raises(NotFound):
            service(account=other_account, actor=charlie, blast=draft)

    assert Batch.objects.get().state == BatchState.RUNNING
