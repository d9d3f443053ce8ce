"""Writes of the inbox: filing texts into threads, reading, assigning, closing, replying, notes.

Owns who looks after a conversation. The texts themselves are messaging's: a reply goes through the
same door as every other send, and what may not be texted is refused or skipped there.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from accounts.models import Account, Membership, User
from accounts.services import audit_record
from common.clock import now
from common.errors import Invalid
from common.text import typed
from contacts.models import Contact
from contacts.selectors import consent_came_by, contact_by_phone, optin_keyword_find
from inbox.choices import ConversationStatus
from inbox.errors import NumberGivenUp, ReplyChanged
from inbox.models import Conversation, Note
from inbox.selectors import turn_of
from messaging.choices import BatchKind, Direction, Priority
from messaging.keywords import KeywordKind, classify, key_of
from messaging.models import Message, SenderNumber
from messaging.senders import senders_list
from messaging.services import message_send

SNIPPET_CHARACTERS = 160
# What stands in the list for a text that has no words.
PICTURE = "Picture"
NOTE_CHARACTERS = 4000
KEY_CHARACTERS = 80
# One sweep at a time: two would count the same lost text as unread twice. Any fixed number does.
CATCH_UP_LOCK = 0x1B0C

_NEWER = "%(message)s > c.last_message_id"
_FILE_SQL = f"""
INSERT INTO inbox_conversation AS c
    (account_id, our_number, phone, status, unread, snippet, last_direction,
     last_message_id, last_message_at, created_at)
SELECT %(account)s, %(our_number)s, %(phone)s, %(status)s, %(unread)s, %(snippet)s, %(direction)s,
       %(message)s, %(at)s, %(now)s
WHERE %(makes)s OR EXISTS (
    SELECT FROM inbox_conversation
    WHERE account_id = %(account)s AND our_number = %(our_number)s AND phone = %(phone)s)
ON CONFLICT (account_id, our_number, phone) DO UPDATE SET
    status = CASE WHEN %(unread)s > 0 THEN 'open' ELSE c.status END,
    unread = c.unread + %(unread)s,
    snippet = CASE WHEN {_NEWER} THEN excluded.snippet ELSE c.snippet END,
    last_direction = CASE WHEN {_NEWER} THEN excluded.last_direction ELSE c.last_direction END,
    last_message_id = greatest(c.last_message_id, excluded.last_message_id),
    last_message_at = greatest(c.last_message_at, excluded.last_message_at)
"""


def conversation_file(*, message: Message) -> None:
    """Put one text into its thread.

    Inbound texts and replies make the thread when it is the first; what a program sent stands in a
    thread that is there already; automatic answers and codes are nobody's word and file nothing. A
    STOP needs no answer, nor does what opts in: it does not count as unread and opens no thread, a
    new one begins closed.

    Args:
        message: As messaging's signals announce it.

    Locks: the conversation's row. Side effects: inbound texts count as unread and reopen it.
    """
    is_inbound = message.direction == Direction.IN
    kind = message.batch.kind if message.batch else ""
    ours = (BatchKind.REPLY, BatchKind.WRITE)
    if not is_inbound and kind not in (*ours, BatchKind.API):
        return
    body = message.body or (message.batch.body if message.batch else "") or PICTURE
    waits = is_inbound and not _needs_no_answer(message)
    with connection.cursor() as cursor:
        cursor.execute(
            _FILE_SQL,
            {
                "account": message.account_id,
                "our_number": message.our_number,
                "phone": message.phone,
                "status": ConversationStatus.CLOSED
                if is_inbound and not waits
                else ConversationStatus.OPEN,
                "unread": int(waits),
                "snippet": body[:SNIPPET_CHARACTERS],
                "direction": message.direction,
                "message": message.pk,
                "at": message.created_at,
                "now": now(),
                "makes": is_inbound or kind in ours,
            },
        )


def _needs_no_answer(message: Message) -> bool:
    """Whether nobody has to read it: STOP, an opt-in keyword, what put an opt-in on record."""
    account, phone = message.account, message.phone
    return (
        classify(message.body).kind == KeywordKind.STOP
        or optin_keyword_find(account=account, key=key_of(message.body)) is not None
        or consent_came_by(account=account, phone=phone, message_id=message.pk)
    )


@transaction.atomic
def conversations_catch_up(*, newest_ids: int = 20_000) -> int:
    """File inbound texts newer than what their thread knows, which a lost signal left behind.

    A lost text older than one that was filed needs nothing: its thread shows it, and is unread.

    Args:
        newest_ids: How many of the newest message ids are looked at; bounds the scan.

    Returns:
        How many texts were filed.

    Locks: one sweep at a time, then the conversations' rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CATCH_UP_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    lost = Message.objects.raw(
        """
        SELECT m.* FROM messaging_message m
        LEFT JOIN inbox_conversation c ON c.account_id = m.account_id
             AND c.our_number = m.our_number AND c.phone = m.phone
        WHERE m.id > (SELECT coalesce(max(id), 0) - %s FROM messaging_message)
          AND m.direction = 'in' AND m.id > coalesce(c.last_message_id, 0)
        ORDER BY m.id
        """,
        [newest_ids],
    )
    filed = 0
    for message in lost:
        conversation_file(message=message)
        filed += 1
    return filed


