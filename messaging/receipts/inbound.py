"""Inbound texts: filed, attributed, and obeyed where they say STOP, HELP or START.

Owns what an inbound text does. One transaction stores it, marks the message it answers, moves
the batch's totals and revokes consent, so that nobody who was told "stored" is texted again.
Threads are the inbox's: it hears of the text by `message_received`.
"""

import logging
import re
from datetime import datetime

from django.db import IntegrityError, connection, transaction

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.models import Contact
from contacts.selectors import opted_out
from contacts.services import consent_grant, consent_revoke, number_returns, people_lock
from messaging.activity import ActivityMoves, activity_move, minute_of
from messaging.choices import Direction, Happened, MessageState
from messaging.gateways.events import InboundText
from messaging.inbound_media import inbound_media_note
from messaging.keywords import Keyword, KeywordKind, classify
from messaging.models import CarrierAccount, Message, SenderNumber
from messaging.receipts import answers, joins
from messaging.receipts.attribution import message_answered
from messaging.receipts.queue import SetAside
from messaging.signals import message_received
from messaging.totals import totals_move

log = logging.getLogger(__name__)

# E.164, or a short code. Names and addresses of other channels cannot be texted back.
_PHONE = re.compile(r"\+[1-9][0-9]{4,14}|[0-9]{3,8}")
# A body is never longer at any carrier; what is would be a forgery or a mistake.
_BODY_LIMIT = 20_000
# Everyday words: they mean "start again" only to somebody who had left.
_EVERYDAY_STARTS = frozenset({"yes"})


@transaction.atomic
def inbound_file(
    *, carrier_account: CarrierAccount, text: InboundText, at: datetime
) -> Message | None:
    """Store an inbound text and do what it asks for.

    Args:
        carrier_account: Whose webhook or list brought it.
        text: What it says.
        at: When it came.

    Returns:
        The stored message; None when this text was stored before.

    Raises:
        SetAside: it is not addressed to a number of this carrier account, or not from a phone.

    Locks: the person's contacts by phone (of who leaves or comes back), the message it answers, its
        batch's totals and activity, the conversation, the account.
    Side effects: consent, automatic answers, signal `message_received`; its files are fetched.
    """
    sender = _sender(carrier_account, text)
    # Before anything is obeyed: lists and repeated webhooks tell of texts from before an erasure.
    if _filed(sender.account, text) is not None:
        return None
    number_returns(account=sender.account, phone=text.phone)
    message = _store(sender, text, at)
    if message is None:
        return None
    inbound_media_note(message=message, carrier_account=carrier_account, urls=text.media)
    keyword = _meaning(sender.account, text)
    leaves = keyword.kind == KeywordKind.STOP or keyword.likely_opt_out
    is_answered = bool(text.opt_out_word) or answers.network_answers(sender, keyword)
    may_answer = not is_answered and answers.is_timely(at=at)
    if _joins(message, sender, keyword, may_answer=may_answer):
        _tell(message)
        return message
    if leaves or keyword.kind == KeywordKind.START:
        people_lock(account=sender.account, phones=[text.phone])
    _attribute(message, leaves=leaves)
    has_left = _consent(message, keyword) if leaves else False
    if keyword.kind == KeywordKind.START:
        _come_back(message, keyword)
    _tell(message)
    if may_answer:
        if has_left:
            answers.stop_confirmation(message=message, sender=sender)
        elif keyword.kind == KeywordKind.HELP:
            answers.help_answer(message=message, sender=sender)
    return message


def inbound_filed(*, carrier_account: CarrierAccount, text: InboundText) -> Message | None:
    """The message that this text was stored as before; None where it was not.

    Raises:
        SetAside: as `inbound_file`.
    """
    return _filed(_sender(carrier_account, text).account, text)


def _filed(account: Account, text: InboundText) -> Message | None:
    if not text.carrier_id:
        return None
    return Message.objects.filter(account=account, carrier_id=text.carrier_id[:64]).first()


