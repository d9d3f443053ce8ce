"""The people of a blast, or of all blasts of a campaign, as a file."""

from django.db.models import QuerySet

from accounts.models import Account
from campaigns import selectors
from campaigns.models import Blast, Campaign
from common.errors import NotFound
from common.text import whole_number
from exports.lists import ExportList, Params, titled
from messaging.exporting import MESSAGE_COLUMNS, message_heading
from messaging.listing import listing_read
from messaging.models import Message
from messaging.selectors import messages_list


def _source(account: Account, params: Params) -> tuple[str, list[int]]:
    """What the list is called and the batches it is of: `blast` or `campaign` of the parameters."""
    blast_id, campaign_id = (whole_number(params.get(name, "")) for name in ("blast", "campaign"))
    if blast_id is not None:
        blast = Blast.objects.filter(account=account, pk=blast_id).first()
        if blast is not None:
            return blast.name, [blast.batch_id] if blast.batch_id else []
    elif campaign_id is not None:
        campaign = Campaign.objects.filter(account=account, pk=campaign_id).first()
        if campaign is not None:
            return campaign.name, selectors.campaign_batches(campaign=campaign)
    raise NotFound


def _title(account: Account, params: Params) -> str:
    name, _ = _source(account, params)
    return titled(name, listing_read(params).words)


def _rows(account: Account, params: Params) -> QuerySet[Message]:
    _, batches = _source(account, params)
    chosen = listing_read(params)
    rows = messages_list(account=account, batches=batches, chosen=chosen)
    return rows.select_related("batch")


PEOPLE = ExportList(title=_title, heading=message_heading, rows=_rows, columns=MESSAGE_COLUMNS)
