"""A text to one person: reply, API message, automatic answer, code. A batch of one.

Owns `message_send` and which number is used where nobody chooses. Conversations are the inbox's: it
files what `message_queued` announces.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from accounts.errors import InsufficientCredits
from accounts.models import Account, User
from accounts.services import credits_reserve
from common.clock import now
from common.phone import is_erased
from contacts.choices import Consent, LineType
from contacts.models import Contact
from contacts.selectors import erased_number, opted_out
from contacts.services import erasing_held_off
from messaging import signals
from messaging.choices import BatchKind, Direction, MessageState, Priority, Reason
from messaging.content import SEPARATOR, content_of
from messaging.errors import Erased, NoSender
from messaging.gate import PASSES_CONSENT, PASSES_OPT_OUT, Hours, blast_rules
from messaging.hints import hint_send
from messaging.models import Batch, BatchTotals, Message, SenderNumber
from messaging.pricing import type_of
from messaging.recipients import trial_is_restricted
from messaging.rendering import BODY_LIMIT, TemplateError
from messaging.selectors.prices import prices_now
from messaging.services.launch import batch_insert, chunks_insert, may_launch
from messaging.services.media import media_wanted
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move

# Replies go to people who wrote to us; answers and codes were asked for at this moment. A text to
# somebody who never did (`BatchKind.WRITE`) is none.
_ANY_HOUR: Final = frozenset({BatchKind.AUTO, BatchKind.REPLY, BatchKind.TEST})


def sender_default(account: Account) -> SenderNumber:
    """The number an account texts from where nobody chooses: its default, else its oldest.

    Raises:
        NoSender: it has none.
    """
    sender = (
        SenderNumber.objects.filter(account=account, released_at__isnull=True)
        .select_related("carrier_account")
        .order_by("-is_default", "id")
        .first()
    )
    if sender is None:
        raise NoSender
    return sender


@transaction.atomic
def message_send(
    *,
    account: Account,
    actor: User | None,
    phone: str,
    body: str,
    kind: str,
    request_key: str,
    sender: SenderNumber | None = None,
    contact: Contact | None = None,
    priority: int = Priority.SINGLE,
    media_ids: Sequence[int] = (),
    expires_at: datetime | None = None,
    keeps_hours: bool = False,
) -> Message:
    """Queue a text to one person; asking twice with one key asks once.

    The body goes out as it stands: no merge fields, no short links.

    Args:
        account: The tenant.
        actor: The account user who wrote it; None for programs and automatic answers.
        phone: E.164.
        body: The text.
        kind: A `BatchKind`; automatic answers pass consent, and are free where credits are out.
        request_key: What makes a second call return the first one's message.
        sender: One of the account's numbers, or None for its default.
        contact: The person, where known.
        priority: A `Priority`.
        media_ids: Pictures of the account that go with it, in order; then the body may be blank.
        expires_at: From when on it is no longer sent; None for as long as it takes.
        keeps_hours: Whether it waits for allowed hours although its kind need not.

    Returns:
        The message: pending, or skipped with the reason why this person is not texted.

    Raises:
        Erased: the person was erased; nothing is written, as nothing would erase it later.
        TemplateError: the text is blank or too long.
        MediaRefused: too many pictures. NotFound: one of them is not the account's.
        InsufficientCredits, EmailUnverified, AccountSuspended, NoSender, SenderNotUsable,
        SenderWithoutPictures.

    Locks: batch, messages, tally, account.
    Side effects: signal `message_queued`; after commit, a hint to the send queue.
    """
    erasing_held_off(account=account)
    if is_erased(phone) or erased_number(account=account, phone=phone):
        raise Erased
    sender = sender or sender_default(account)
    may_launch(account=account, actor=actor, sender=sender)
    media_ids = media_wanted(account=account, media_ids=media_ids, senders=[sender])
    _check_body(body, has_media=bool(media_ids))
    batch, is_new = batch_insert(
        account=account,
        kind=kind,
        name="",
        body=body.replace(SEPARATOR, " "),
        is_template=False,
        media_ids=media_ids,
        sender=sender,
        created_by=actor,
        request_key=request_key,
        priority=priority,
        expires_at=expires_at,
        ignores_quiet_hours=kind in _ANY_HOUR and not keeps_hours,
        size=1,
    )
    if not is_new:
        return Message.objects.get(batch=batch, recipient_no=1)
    reason = reason_not_texted(
        account=account, sender=sender, phone=phone, contact=contact, kind=kind
    )
    message = _message_insert(batch, phone, contact, reason)
    if not reason:
        chunks_insert(batch, batch.sender, first_no=1, size=1)
    moves = TallyMoves()
    moves.enter(batch.pk, message.state, reason)
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)
    BatchTotals.objects.create(batch=batch)
    signals.message_queued.send(sender=Message, message=message)
    if not reason:
        _reserve(batch, phone)
        hint_send()
    return message


def single_waits_until(
    *, account: Account, sender: SenderNumber, phone: str, contact: Contact | None
) -> datetime | None:
    """When a text that keeps hours may reach a phone (E.164); None for now. Reads only."""
    rules = blast_rules(account, sender)
    return Hours(rules, now()).held_until(phone, contact.timezone if contact else "")


def _check_body(body: str, *, has_media: bool) -> None:
    if not body.strip() and not has_media:
        raise TemplateError(
            "The message is empty. Write something to send.",
            code="template_blank",
            fields={"body": "Write something to send."},
        )
    if len(body) > BODY_LIMIT:
        sentence = (
            f"The message has {len(body):,} characters; {BODY_LIMIT:,} is the most that can be "
            "sent. Shorten the text."
        )
        raise TemplateError(sentence, code="template_too_long", fields={"body": sentence})


def reason_not_texted(
    *,
    account: Account,
    sender: SenderNumber,
    phone: str,
    contact: Contact | None,
    kind: str,
) -> str:
    """Why a text of this kind would be skipped at this moment (a `Reason`), or "". Reads only."""
    if kind not in PASSES_OPT_OUT:
        if opted_out(account=account, phone=phone):
            return Reason.OPTED_OUT
        if contact is not None and contact.line_type == LineType.LANDLINE:
            return Reason.LANDLINE
        consents = contact is not None and contact.consent == Consent.OPTED_IN
        if account.requires_consent and kind not in PASSES_CONSENT and not consents:
            return Reason.NO_CONSENT
    # The code that verifies a number has to reach it before it is verified.
    verified = account.verified_numbers.filter(phone=phone, verified_at__isnull=False)
    if kind != BatchKind.TEST and trial_is_restricted(account, sender) and not verified.exists():
        return Reason.UNVERIFIED_TRIAL
    return ""


def _message_insert(batch: Batch, phone: str, contact: Contact | None, reason: str) -> Message:
    state = MessageState.SKIPPED if reason else MessageState.PENDING
    return Message.objects.create(
        account_id=batch.account_id,
        batch=batch,
        recipient_no=1,
        contact=contact,
        direction=Direction.OUT,
        phone=phone,
        our_number=batch.sender.phone,
        created_by=batch.created_by,
        body=batch.body,
        state=state,
        rank=rank(state),
        reason=reason,
        created_at=batch.launched_at,
        final_at=batch.launched_at if reason else None,
    )


def _reserve(batch: Batch, phone: str) -> None:
    """Reserve the exact cost; an automatic answer goes out for nothing where credits are out.

    Raises:
        InsufficientCredits: for every other kind.
    """
    price = prices_now(kind=batch.kind, type=type_of(batch.media_ids)).only(phone)
    credits = price.credits(phone, content_of(batch).segments(batch.body))
    try:
        credits_reserve(
            account=batch.account, batch_id=batch.pk, credits=credits, key=f"reserve:{batch.pk}"
        )
    except InsufficientCredits:
        if batch.kind != BatchKind.AUTO:
            raise
        return
    batch.credits_reserved, batch.prices = credits, price.by_prefix
    batch.save(update_fields=["credits_reserved", "prices"])
