"""The overview, the list and the campaign report; empty, full, and to whom they are open."""

from collections.abc import Callable
from datetime import time, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.choices import Role
from accounts.models import Account, Membership, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from campaigns.recurring import Rule
from common.clock import now
from messaging.choices import BatchState
from messaging.models import Batch, SenderNumber
from tests.campaigns.conftest import Browse, words
from tests.campaigns.launched import finished, launched


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return words(answer.content.decode())


def test_a_new_account_is_shown_its_first_steps(
    browse: Browse, other_account: Account, charlie: User
) -> None:
    client = browse(charlie)

    assert "Three steps to your first blast" in read(client, "/")
    assert "There is no number to text from yet." in read(client, "/")
    assert "The account has 100,000 credits." in read(client, "/")
    assert "Send your first blast" in read(client, "/campaigns/")
    assert "Choose who gets it, and see here what it costs." in read(client, "/blasts/new")


def test_the_overview_sums_a_period_and_compares_it_with_the_one_before(
    browse: Browse, account: Account, alice: User, draft: Blast
) -> None:
    again = services.blast_duplicate(account=account, actor=alice, blast=draft)
    finished(launched(account, alice, draft), at=now() - timedelta(days=2))
    finished(launched(account, alice, again), at=now() - timedelta(days=40))
    client = browse(alice)

    page = read(client, "/")
    assert "In the last 28 days 1 blast brought 2 texts" in page
    assert "40.0% 2 of 5 as before" in page
    assert "2 blasts brought 4 texts" in read(client, "/?days=90")
    assert "1 blast brought 2 texts" in read(client, "/?days=nonsense")


def test_the_overview_tells_what_each_account_user_sent(
    browse: Browse, account: Account, alice: User, bob: User, draft: Blast
) -> None:
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    again = services.blast_duplicate(account=account, actor=alice, blast=draft)
    finished(launched(account, alice, draft))
    assert "By account user" not in read(browse(alice), "/")

    finished(launched(account, bob, again))
    page = read(browse(alice), "/")

    assert "By account user the last 28 days" in page
    for name in (alice.display_name, bob.display_name):
        assert f"{name} 1 6 40.0% 2 of 5 50.0% 1 of 2 50.0% 1 of 2 50.0% 1 of 2 4 " in page


def test_what_needs_a_hand_comes_first(
    browse: Browse, account: Account, alice: User, draft: Blast
) -> None:
    paused = services.blast_duplicate(account=account, actor=alice, blast=draft)
    Blast.objects.filter(pk=draft.pk).update(
        state=BlastState.FAILED, state_reason="This needs 5 credits and the account has 1."
    )
    launched(account, alice, paused)
    Batch.objects.update(state=BatchState.PAUSED)
    Account.objects.filter(pk=account.pk).update(credit_balance=0)

    page = read(browse(alice), "/")

    assert "“Last call” could not be sent: This needs 5 credits" in page
    assert "“Last call (again)” is paused. Resume or cancel it." in page
    assert "0 credits left" in page


def test_a_planned_blast_whose_number_was_given_up_says_so_before_its_time(
    browse: Browse, account: Account, alice: User, draft: Blast, sender: SenderNumber
) -> None:
    other = SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )
    services.blast_schedule(account=account, actor=alice, blast=draft, at=now() + timedelta(days=2))
    client = browse(alice)
    assert "no longer used" not in read(client, "/") + read(client, f"/blasts/{draft.pk}/")

    client.post(f"/settings/numbers/{sender.pk}/release/")

    told = "+1 202 555 0100 is no longer used. Take it back and choose another number."
    assert f"“Last call” cannot go out: {told}" in read(client, "/")
    waiting = read(client, f"/blasts/{draft.pk}/")
    assert f"As it stands it cannot go out. {told}" in waiting
    assert "Planned for" in waiting
    assert "Goes out" not in waiting
    client.post(f"/blasts/{draft.pk}/undo")
    assert "no longer used" not in read(client, "/")
    draft.refresh_from_db()
    assert (draft.state, draft.batch) == (BlastState.DRAFT, None)
    other.refresh_from_db()
    assert other.is_default


def test_a_repeating_blast_whose_number_was_given_up_says_so(
    browse: Browse, account: Account, alice: User, draft: Blast, sender: SenderNumber
) -> None:
    SenderNumber.objects.create(
        account=account, carrier_account=sender.carrier_account, phone="+12025550101"
    )
    rule = Rule("day", time(10), now().date() + timedelta(days=2))
    series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    client = browse(alice)
    client.post(f"/settings/numbers/{sender.pk}/release/")

    told = "+1 202 555 0100 is no longer used. Change those to come and choose another number."
    assert f"“Last call” cannot go out: {told}" in read(client, "/")
    page = read(client, f"/blasts/{draft.pk}/")
    assert f"As it stands none of those to come can go out. {told}" in page
    services.series_pause(account=account, actor=alice, series=series)
    assert "no longer used" not in read(client, "/")


