"""Reads of campaigns and blasts, and of the figures under them.

Figures themselves are `messaging.selectors`'; here they are gathered by blast, campaign and period.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from django.db.models import Q, QuerySet

from accounts.models import Account
from campaigns.choices import BlastState, SeriesState
from campaigns.models import Blast, Campaign, SavedText
from campaigns.opening import blast_opens, campaign_opens
from contacts.models import Contact
from messaging.advice import Advice, advise
from messaging.choices import BatchState
from messaging.models import Batch, Message, SenderNumber
from messaging.opening import Opens
from messaging.rendering import compile_body
from messaging.selectors import (
    Figures,
    batch_figures,
    figures_sum,
    has_newcomers,
)
from tracking.destinations import destinations_known
from tracking.models import Destination

# How many recipients are asked for an example of the text.
_EXAMPLES = 500
_NOT_SHOWN = Q(state=BlastState.CANCELED, batch__isnull=True)


def media_in_use(media_ids: Collection[int]) -> set[int]:
    """Those of some pictures that drafts, blasts or saved texts carry. Two queries.

    What was thrown away before it was sent uses none.
    """
    ids = list(media_ids)
    blasts = Blast.objects.filter(media_ids__overlap=ids).exclude(_NOT_SHOWN)
    texts = SavedText.objects.filter(media_ids__overlap=ids)
    rows = [*blasts.values_list("media_ids", flat=True), *texts.values_list("media_ids", flat=True)]
    return set(chain.from_iterable(rows))


@dataclass(frozen=True)
class BlastRow:
    """A blast with its figures; None before its launch."""

    blast: Blast
    figures: Figures | None

    @property
    def opens(self) -> Opens:
        """Where the lists behind its figures open."""
        return blast_opens(self.blast)

    @property
    def has_link(self) -> bool:
        """Whether the text that went out holds a link."""
        batch = self.blast.batch
        return batch is not None and bool(compile_body(batch.body).links)


@dataclass(frozen=True)
class CampaignRow:
    """A campaign with its blasts and the sum of their figures; None before the first launch."""

    campaign: Campaign
    blasts: list[BlastRow] = field(default_factory=list)
    figures: Figures | None = None

    @property
    def launched(self) -> list[BlastRow]:
        """Blasts that went out, oldest first."""
        rows = [row for row in self.blasts if row.blast.batch is not None]
        return sorted(rows, key=lambda row: _launched_at(row.blast))

    @property
    def opens(self) -> Opens:
        """Where the lists behind the sums open."""
        return campaign_opens(self.campaign)

    @property
    def has_link(self) -> bool:
        """Whether a text that went out holds a link."""
        return any(row.has_link for row in self.blasts)


def campaigns_list(
    *, account: Account, search: str = "", archived: bool = False
) -> QuerySet[Campaign]:
    """The account's campaigns, unordered (page them by key).

    Args:
        account: Whose campaigns.
        search: Words that must all stand in the name.
        archived: Those put away instead of those in use.
    """
    campaigns = Campaign.objects.filter(account=account, archived_at__isnull=not archived)
    for word in search.split():
        campaigns = campaigns.filter(name__icontains=word)
    return campaigns


def campaigns_open(*, account: Account) -> QuerySet[Campaign]:
    """Campaigns a blast may be written into, newest first."""
    return Campaign.objects.filter(account=account, archived_at=None).order_by("-id")


def campaign_rows(campaigns: Sequence[Campaign]) -> list[CampaignRow]:
    """Campaigns with their blasts and sums, in the order given. Two queries beyond the figures'."""
    rows = blast_rows(
        _blasts().filter(campaign__in=[campaign.pk for campaign in campaigns]).order_by("-id")
    )
    by_campaign: dict[int, list[BlastRow]] = {}
    for row in rows:
        by_campaign.setdefault(row.blast.campaign_id, []).append(row)
    return [
        CampaignRow(campaign, blasts, sum_of(blasts))
        for campaign in campaigns
        for blasts in [by_campaign.get(campaign.pk, [])]
    ]


def blast_rows(blasts: QuerySet[Blast] | Sequence[Blast]) -> list[BlastRow]:
    """Blasts with their figures, in the order given."""
    blasts = list(blasts)
    figures = batch_figures([blast.batch_id for blast in blasts if blast.batch_id])
    return [
        BlastRow(blast, figures.get(blast.batch_id) if blast.batch_id else None) for blast in blasts
    ]


def sum_of(rows: Sequence[BlastRow]) -> Figures | None:
    """The figures of several blasts together; None where none was launched."""
    known = [row.figures for row in rows if row.figures is not None]
    return figures_sum(known) if known else None


def blasts_list(*, account: Account) -> QuerySet[Blast]:
    """The account's blasts but discarded drafts, with campaign, sender, people and batch."""
    return _blasts().filter(account=account)


