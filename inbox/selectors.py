"""Reads of conversations and their threads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account, User
from contacts.models import ConsentEvent, Contact, GroupMember, OptOut
from inbox.choices import ConversationStatus
from inbox.models import Conversation, Note
from messaging.models import Batch, Message

THREAD_LENGTH = 200
FILTERS = ("open", "mine", "unread", "closed", "all")


def conversations_unread(*, account: Account) -> int:
    """How many conversations of the account hold something nobody has read. One query."""
    return Conversation.objects.filter(account=account, unread__gt=0).count()


def conversations_list(
    *, account: Account, user: User | None = None, which: str = "open", search: str = ""
) -> QuerySet[Conversation]:
    """Conversations, newest word first; contact and assignee loaded. One query.

    Args:
        which: One of FILTERS; `mine` needs `user`.
        search: Matches names, number or the newest text.
    """
    rows = Conversation.objects.filter(account=account).select_related("contact", "assignee")
    if which == "open":
        rows = rows.filter(status=ConversationStatus.OPEN)
    elif which == "closed":
        rows = rows.filter(status=ConversationStatus.CLOSED)
    elif which == "mine":
        rows = rows.filter(assignee=user)
    elif which == "unread":
        rows = rows.filter(unread__gt=0)
    for word in search.split():
        rows = rows.filter(
            Q(contact__first_name__icontains=word)
            | Q(contact__last_name__icontains=word)
            | Q(phone__contains=word.lstrip("+"))
            | Q(snippet__icontains=word)
        )
    opted_out = OptOut.objects.filter(account=account, phone=OuterRef("phone"))
    return rows.annotate(is_opted_out=Exists(opted_out)).order_by("-last_message_at", "-id")


@dataclass(frozen=True)
class ThreadItem:
    """One line of a thread: a text, a note, or a change of consent."""

    kind: str  # message | note | consent
    at: datetime
    row: Any
    batch: Batch | None = None


def thread(*, conversation: Conversation) -> list[ThreadItem]:
    """The newest THREAD_LENGTH texts between the two numbers with notes and consent, oldest first.

    Five queries, whatever the length.
    """
    messages = list(
        Message.objects.filter(
            account_id=conversation.account_id,
            phone=conversation.phone,
            our_number=conversation.our_number,
        )
        .select_related("created_by")
        .order_by("-id")[:THREAD_LENGTH]
    )
    batches = Batch.objects.in_bulk({m.batch_id for m in messages if m.batch_id})
    items = [ThreadItem("message", m.created_at, m, batches.get(m.batch_id or 0)) for m in messages]
    since = messages[-1].created_at if len(messages) == THREAD_LENGTH else None
    notes = Note.objects.filter(conversation=conversation).select_related("author")
    consent = ConsentEvent.objects.filter(
        account_id=conversation.account_id, phone=conversation.phone
    )
    if since:
        notes, consent = notes.filter(at__gte=since), consent.filter(at__gte=since)
    items += [ThreadItem("note", note.at, note) for note in notes]
    items += [ThreadItem("consent", event.at, event) for event in consent]
    return sorted(items, key=lambda item: item.at)


@dataclass(frozen=True)
class PersonPane:
    """What is known of the person beside the thread."""

    contact: Contact | None
    groups: list[str]
    opt_out: OptOut | None


def person_pane(*, conversation: Conversation) -> PersonPane:
    """Contact, group names and opt-out of the thread's phone. Three queries."""
    contact = Contact.objects.filter(
        account_id=conversation.account_id, phone=conversation.phone, deleted_at__isnull=True
    ).first()
    groups = (
        list(
            GroupMember.objects.filter(contact=contact)
            .order_by("group__name")
            .values_list("group__name", flat=True)
        )
        if contact
        else []
    )
    opt_out = OptOut.objects.filter(
        account_id=conversation.account_id, phone=conversation.phone
    ).first()
    return PersonPane(contact, groups, opt_out)
