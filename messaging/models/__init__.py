"""Sender numbers, batches, messages, attempts, carrier events and kept totals.

Owns everything between "text these people" and the carrier's last word. Blasts and campaigns
(the marketer's view) and conversations (the inbox) live above and point down to these rows.
"""

from messaging.models.batches import Batch, BatchWatch, Chunk, Retention
from messaging.models.carriers import CarrierAccount, Lane, Price, SenderDay, SenderNumber
from messaging.models.drift import DriftReport, DriftRow
from messaging.models.events import CarrierEvent, CarrierEventQueue
from messaging.models.hours import HoursRule
from messaging.models.lookups import Lookup, LookupRun
from messaging.models.media import InboundMedia, Media
from messaging.models.messages import Attempt, Message
from messaging.models.totals import BatchActivity, BatchCost, BatchTally, BatchTotals

__all__ = [
    "Attempt",
    "Batch",
    "BatchActivity",
    "BatchCost",
    "BatchTally",
    "BatchTotals",
    "BatchWatch",
    "CarrierAccount",
    "CarrierEvent",
    "CarrierEventQueue",
    "Chunk",
    "DriftReport",
    "DriftRow",
    "HoursRule",
    "InboundMedia",
    "Lane",
    "Lookup",
    "LookupRun",
    "Media",
    "Message",
    "Price",
    "Retention",
    "SenderDay",
    "SenderNumber",
]
