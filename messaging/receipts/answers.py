"""Automatic answers: HELP, the one confirmation of an opt-out, and the way out for all of them.

Owns the first two's words and how often they are given. They go through the same door as every
text, as `BatchKind.AUTO`. Sources: CTIA Messaging Principles (HELP is always answered: brand,
contact, rates, STOP); 47 CFR 64.1200(a)(12) (one confirmation, without marketing, within five
minutes: later it would have to be justified).
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts.models import Account
from common.clock import now
from common.errors import DomainError
from messaging.choices import BatchKind, Priority
from messaging.confirmations import confirmation_key
from messaging.keywords import Keyword, KeywordKind
from messaging.models import Message, SenderNumber
from messaging.sender_kinds import FACTS
from messaging.services import message_send

log = logging.getLogger(__name__)

# Neither queued nor sent later than so long after the STOP.
CONFIRMED_WITHIN: Final = timedelta(minutes=5)


def help_answer(*, message: Message, sender: SenderNumber) -> None:
    """Answer HELP, at most once an hour: two machines must not talk to each other for ever."""
    account = message.account
    hour = message.created_at.strftime("%Y%m%d%H")
    send(
        message=message,
        sender=sender,
        body=account.help_text
        or f"{_brand(account)}: Reply to this text and we will read it. "
        "Msg & data rates may apply. Reply STOP to opt out.",
        request_key=f"help:{sender.pk}:{message.phone}:{hour}",
    )


def stop_confirmation(*, message: Message, sender: SenderNumber) -> None:
    """Confirm an opt-out, once per opt-out; `messaging.confirmations` if the carrier did so.

    Whoever left five minutes ago and more is left alone instead.
    """
    until = message.created_at + CONFIRMED_WITHIN
    if now() >= until:
        return
    send(
        message=message,
        sender=sender,
        body=f"{_brand(message.account)}: You are opted out and will get no more texts from us. "
        "Reply START to come back.",
        request_key=confirmation_key(message),
        expires_at=until,
    )


def network_answers(sender: SenderNumber, keyword: Keyword) -> bool:
    """Whether the network has answered already: it does so for STOP to a toll-free number.

    It knows no other word there (docs.aws.amazon.com/sms-voice, required keywords), and it says
    nothing on long and short codes: those are ours, unless the carrier names `OptOutType`.
    """
    if keyword.kind != KeywordKind.STOP or keyword.matched != "stop":
        return False
    return FACTS[sender.kind].network_answers_stop


def is_timely(*, at: datetime) -> bool:
    """Whether an answer still makes sense to whoever wrote at `at`."""
    return (now() - at).total_seconds() < 3600


def _brand(account: Account) -> str:
    return account.brand or account.name


def send(
    *,
    message: Message,
    sender: SenderNumber,
    body: str,
    request_key: str,
    expires_at: datetime | None = None,
) -> None:
    """Queue an answer, once for each key; with `expires_at` it is not sent from then on.

    An account that may not send now answers nobody; what was recorded stands regardless.
    """
    try:
        with transaction.atomic():
            message_send(
                account=message.account,
                actor=None,
                phone=message.phone,
                body=body,
                sender=sender,
                kind=BatchKind.AUTO,
                request_key=request_key,
                contact=message.contact,
                priority=Priority.REPLY,
                expires_at=expires_at,
            )
    except DomainError as error:
        log.warning("no automatic answer to message %s: %s", message.pk, error)
