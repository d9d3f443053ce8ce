import pytest

from accounts.models import Account, AuditEvent, User
from campaigns import services
from campaigns.errors import CampaignArchived, NameInvalid
from campaigns.models import Blast, Campaign
from campaigns.selectors import campaigns_list
from common.errors import NotFound


def test_a_campaign_is_made_with_its_name_tidied_and_noted(account: Account, alice: User) -> None:
    campaign = services.campaign_create(account=account, actor=alice, name="  Mother's   Day ")

    assert campaign.name == "Mother's Day"
    event = AuditEvent.objects.get(account=account, action="campaign.created")
    assert (event.actor, event.subject) == (alice, "Mother's Day")


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_name_is_needed(account: Account, alice: User, name: str) -> None:
    with pytest.raises(NameInvalid):
        services.campaign_create(account=account, actor=alice, name=name)

    assert Campaign.objects.count() == 0


def test_renaming_remembers_the_old_name(account: Account, alice: User, campaign: Campaign) -> None:
    services.campaign_change(account=account, actor=alice, campaign=campaign, name="May")

    campaign.refresh_from_db()
    assert campaign.name == "May"
    event = AuditEvent.objects.get(account=account, action="campaign.changed")
    assert event.data == {"name": ["Mother's Day", "May"]}


def test_an_archived_campaign_leaves_the_list_takes_no_blast_and_comes_back(
    account: Account, alice: User, campaign: Campaign
) -> None:
    services.campaign_archive(account=account, actor=alice, campaign=campaign)
    services.campaign_archive(account=account, actor=alice, campaign=campaign)
    campaign.refresh_from_db()

    assert list(campaigns_list(account=account)) == []
    assert list(campaigns_list(account=account, archived=True)) == [campaign]
    with pytest.raises(CampaignArchived):
        services.blast_create(account=account, actor=alice, campaign=campaign, body="Hi")
    assert Blast.objects.count() == 0
    assert AuditEvent.objects.filter(action="campaign.archived").count() == 1

    services.campaign_restore(account=account, actor=alice, campaign=campaign)
    assert list(campaigns_list(account=account)) == [campaign]


def test_another_accounts_campaign_does_not_exist(
    other_account: Account, charlie: User, campaign: Campaign
) -> None:
    for service in (services.campaign_archive, services.campaign_restore):
        with pytest.raises(NotFound):
            service(account=other_account, actor=charlie, campaign=campaign)
    with pytest.raises(NotFound):
        services.campaign_change(
            account=other_account, actor=charlie, campaign=campaign, name="Mine"
        )

    campaign.refresh_from_db()
    assert (campaign.name, campaign.archived_at) == ("Mother's Day", None)
