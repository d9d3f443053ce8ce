"""The one confirmation of an opt-out: how it is known, and when the carrier gave it itself.

A carrier that handles opt-outs answers a STOP of its own accord and from then on refuses texts to
that phone (21610), ours first. Nothing went wrong then: the person was told, and is left alone.
"""

from typing import Final

from messaging.choices import BatchKind, MessageState, Reason
from messaging.models import Batch, Message

_KEY: Final = "stop:"
_REFUSED: Final = (MessageState.REFUSED, MessageState.FAILED, MessageState.UNDELIVERED)


def confirmation_key(stop: Message) -> str:
    """The request key of the confirmation of an inbound STOP: one each."""
    return f"{_KEY}{stop.pk}"


def confirmed_by_carrier(message: Message, batch: Batch | None) -> bool:
    """Whether `message` is our confirmation, not sent because the carrier confirmed by itself.

    Args:
        message: Any message.
        batch: What it is part of; asked only where the message was refused for an opt-out.
    """
    return (
        message.reason == Reason.OPTED_OUT
        and message.state in _REFUSED
        and batch is not None
        and batch.kind == BatchKind.AUTO
        and batch.request_key.startswith(_KEY)
    )
