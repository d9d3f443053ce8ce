"""Campaigns: made, renamed, put away and brought back; never deleted, for reports stand on them."""

from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.errors import NameInvalid
from campaigns.models import Campaign
from common.clock import now
from common.errors import NotFound

NAME_LIMIT = 120


@transaction.atomic
def campaign_create(*, account: Account, actor: User | None, name: str) -> Campaign:
    """Make a campaign.

    Raises:
        NameInvalid: no name, or one longer than 120 characters.
    """
    name = _name(name)
    campaign = Campaign.objects.create(account=account, name=name, created_by=actor)
    audit_record(account=account, actor=actor, action="campaign.created", subject=name)
    return campaign


@transaction.atomic
def campaign_rename(
    *, account: Account, actor: User | None, campaign: Campaign, name: str
) -> Campaign:
    """Give a campaign another name.

    Raises:
        NameInvalid: no name, or one longer than 120 characters.
        NotFound: the campaign is not the account's.

    Locks: the campaign's row.
    """
    name = _name(name)
    campaign = _locked(account, campaign)
    old, campaign.name = campaign.name, name
    campaign.save(update_fields=["name"])
    audit_record(
        account=account, actor=actor, action="campaign.renamed", subject=name, data={"old": old}
    )
    return campaign


@transaction.atomic
def campaign_put_first(
    *, account: Account, actor: User | None, campaign: Campaign, goes_first: bool
) -> Campaign:
    """Send a campaign's blasts before those of others, or no longer. Counts from the next launch.

    Locks: the campaign's row.
    """
    campaign = _locked(account, campaign)
    if campaign.goes_first != goes_first:
        campaign.goes_first = goes_first
        campaign.save(update_fields=["goes_first"])
        audit_record(
            account=account,
            actor=actor,
            action="campaign.put_first" if goes_first else "campaign.put_in_line",
            subject=campaign.name,
        )
    return campaign


@transaction.atomic
def campaign_archive(*, account: Account, actor: User | None, campaign: Campaign) -> Campaign:
    """Put a campaign away: out of the list, its reports stay. Idempotent.

    Blasts already scheduled still go out.

    Locks: the campaign's row.
    """
    campaign = _locked(account, campaign)
    if campaign.archived_at is None:
        campaign.archived_at = now()
        campaign.save(update_fields=["archived_at"])
        audit_record(
            account=account, actor=actor, action="campaign.archived", subject=campaign.name
        )
    return campaign


@transaction.atomic
def campaign_restore(*, account: Account, actor: User | None, campaign: Campaign) -> Campaign:
    """Bring an archived campaign back into the list. Idempotent.

    Locks: the campaign's row.
    """
    campaign = _locked(account, campaign)
    if campaign.archived_at is not None:
        campaign.archived_at = None
        campaign.save(update_fields=["archived_at"])
        audit_record(
            account=account, actor=actor, action="campaign.restored", subject=campaign.name
        )
    return campaign


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise NameInvalid(limit=NAME_LIMIT)
    return name


def _locked(account: Account, campaign: Campaign) -> Campaign:
    found = Campaign.objects.select_for_update().filter(account=account, pk=campaign.pk).first()
    if found is None:
        raise NotFound
    return found
