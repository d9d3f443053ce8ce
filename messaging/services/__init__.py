"""Writes of messaging: launching, one-to-one messages, control of batches, estimates.

Owns what may be asked for; carrying it out is the send engine's (`messaging.sending`).
"""

from messaging.services.control import batch_cancel, batch_pause, batch_resume
from messaging.services.crowding import people_crowded
from messaging.services.estimating import Audience, Estimate, Priced, audience_count, estimate
from messaging.services.grouping import messages_group
from messaging.services.hours import hours_rule_add, hours_rule_end
from messaging.services.launch import batch_launch
from messaging.services.media import media_upload, media_wanted
from messaging.services.retrying import batch_retry
from messaging.services.single import (
    message_send,
    reason_not_texted,
    sender_default,
    single_waits_until,
)
from messaging.services.timing import Timing, clocks, timing, timing_people

__all__ = [
    "Audience",
    "Estimate",
    "Priced",
    "Timing",
    "audience_count",
    "batch_cancel",
    "batch_launch",
    "batch_pause",
    "batch_resume",
    "batch_retry",
    "clocks",
    "estimate",
    "hours_rule_add",
    "hours_rule_end",
    "media_upload",
    "media_wanted",
    "message_send",
    "messages_group",
    "people_crowded",
    "reason_not_texted",
    "sender_default",
    "single_waits_until",
    "timing",
    "timing_people",
]
