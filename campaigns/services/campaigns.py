"""Campaigns: made, renamed, put away and brought back; never deleted, for reports stand on them."""

from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.errors import NameInvalid
from campaigns.models import Campaign
from common.clock import now
from common.errors import Invalid, NotFound
from messaging.budget import group_budget_set

NAME_LIMIT = 120
BUDGET_LIMIT = 1_000_000_000


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
def campaign_change(
    *,
    account: Account,
    actor: User | None,
    campaign: Campaign,
    name: str | None = None,
    goes_first: bool | None = None,
    budget_credits: int | None = None,
) -> Campaign:
    """Change a campaign; what is None stays, and what is the same leaves no trail.

    Args:
        account: The tenant.
        actor: Who changes it.
        campaign: One of the account's.
        name: What people call it.
        goes_first: Whether its blasts are sent before those of others, from the next launch on.
        budget_credits: Most credits its blasts may use together; 0 for no limit. One under way
            is paused before it passes a budget that was lowered.

    Raises:
        NameInvalid: no name, or one longer than 120 characters.
        Invalid: a budget below 0 or beyond all measure.
        NotFound: the campaign is not the account's.

    Locks: the campaign's row, batches by id.
    """
    if budget_credits is not None and not 0 <= budget_credits <= BUDGET_LIMIT:
        sentence = f"Between 0 (no limit) and {BUDGET_LIMIT:,} credits."
        raise Invalid(f"{sentence} Nothing was changed.", fields={"budget_credits": sentence})
    wanted = {
        "name": None if name is None else _name(name),
        "goes_first": goes_first,
        "budget_credits": budget_credits,
    }
    campaign = _locked(account, campaign)
    old = {
        field: getattr(campaign, field)
        for field, value in wanted.items()
        if value is not None and getattr(campaign, field) != value
    }
    if old:
        for field in old:
            setattr(campaign, field, wanted[field])
        campaign.save(update_fields=list(old))
        if "budget_credits" in old:
            group_budget_set(account=account, group=campaign.pk, credits=campaign.budget_credits)
        audit_record(
            account=account,
            actor=actor,
            action="campaign.changed",
            subject=campaign.name,
            data={field: [str(before), str(wanted[field])] for field, before in old.items()},
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
