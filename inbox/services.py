"""Writes of the inbox: filing texts into threads, reading, assigning, closing, replying, notes.

Owns who looks after a conversation. The texts themselves are messaging's: a reply goes through the
same door as every other send, and what may not be texted is refused there.
"""

from django.db import connection, transaction

from accounts.models import Account, Membership, User
from accounts.services import audit_record
from common.clock import now
from common.errors import Invalid
from contacts.models import Contact
from inbox.choices import ConversationStatus
from inbox.models import Conversation, Note
from messaging.choices import BatchKind, Direction, Priority
from messaging.models import Message
from messaging.services import message_send

SNIPPET_CHARACTERS = 160

_FILE_SQL = """
INSERT INTO inbox_conversation AS c
    (account_id, our_number, phone, contact_id, status, unread, snippet,
     last_message_id, last_message_at, created_at)
VALUES (%(account)s, %(our_number)s, %(phone)s, %(contact)s, 'open', %(unread)s, %(snippet)s,
        %(message)s, %(at)s, %(now)s)
ON CONFLICT (account_id, our_number, phone) DO UPDATE SET
    contact_id = coalesce(c.contact_id, excluded.contact_id),
    status = CASE WHEN excluded.unread > 0 THEN 'open' ELSE c.status END,
    unread = c.unread + excluded.unread,
    snippet = CASE WHEN excluded.last_message_id > c.last_message_id
                   THEN excluded.snippet ELSE c.snippet END,
    last_message_id = greatest(c.last_message_id, excluded.last_message_id),
    last_message_at = greatest(c.last_message_at, excluded.last_message_at)
RETURNING id
"""


def conversation_file(*, message: Message) -> int:
    """Put one text into its thread, making the thread when it is the first.

    Args:
        message: Inbound, or an outbound text to one person (reply, API, automatic answer).

    Returns:
        The conversation's id.

    Locks: the conversation's row. Side effects: inbound texts count as unread and reopen it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _FILE_SQL,
            {
                "account": message.account_id,
                "our_number": message.our_number,
                "phone": message.phone,
                "contact": message.contact_id
                or Contact.objects.filter(account_id=message.account_id, phone=message.phone)
                .values_list("pk", flat=True)
                .first(),
                "unread": 1 if message.direction == Direction.IN else 0,
                "snippet": message.body[:SNIPPET_CHARACTERS],
                "message": message.pk,
                "at": message.created_at,
                "now": now(),
            },
        )
        (conversation_id,) = cursor.fetchone()
    return conversation_id


def conversations_catch_up(*, newest_ids: int = 20_000) -> int:
    """File inbound texts that no thread knows, which a lost signal left behind.

    Looks at the newest `newest_ids` messages, whose primary keys bound the scan.

    Returns:
        How many texts were filed.
    """
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
    *, account: Account, actor: User, conversation: Conversation, body: str, request_key: str
) -> Message:
    """Text the person from the number the thread runs on; marks the thread as read.

    Args:
        request_key: Made by the page with the form, so that a double click replies once.

    Raises:
        Invalid: the text is empty.
        DomainError: whatever forbids the text (opted out, no credits, e-mail not verified ...).
    """
    if not body.strip():
        raise Invalid("Write something first; nothing was sent.", fields={"body": "Empty."})
    message = message_send(
        account=account,
        actor=actor,
        phone=conversation.phone,
        body=body.strip(),
        sender=account.sender_numbers.filter(
            phone=conversation.our_number, released_at__isnull=True
        ).first(),
        contact=conversation.contact,
        kind=BatchKind.REPLY,
        priority=Priority.REPLY,
        request_key=f"reply:{conversation.pk}:{request_key}",
    )
    conversation_mark_read(account=account, conversation=conversation)
    if conversation.assignee_id is None:
        Conversation.objects.filter(pk=conversation.pk, assignee__isnull=True).update(
            assignee=actor
        )
    return message


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
        action="conversation.assign",
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
        Invalid: the note is empty.
    """
    if not text.strip():
        raise Invalid("Write something first; nothing was saved.", fields={"text": "Empty."})
    return Note.objects.create(
        account=account, conversation=conversation, author=actor, text=text.strip()
    )


@transaction.atomic
def conversation_start(*, account: Account, contact: Contact, our_number: str) -> Conversation:
    """The thread between a contact and one of our numbers; made empty when there is none yet."""
    conversation, _made = Conversation.objects.get_or_create(
        account=account,
        our_number=our_number,
        phone=contact.phone,
        defaults={"contact": contact},
    )
    return conversation
