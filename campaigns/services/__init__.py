"""Writes of the campaigns app: campaigns, drafts of blasts, and when they go out.

What happens to a text once its blast is launched belongs to messaging.
"""

from campaigns.services.approvals import approval_decide, approval_request, may_decide
from campaigns.services.blasts import (
    blast_create,
    blast_discard,
    blast_update,
)
from campaigns.services.campaigns import (
    campaign_archive,
    campaign_change,
    campaign_create,
    campaign_restore,
)
from campaigns.services.copying import blast_duplicate, campaign_duplicate
from campaigns.services.launching import (
    blast_cancel,
    blast_launch,
    blast_pause,
    blast_resume,
    blast_retry,
    blast_schedule,
    blast_undo,
    blasts_launch_due,
)
from campaigns.services.moving import blast_move
from campaigns.services.series import (
    series_change,
    series_keep,
    series_make_due,
    series_pause,
    series_resume,
    series_start,
    series_stop,
)
from campaigns.services.skipping import series_skip, series_unskip
from campaigns.services.testing import blast_test
from campaigns.services.texts import text_approve, text_delete, text_save

__all__ = [
    "approval_decide",
    "approval_request",
    "blast_cancel",
    "blast_create",
    "blast_discard",
    "blast_duplicate",
    "blast_launch",
    "blast_move",
    "blast_pause",
    "blast_resume",
    "blast_retry",
    "blast_schedule",
    "blast_test",
    "blast_undo",
    "blast_update",
    "blasts_launch_due",
    "campaign_archive",
    "campaign_change",
    "campaign_create",
    "campaign_duplicate",
    "campaign_restore",
    "may_decide",
    "series_change",
    "series_keep",
    "series_make_due",
    "series_pause",
    "series_resume",
    "series_skip",
    "series_start",
    "series_stop",
    "series_unskip",
    "text_approve",
    "text_delete",
    "text_save",
]
