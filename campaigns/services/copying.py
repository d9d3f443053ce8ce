"""Copies: a blast used again, a campaign with all its blasts. Every copy is a draft.

What a copy takes over is text, people, numbers and choices, and of one that repeats its rule,
begun anew. What was sent, its links and its figures stay with the original.
"""

from datetime import date
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Account, User
from campaigns.choices import BlastState, SeriesState
from campaigns.models import Blast, Campaign, Series
from campaigns.planning import Plan
from campaigns.services.blasts import NAME_LIMIT, blast_create, locked
from campaigns.services.campaigns import campaign_change, campaign_create
from campaigns.services.moving import plan_on
from common.clock import now
from common.errors import NotFound
from messaging.selectors import media_list

_AGAIN = " (again)"


@transaction.atomic
def blast_duplicate(
    *, account: Account, actor: User | None, blast: Blast, on: date | None = None
) -> Blast:
    """Copy text, groups and sender of any blast into a new draft of the same campaign.

    With `on` the draft is planned for that day of the account's clock, at the blast's time of day;
    without it the copy of one that repeats is meant to repeat as well, from today on.

    Raises:
        CampaignArchived: the campaign was put away.
        NotFound: the blast is not the account's.

    Locks: the blast's row.
    """
    blast = locked(account, blast)
    plan = plan_on(account, blast, on) if on else None
    copy = _copied(account, actor, blast, blast.campaign, name=_again(blast.name), plan=plan)
    if on is None:
        _rule_copied(blast, copy, since=_today(account))
    return copy


@transaction.atomic
def campaign_duplicate(
    *,
    account: Account,
    actor: User | None,
    campaign: Campaign,
    name: str = "",
    starts_on: date | None = None,
) -> Campaign:
    """Make a new campaign with a draft of every blast, in their order; of a series its pattern.

    With `starts_on` the first blast is planned for that day of the account's clock and the others
    keep their distance from it and their times of day; without it no copy has a time.

    Raises:
        NameInvalid: a name longer than 120 characters.
        NotFound: the campaign is not the account's.
    """
    found = Campaign.objects.filter(account=account, pk=campaign.pk).first()
    if found is None:
        raise NotFound
    copy = campaign_create(account=account, actor=actor, name=name or _again(found.name))
    copy = campaign_change(
        account=account,
        actor=actor,
        campaign=copy,
        goes_first=found.goes_first,
        budget_credits=found.budget_credits,
    )
    blasts = list(
        found.blasts.exclude(state=BlastState.CANCELED)
        .filter(series=None)
        .select_related("sender", "batch", "repeats")
        .order_by("pk")
    )
    days = {blast.pk: day for blast in blasts if (day := day_of(account, blast))}
    shift = starts_on - min(days.values()) if starts_on and days else None
    for blast in blasts:
        day = days.get(blast.pk)
        on = day + shift if day is not None and shift is not None else None
        repeats = hasattr(blast, "repeats")
        plan = plan_on(account, blast, on) if on and not repeats else None
        made = _copied(account, actor, blast, copy, name=blast.name, plan=plan)
        _rule_copied(blast, made, since=on or _today(account))
    return copy


def day_of(account: Account, blast: Blast) -> date | None:
    """The day on which a blast went or is to go out first; None where nobody said."""
    if hasattr(blast, "repeats"):
        return blast.repeats.starts_on
    if blast.batch is None and blast.local_on is not None:
        return blast.local_on
    at = blast.batch.launched_at if blast.batch else blast.scheduled_at
    return at.astimezone(ZoneInfo(account.timezone)).date() if at else None


def _copied(
    account: Account,
    actor: User | None,
    blast: Blast,
    campaign: Campaign,
    *,
    name: str,
    plan: Plan | None,
) -> Blast:
    sender = blast.sender
    return blast_create(
        account=account,
        actor=actor,
        campaign=campaign,
        name=name,
        body=blast.body,
        group_ids=list(blast.groups.values_list("pk", flat=True)),
        sender=sender if sender and sender.released_at is None else None,
        more_senders=list(blast.more_senders.filter(released_at=None)),
        give_up_hours=blast.give_up_hours,
        smart_encoding=blast.smart_encoding,
        # Of one that was thrown away they may be gone.
        media_ids=[one.pk for one in media_list(account=account, media_ids=blast.media_ids)],
        utm=blast.utm,
        plan=plan,
    )


def _rule_copied(blast: Blast, copy: Blast, *, since: date) -> None:
    series = Series.objects.filter(blast=blast).first()
    if series is not None:
        kept = Series(account_id=copy.account_id, blast=copy, state=SeriesState.DRAFT)
        kept.rule_set(series.rule.anew(since=since))
        kept.save()


def _again(name: str) -> str:
    return f"{name[: NAME_LIMIT - len(_AGAIN)]}{_AGAIN}"


def _today(account: Account) -> date:
    return now().astimezone(ZoneInfo(account.timezone)).date()