@transaction.atomic
def conversation_reply(
    *,
    account: Account,
    actor: User | None,
    conversation: Conversation,
    body: str,
    request_key: str,
    media_ids: Sequence[int] = (),
) -> Message:
    """Text the person from the number the thread runs on.

    At any hour to who wrote within three days; to others in allowed hours; to who never wrote only
    where they may be texted at all.

    Args:
        account: The tenant.
        actor: Who writes; None for a program whose maker is gone.
        conversation: The thread, of this account.
        body: The reply.
        request_key: Made by the page with the form, so that a double click replies once.
        media_ids: Pictures of the account that go with it; then the reply may have no words.

    Returns:
        The message: pending, or skipped with the reason why this person is not texted.

    Raises:
        Invalid: the text or the key is empty, or the key too long.
        NumberGivenUp: the thread's number is no longer the account's.
        ReplyChanged: this key has sent another text already.
        DomainError: whatever else forbids it (no credits, email not verified ...).

    Side effects: the thread is read, and the actor's when it was nobody's.
    """
    body = typed(body)
    if not body and not media_ids:
        raise Invalid("Write something first; nothing was sent.", fields={"body": "Empty."})
    if not 0 < len(request_key) <= KEY_CHARACTERS:
        raise Invalid("Reload the page and send again; nothing was sent.")
    turn = turn_of(conversation)
    message = message_send(
        account=account,
        actor=actor,
        phone=conversation.phone,
        body=body,
        sender=_sender(account, conversation),
        contact=contact_by_phone(account=account, phone=conversation.phone),
        kind=turn.kind,
        keeps_hours=turn.keeps_hours,
        priority=Priority.REPLY,
        request_key=f"reply:{conversation.pk}:{request_key}",
        media_ids=media_ids,
    )
    sent = message.batch
    if sent is not None and (sent.body, sent.media_ids) != (body, list(dict.fromkeys(media_ids))):
        raise ReplyChanged
    conversation_mark_read(account=account, conversation=conversation)
    if actor is not None:
        Conversation.objects.filter(pk=conversation.pk, assignee__isnull=True).update(
            assignee=actor
        )
    return message


def _sender(account: Account, conversation: Conversation) -> SenderNumber:
    sender = senders_list(account).filter(phone=conversation.our_number).first()
    if sender is None:
        raise NumberGivenUp
    return sender


def conversation_mark_read(*, account: Account, conversation: Conversation) -> None:
    """Nothing in the thread is unread any more."""
    Conversation.objects.filter(account=account, pk=conversation.pk).update(unread=0)


def conversation_mark_unread(*, account: Account, conversation: Conversation) -> None:
    """Put the thread back among the unread, for later or for a colleague."""
    Conversation.objects.filter(account=account, pk=conversation.pk, unread=0).update(unread=1)


@transaction.atomic
def conversation_assign(
    *, account: Account, actor: User, conversation: Conversation, assignee_id: int | None
) -> None:
    """Hand the thread to a colleague, or to nobody.

    Raises:
        Invalid: the person is not a member of the account.
    """
    if (
        assignee_id is not None
        and not Membership.objects.filter(account=account, user_id=assignee_id).exists()
    ):
        raise Invalid("This person is not in your team. The conversation stays where it was.")
    Conversation.objects.filter(account=account, pk=conversation.pk).update(assignee_id=assignee_id)
    audit_record(
        account=account,
        actor=actor,
        action="conversation.assigned",
        subject=conversation.phone,
        data={"assignee": assignee_id},
    )


def conversation_set_status(
    *, account: Account, conversation: Conversation, status: ConversationStatus
) -> None:
    """Close a thread that needs nothing more, or open it again. An inbound text reopens it."""
    Conversation.objects.filter(account=account, pk=conversation.pk).update(status=status)


def note_add(*, account: Account, actor: User, conversation: Conversation, text: str) -> Note:
    """Leave a remark for colleagues; it is never sent.

    Raises:
        Invalid: the note is empty, or longer than NOTE_CHARACTERS.
    """
    text = typed(text)
    if not text:
        raise Invalid("Write something first; nothing was saved.", fields={"text": "Empty."})
    if len(text) > NOTE_CHARACTERS:
        raise Invalid(
            f"A note has at most {NOTE_CHARACTERS:,} characters; nothing was saved.",
            fields={"text": "Too long."},
        )
    return Note.objects.create(account=account, conversation=conversation, author=actor, text=text)


def conversation_start(*, account: Account, contact: Contact, our_number: str) -> Conversation:
    """The thread between a contact and one of our numbers; made empty when there is none yet."""
    conversation, _made = Conversation.objects.get_or_create(
        account=account, our_number=our_number, phone=contact.phone
    )
    return conversation


def conversations_forget(*, account: Account, phone: str, alias: str) -> None:
    """Empty the threads with a person who is erased: number, newest words and notes go.

    The threads stay, closed, as what the rows of their texts belong to.
    """
    threads = Conversation.objects.filter(account=account, phone=phone)
    Note.objects.filter(conversation__in=threads).delete()
    threads.update(phone=alias, snippet="", unread=0, status=ConversationStatus.CLOSED)