def blasts_unsent(*, account: Account, limit: int = 10) -> QuerySet[Blast]:
    """Drafts and schedules, the next to go out first, then drafts by their last change."""
    waiting = blasts_list(account=account).filter(
        state__in=(BlastState.DRAFT, BlastState.SCHEDULED)
    )
    return waiting.order_by("scheduled_at", "-updated_at")[:limit]


def blasts_launched(
    *,
    account: Account,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Blast]:
    """Blasts that went out at or after `since` and before `until`, newest first."""
    blasts = blasts_list(account=account).filter(batch__isnull=False)
    if since is not None:
        blasts = blasts.filter(batch__launched_at__gte=since)
    if until is not None:
        blasts = blasts.filter(batch__launched_at__lt=until)
    return blasts.order_by("-batch__launched_at", "-id")


def blasts_stuck(*, account: Account, since: datetime) -> QuerySet[Blast]:
    """Blasts that need a hand, newest first, with their numbers.

    Those that could not be sent lately or stand paused, and those planned or repeating whose number
    was given up.
    """
    numberless = Q(sender__released_at__isnull=False) & (
        Q(state=BlastState.SCHEDULED)
        | Q(state=BlastState.REPEATING, repeats__state=SeriesState.RUNNING)
    )
    return (
        blasts_list(account=account)
        .filter(
            Q(state=BlastState.FAILED, updated_at__gte=since)
            | Q(state=BlastState.LAUNCHED, batch__state=BatchState.PAUSED)
            | numberless
        )
        .order_by("-updated_at")[:5]
    )


def campaign_batches(*, campaign: Campaign) -> list[int]:
    """The batches of a campaign's launched blasts, oldest first. One query."""
    launched = Blast.objects.filter(campaign=campaign, batch__isnull=False).order_by("batch_id")
    return [pk for pk in launched.values_list("batch_id", flat=True) if pk is not None]


def senders_list(*, account: Account) -> QuerySet[SenderNumber]:
    """Numbers the account may text from, the default first."""
    return SenderNumber.objects.filter(account=account, released_at=None).order_by(
        "-is_default", "id"
    )


def texts_list(*, account: Account, folder: str = "") -> QuerySet[SavedText]:
    """Saved texts by folder and name; only those of `folder` where it is given. One query."""
    texts = SavedText.objects.filter(account=account).select_related("approved_by")
    if folder:
        texts = texts.filter(folder=folder)
    return texts.order_by("folder", "kind", "name", "id")


def text_folders(*, account: Account) -> list[str]:
    """Names of the folders in use. One query."""
    folders = SavedText.objects.filter(account=account).exclude(folder="")
    return list(folders.order_by("folder").values_list("folder", flat=True).distinct())


def message_example(*, batch: Batch) -> Message | None:
    """One of the first texts of a batch that went out, with its contact. One query.

    Only the first recipients are looked at, whatever the size of the batch.
    """
    first = Message.objects.filter(batch=batch, recipient_no__lte=_EXAMPLES).exclude(body="")
    return first.select_related("contact").order_by("recipient_no").first()


def _blasts() -> QuerySet[Blast]:
    return Blast.objects.exclude(_NOT_SHOWN).select_related(
        "campaign", "sender", "sent_by", "created_by", "batch", "batch__sender"
    )


def _launched_at(blast: Blast) -> datetime:
    return blast.batch.launched_at if blast.batch else blast.created_at


def blast_advice(
    *, account: Account, body: str, people: QuerySet[Contact] | None = None
) -> list[Advice]:
    """What to think about before `body` goes out from `account` to `people`. Three queries.

    Where nobody is chosen yet, its readers are new ones until the account's first blast has gone.

    Raises:
        TemplateError: the body cannot be sent at all.
    """
    if people is None:
        is_first = not Blast.objects.filter(account=account, state=BlastState.LAUNCHED).exists()
    else:
        is_first = has_newcomers(account=account, people=people)
    found = advise(body=body, brand=account.brand or account.name, is_first=is_first)
    links = compile_body(body).links
    known = destinations_known(account=account, urls=links) if links else []
    return found + [advice for advice in map(_page_advice, known) if advice]


def text_flags(*, account: Account, body: str) -> list[Advice]:
    """What in a text that went out carriers tend to filter. No query."""
    return advise(body=body, brand=account.brand or account.name, is_first=False)


def _page_advice(page: Destination) -> Advice | None:
    """What was found when the page was asked last; nothing where it is fine or never was."""
    if page.problem == "slow":
        return Advice(
            "slow_destination",
            f"{page.url} took {page.elapsed_ms / 1000:.1f} seconds to answer.",
            "Many leave after three. Have it made faster, or link to a lighter page.",
        )
    if page.problem:
        said = f"answers with error {page.status}" if page.status else "does not answer"
        return Advice(
            "dead_destination",
            f"{page.url} {said}.",
            "Open it yourself, and mend the address or the page before anybody taps it.",
        )
    return None