def test_the_campaign_report_sums_its_blasts_and_names_the_best(
    browse: Browse, account: Account, alice: User, campaign: Campaign, draft: Blast
) -> None:
    again = services.blast_duplicate(account=account, actor=alice, blast=draft)
    for blast in (draft, again):
        finished(launched(account, alice, blast))

    page = read(browse(alice), f"/campaigns/{campaign.pk}/")

    assert "2 blasts brought 4 of 10 texts to people's phones (40.0%)." in page
    assert "40.0% 4 of 10" in page
    assert "Side by side" in page
    assert "Too few people to compare." in page
    listed = read(browse(alice), "/campaigns/")
    assert "Mother&#x27;s Day" in listed
    assert "40.0% 4 of 10" in listed


def test_a_campaign_without_a_blast_says_what_comes_next(
    browse: Browse, alice: User, campaign: Campaign
) -> None:
    assert "No blast yet" in read(browse(alice), f"/campaigns/{campaign.pk}/")


def test_a_campaign_is_made_renamed_archived_and_brought_back_by_page(
    browse: Browse, alice: User, account: Account
) -> None:
    client = browse(alice)

    assert client.post("/campaigns/new", {"name": "  "}).status_code == 422
    client.post("/campaigns/new", {"name": "Spring"})
    campaign = Campaign.objects.get()
    client.post(f"/campaigns/{campaign.pk}/edit", {"name": "Summer"})
    assert Campaign.objects.get().name == "Summer"
    client.post(f"/campaigns/{campaign.pk}/archive")
    assert "Summer" not in read(client, "/campaigns/?q=").replace("“Summer” is archived", "")
    assert "Summer" in read(client, "/campaigns/?show=archived")
    client.post(f"/campaigns/{campaign.pk}/archive", {"restore": "1"})
    assert "Summer" in read(client, "/campaigns/")


@pytest.mark.parametrize("path", ["/", "/campaigns/", "/campaigns/{campaign}/"])
def test_a_viewer_reads_but_is_offered_no_way_to_write(
    browse: Browse, account: Account, bob: User, campaign: Campaign, path: str
) -> None:
    Membership.objects.filter(account=account, user=bob).update(role=Role.VIEWER)

    page = read(browse(bob), path.format(campaign=campaign.pk))

    assert "New blast" not in page
    assert "Add a blast" not in page


def test_a_viewer_cannot_write(
    browse: Browse, account: Account, bob: User, campaign: Campaign, draft: Blast
) -> None:
    Membership.objects.filter(account=account, user=bob).update(role=Role.VIEWER)
    client = browse(bob)

    for path in ("/campaigns/new", "/blasts/new", f"/blasts/{draft.pk}/edit"):
        assert client.get(path).status_code == 403
    assert client.post(f"/campaigns/{campaign.pk}/archive").status_code == 403
    assert client.post(f"/blasts/{draft.pk}/send").status_code == 403
    draft.refresh_from_db()
    campaign.refresh_from_db()
    assert (draft.state, campaign.archived_at) == (BlastState.DRAFT, None)


def test_another_account_sees_none_of_it(
    browse: Browse,
    account: Account,
    alice: User,
    other_account: Account,
    charlie: User,
    draft: Blast,
) -> None:
    finished(launched(account, alice, draft))
    client = browse(charlie)

    for path in ("/", "/campaigns/", "/campaigns/?q=Mother"):
        page = read(client, path)
        assert "Mother" not in page
        assert "Last call" not in page


@pytest.mark.parametrize("blasts", [1, 6])
def test_lists_cost_the_same_however_many_rows(
    browse: Browse,
    account: Account,
    alice: User,
    draft: Blast,
    django_assert_max_num_queries: Callable,
    blasts: int,
) -> None:
    copies = [
        services.blast_duplicate(account=account, actor=alice, blast=draft)
        for _ in range(blasts - 1)
    ]
    for blast in (draft, *copies):
        finished(launched(account, alice, blast))
    client = browse(alice)

    for path in ("/", "/campaigns/", f"/campaigns/{draft.campaign_id}/"):
        with django_assert_max_num_queries(22):
            client.get(path)