def _sender(carrier_account: CarrierAccount, text: InboundText) -> SenderNumber:
    """The number it was sent to; one given up still hears a STOP, unless somebody else has it."""
    if text.account_ref != carrier_account.external_id:
        raise SetAside("It names another account of the carrier.")
    if not _PHONE.fullmatch(text.phone):
        raise SetAside("It does not come from a phone.")
    sender = (
        SenderNumber.objects.filter(carrier_account=carrier_account, phone=text.our_number)
        .select_related("account")
        .order_by("released_at", "-id")
    )
    found = sender.filter(released_at__isnull=True).first() or sender.last()
    if found is None:
        raise SetAside("It was sent to a number that is not of this carrier account.")
    return found


def _store(sender: SenderNumber, text: InboundText, at: datetime) -> Message | None:
    account = sender.account
    try:
        with transaction.atomic():
            return Message.objects.create(
                account=account,
                direction=Direction.IN,
                state=MessageState.RECEIVED,
                phone=text.phone,
                our_number=text.our_number,
                contact=Contact.objects.filter(account=account, phone=text.phone).first(),
                body=text.body.replace("\0", "")[:_BODY_LIMIT],
                segments=text.segments,
                carrier_id=text.carrier_id[:64] or None,
                created_at=at,
            )
    except IntegrityError:  # another worker stored the repetition at this moment
        return None


def _meaning(account: Account, text: InboundText) -> Keyword:
    """What it asks for; a carrier that recognised and answered a keyword is believed."""
    keyword = classify(text.body, account.stop_words, account.start_words)
    kinds = {kind.name: kind for kind in KeywordKind if kind != KeywordKind.NONE}
    said = kinds.get(text.opt_out_word)
    if said is None:
        return keyword
    return Keyword(said, text.opt_out_word.lower(), False, keyword.wording)


def _attribute(message: Message, *, leaves: bool) -> None:
    """Mark the message that this one answers, the first time, and count it."""
    answered = message_answered(
        account=message.account,
        our_number=message.our_number,
        phone=message.phone,
        at=message.created_at,
    )
    if answered is None or answered.batch_id is None:
        return
    message.answers_batch_id = answered.batch_id
    message.save(update_fields=["answers_batch_id"])
    mark, total = ("opted_out_at", "opted_out") if leaves else ("replied_at", "replied")
    first = Message.objects.filter(pk=answered.pk, **{f"{mark}__isnull": True})
    if first.update(**{mark: message.created_at}):
        activity = ActivityMoves()
        what = Happened.OPTED_OUT if leaves else Happened.REPLIED
        activity.happened(
            answered.batch_id, answered.our_number, what, minute_of(message.created_at)
        )
        with connection.cursor() as cursor:
            totals_move(cursor, {answered.batch_id: {total: 1}})
            activity_move(cursor, activity.deltas)


def _consent(message: Message, keyword: Keyword) -> bool:
    """Revoke consent, for all their numbers. Returns whether they had not left before."""
    is_keyword = keyword.kind == KeywordKind.STOP
    return consent_revoke(
        account=message.account,
        phone=message.phone,
        source=ConsentSource.KEYWORD if is_keyword else ConsentSource.FREE_TEXT,
        wording=keyword.wording,
        message_id=message.pk,
        at=message.created_at,
    )


def _joins(message: Message, sender: SenderNumber, keyword: Keyword, *, may_answer: bool) -> bool:
    """Obey an opt-in keyword or the YES to one; such a text is no reply to a blast."""
    if keyword.kind == KeywordKind.START:
        way = joins.confirm(message)
        if way and may_answer:
            joins.greet(message=message, sender=sender, way=way)
        return way is not None
    own = joins.keyword_in(message, keyword)
    if own:
        joins.obey(message=message, sender=sender, keyword=own, may_answer=may_answer)
    return own is not None


def _come_back(message: Message, keyword: Keyword) -> None:
    """START is an opt-in; "yes" only from somebody who had left, else it is an answer."""
    account: Account = message.account
    if keyword.matched in _EVERYDAY_STARTS and not opted_out(account=account, phone=message.phone):
        return
    consent_grant(
        account=account,
        phone=message.phone,
        source=ConsentSource.KEYWORD,
        wording=keyword.wording,
        message_id=message.pk,
        at=message.created_at,
    )


def _tell(message: Message) -> None:
    """News for the inbox. A listener that fails loses nothing: its sweep finds the text."""
    try:
        with transaction.atomic():
            message_received.send(sender=Message, message=message)
    except Exception:
        log.exception("a listener failed on inbound message %s", message.pk)
