"""What carriers tell in webhooks, in one vocabulary: an inbound text, a tap on a link.

Owns the normalised shapes only. Each gateway has a pure translator (`twilio_webhooks.py`) from its
raw payload to these; the raw payload is always stored beside them.
"""

from datetime import datetime
from typing import NamedTuple


class InboundText(NamedTuple):
    """A text that a phone sent to one of our numbers.

    Attributes:
        carrier_id: The carrier's id of the text, by which a repeated webhook is known.
        account_ref: The carrier account the payload claims to come from.
        phone: Who sent it.
        our_number: Whom it was sent to.
        body: What it says; may be empty where media came.
        segments: As the carrier counted.
        opt_out_word: `STOP`, `START` or `HELP` when the carrier has recognised and answered it
            itself, else "".
        media: Addresses of what came with it, at the carrier.
    """

    carrier_id: str
    account_ref: str
    phone: str
    our_number: str
    body: str
    segments: int = 1
    opt_out_word: str = ""
    media: tuple[str, ...] = ()


class LinkClick(NamedTuple):
    """A tap on a link that the carrier shortened.

    Attributes:
        carrier_id: The carrier's id of the message the link stood in.
        account_ref: The carrier account the payload claims to come from.
        destination: The address behind the link.
        at: When it was tapped, or None where the carrier does not say.
        user_agent: Of whoever fetched it; robots are not filtered by carriers.
    """

    carrier_id: str
    account_ref: str
    destination: str
    at: datetime | None
    user_agent: str
