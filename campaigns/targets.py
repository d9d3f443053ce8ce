"""Blasts and campaigns as the rules of smart groups name them (contacts.rule_sources)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from django.db.models import Q

from accounts.models import Account
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from common.sql import Sql
from contacts.rules import Target

# As many of each as a list to choose from can hold and still be read.
_CHOICES: Final = 200
_COLUMNS: Final = {"blast": "id", "campaign": "campaign_id"}


class BlastTargets:
    """Answers for both, by the account's own blasts only."""

    def batches(self, *, account: Account, target: Target) -> Sql:
        """A subquery of the ids of the target's batches; of none before its launch."""
        return Sql(
            "SELECT b.batch_id FROM campaigns_blast b WHERE b.account_id = %s "
            f"AND b.{_COLUMNS[target.kind]} = %s AND b.batch_id IS NOT NULL",
            [account.pk, target.id],
        )

    def names(self, *, account: Account, targets: Collection[Target]) -> Mapping[Target, str]:
        """What the targets are called; none of another account. Two queries at most."""
        found: dict[Target, str] = {}
        ids = {kind: [one.id for one in targets if one.kind == kind] for kind in _COLUMNS}
        if ids["blast"]:
            blasts = Blast.objects.filter(account=account, pk__in=ids["blast"])
            found |= {Target("blast", blast.pk): blast.name for blast in blasts}
        if ids["campaign"]:
            campaigns = Campaign.objects.filter(account=account, pk__in=ids["campaign"])
            found |= {Target("campaign", one.pk): one.name for one in campaigns}
        return found

    def choices(self, *, account: Account) -> Sequence[tuple[Target, str]]:
        """The newest campaigns, then the newest blasts that went out or will. Two queries."""
        campaigns = Campaign.objects.filter(account=account, archived_at=None).order_by("-pk")
        blasts = (
            Blast.objects.filter(account=account)
            .filter(Q(batch__isnull=False) | Q(state=BlastState.SCHEDULED))
            .select_related("campaign")
            .order_by("-pk")
        )
        return [
            *((Target("campaign", one.pk), one.name) for one in campaigns[:_CHOICES]),
            *(
                (Target("blast", one.pk), f"{one.campaign.name} · {one.name}")
                for one in blasts[:_CHOICES]
            ),
        ]
