"""Inbound texts that join: an opt-in keyword, and the YES that confirms.

Owns what is done about them. The person texted at this moment, so the answer goes out at any hour
and as an automatic answer, also to somebody who had left: their own text is consent anew (47 CFR
64.1200(a)(10)), and lifts the opt-out on our list. It does not lift a carrier's own block, which
only START does: the carrier then refuses our answer (21610) and the opt-out stands again, as
reported by the carrier.
"""

from contacts.models import OptInForm, OptInKeyword, OptInPending
from contacts.selectors import optin_keyword_find
from contacts.services import optin_accept, optin_ask, optin_confirm
from messaging import joining
from messaging.choices import BatchKind, Direction, MessageState
from messaging.keywords import Keyword, KeywordKind, key_of
from messaging.models import Message, SenderNumber
from messaging.receipts import answers


def keyword_in(message: Message, keyword: Keyword) -> OptInKeyword | None:
    """The account's opt-in keyword that the whole text is. STOP, START and HELP win over any."""
    if keyword.kind != KeywordKind.NONE or keyword.likely_opt_out:
        return None
    return optin_keyword_find(account=message.account, key=key_of(message.body))


def confirm(message: Message) -> OptInForm | OptInKeyword | None:
    """Take a START or YES for what is pending; what they joined by, None where nothing is."""
    if _is_unasked(message):
        return None
    return optin_confirm(
        account=message.account,
        phone=message.phone,
        message_id=message.pk,
        at=message.created_at,
    )


def _is_unasked(message: Message) -> bool:
    """Whether the form's question has not gone out yet, so that a YES answers something else."""
    who = {"account": message.account, "phone": message.phone}
    return (
        OptInPending.objects.filter(form__isnull=False, **who).exists()
        and Message.objects.filter(
            direction=Direction.OUT,
            state=MessageState.PENDING,
            batch__kind=BatchKind.OPTIN,
            **who,
        ).exists()
    )


def obey(
    *, message: Message, sender: SenderNumber, keyword: OptInKeyword, may_answer: bool
) -> None:
    """Do what an opt-in keyword stands for; its answer is given once an hour at most.

    Args:
        message: The text.
        sender: The number it was sent to.
        keyword: What it is.
        may_answer: Whether an answer still makes sense.
    """
    wording = joining.keyword_proof(keyword, message.body.strip())
    hour = f"{message.created_at:%Y%m%d%H}"
    key = f"join:{keyword.pk}:{sender.pk}:{message.phone}:{hour}"
    if keyword.asks_yes:
        if may_answer:
            optin_ask(way=keyword, phone=message.phone, wording=wording, message_id=message.pk)
            answers.send(
                message=message, sender=sender, body=joining.question(keyword), request_key=key
            )
        return
    is_in = optin_accept(
        way=keyword,
        phone=message.phone,
        wording=wording,
        message_id=message.pk,
        at=message.created_at,
    )
    if is_in and may_answer:
        answers.send(message=message, sender=sender, body=joining.welcome(keyword), request_key=key)


def greet(*, message: Message, sender: SenderNumber, way: OptInForm | OptInKeyword) -> None:
    """Welcome whoever said YES."""
    answers.send(
        message=message,
        sender=sender,
        body=joining.welcome(way),
        request_key=f"welcome:{message.pk}",
    )
