"""Reads of conversations: the list, a thread, and the person beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery

from accounts.choices import AccountStatus
from accounts.models import Account, User
from common.clock import now
from common.phone import display
from common.sql import unguessed
from contacts.choices import WayBack
from contacts.models import ConsentEvent, Contact, Group, OptOut
from contacts.selectors import contact_by_phone, contacts_list, groups_of, opt_out_get
from contacts.services import way_back
from inbox.choices import ConversationStatus
from inbox.models import Conversation, Note
from messaging.choices import BatchKind, Direction, MessageState, Reason
from messaging.confirmations import confirmed_by_carrier
from messaging.models import Batch, InboundMedia, Media, Message, SenderNumber
from messaging.reasons import skipped_words
from messaging.rendering import compile_body
from messaging.selectors import media_of
from messaging.senders import senders_list
from messaging.services import reason_not_texted, single_waits_until

THREAD_LENGTH = 200
BLASTS_SHOWN = 5
# Within so long after they wrote, somebody expects an answer, whatever the hour.
ANSWERED_WITHIN = timedelta(days=3)
# More people than this fit a search only when it says hardly anything.
_MOST_PEOPLE = 1000

FILTERS: dict[str, str] = {
    "open": "Open",
    "mine": "Mine",
    "unread": "Unread",
    "closed": "Closed",
    "all": "All",
}


def conversations_unread(*, account: Account) -> int:
    """How many conversations of the account hold something nobody has read. One query."""
    return Conversation.objects.filter(account=account, unread__gt=0).count()


def conversations_counts(*, account: Account, user: User) -> dict[str, int]:
    """How many conversations wait under `open`, `mine` and `unread`. One query."""
    return Conversation.objects.filter(account=account).aggregate(
        **{name: Count("id", filter=_which(name, user)) for name in ("open", "mine", "unread")}
    )


def _which(name: str, user: User) -> Q:
    is_open = Q(status=ConversationStatus.OPEN)
    chosen = {
        "open": is_open,
        "mine": is_open & Q(assignee=user),
        "unread": Q(unread__gt=0),
        "closed": Q(status=ConversationStatus.CLOSED),
    }
    return chosen.get(name, Q())


def conversations_all(*, account: Account) -> QuerySet[Conversation]:
    """The conversations, unordered, with assignee and `contact_id` of the live contact or None."""
    # By phone: told the account, the planner may read all of its contacts for each row.
    contacts = Contact.objects.filter(
        account=unguessed(account.pk), phone=OuterRef("phone"), deleted_at__isnull=True
    )
    rows = Conversation.objects.filter(account=account).select_related("assignee")
    return rows.annotate(contact_id=Subquery(contacts.values("pk")))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    conversation: Conversation
    contact: Contact | None
    is_opted_out: bool

    @property
    def name(self) -> str:
        """The person's name, or an empty string."""
        return self.contact.full_name if self.contact else ""


def conversations_list(
    *, account: Account, user: User, which: str = "open", search: str = "", length: int
) -> tuple[list[Row], bool]:
    """The newest conversations of one kind, newest word first. Three queries; four with a search.

    Args:
        account: The tenant.
        user: Who looks, for `mine`.
        which: One of FILTERS.
        search: Matches names, numbers in any form, or the newest text.
        length: At most so many.

    Returns:
        The rows, and whether there are more.
    """
    found = (
        Conversation.objects.filter(_which(which, user), account=account)
        .select_related("assignee")
        .order_by("-last_message_at", "-id")
    )
    if search:
        people = contacts_list(account=account, search=search).values_list("phone", flat=True)
        found = found.filter(
            Q(phone__in=list(people[:_MOST_PEOPLE]))
            | Q(phone__contains="".join(c for c in search if c.isdigit()) or search)
            | Q(snippet__icontains=search)
        )
    rows = list(found[: length + 1])
    phones = [row.phone for row in rows[:length]]
    contacts = {
        contact.phone: contact
        for contact in Contact.objects.filter(
            account=account, phone__in=phones, deleted_at__isnull=True
        )
    }
    opted_out = set(
        OptOut.objects.filter(account=account, phone__in=phones).values_list("phone", flat=True)
    )
    return [
        Row(row, contacts.get(row.phone), row.phone in opted_out) for row in rows[:length]
    ], len(rows) > length


def conversations_with(*, account: Account, phones: Iterable[str]) -> QuerySet[Conversation]:
    """The conversations with these phones (E.164), newest word first. One query.

    By all numbers the account ever had, so that the unique index finds each row.
    """
    numbers = SenderNumber.objects.filter(account=account).values("phone")
    return Conversation.objects.filter(
        account=account, our_number__in=numbers, phone__in=list(phones)
    ).order_by("-last_message_at", "-id")


@dataclass(frozen=True, slots=True)
class ThreadItem:
    """One line of a thread.

    Attributes:
        kind: `message`, `skipped` (a blast that was not sent to them), `click`, `note`, `consent`.
        at: When it stands in the thread.
        row: Message, Note or ConsentEvent.
        batch: What the message is part of.
        body: The text; for one that has not gone yet, as it will read.
        is_confirmed: Our confirmation of a STOP, which the carrier confirmed itself.
        pictures: What it carries, or what came with it and is stored.
        missing: What came with it and is not here: being fetched, or not to be had.
    """

    kind: str
    at: datetime
    row: Any
    batch: Batch | None = None
    body: str = ""
    is_confirmed: bool = False
    pictures: Sequence[Media] = ()
    missing: Sequence[InboundMedia] = ()


def thread_messages(*, conversation: Conversation) -> list[Message]:
    """The newest THREAD_LENGTH texts between the two numbers, newest first. Three queries."""
    return list(
        Message.objects.filter(
            account_id=conversation.account_id,
            phone=conversation.phone,
            our_number=conversation.our_number,
        )
        .select_related("created_by", "batch")
        .prefetch_related(
            Prefetch("inbound_media", InboundMedia.objects.select_related("media").order_by("n"))
        )
        .order_by("-id")[:THREAD_LENGTH]
    )


def thread(*, conversation: Conversation) -> list[ThreadItem]:
    """The thread's texts with clicks, notes and changes of consent, oldest first.

    Five queries, whatever the length.
    """
    messages = thread_messages(conversation=conversation)
    sent = media_of(message.batch for message in messages)
    items: list[ThreadItem] = []
    for message in messages:
        batch = message.batch
        items.append(_item(message, batch, sent.get(message.batch_id or 0, [])))
        if message.human_click_at:
            items.append(ThreadItem("click", message.human_click_at, message, batch))
    notes = Note.objects.filter(conversation=conversation).select_related("author")
    consent = ConsentEvent.objects.filter(
        account_id=conversation.account_id, phone=conversation.phone
    )
    if len(messages) == THREAD_LENGTH:
        since = messages[-1].created_at
        notes, consent = notes.filter(at__gte=since), consent.filter(at__gte=since)
    items += [ThreadItem("note", note.at, note) for note in notes]
    items += [ThreadItem("consent", event.at, event) for event in consent]
    return sorted(items, key=lambda item: item.at)


def _item(message: Message, batch: Batch | None, pictures: Sequence[Media]) -> ThreadItem:
    body = message.body
    if batch is not None:
        if batch.kind == BatchKind.BLAST and message.state == MessageState.SKIPPED:
            return ThreadItem("skipped", message.created_at, message, batch)
        body = body or _will_read(batch, message)
    is_confirmed = confirmed_by_carrier(message, batch)
    came_in = list(message.inbound_media.all())
    return ThreadItem(
        "message",
        message.created_at,
        message,
        batch,
        body,
        is_confirmed,
        pictures or [one.media for one in came_in if one.media is not None],
        [one for one in came_in if one.media is None],
    )


def _will_read(batch: Batch, message: Message) -> str:
    if not batch.is_template:
        return batch.body
    template = compile_body(batch.body)
    return template.render(message.merge or {}, template.links)


@dataclass(frozen=True, slots=True)
class Turn:
    """What our next text is to a person.

    Attributes:
        kind: A `BatchKind`: a reply, or a text to somebody who never wrote.
        keeps_hours: Whether it waits for allowed hours: nobody expects an answer at night to what
            they wrote days ago.
    """

    kind: BatchKind
    keeps_hours: bool


def turn_of(conversation: Conversation) -> Turn:
    """What the next text of a thread would be, by when the person wrote last. One query."""
    texts = Message.objects.filter(
        account=conversation.account_id, phone=conversation.phone, direction=Direction.IN
    )
    wrote_at = texts.order_by("-id").values_list("created_at", flat=True).first()
    if wrote_at is None:
        return Turn(BatchKind.WRITE, keeps_hours=True)
    return Turn(BatchKind.REPLY, keeps_hours=now() - wrote_at > ANSWERED_WITHIN)


@dataclass(frozen=True, slots=True)
class Cannot:
    """Why a reply is not possible.

    Attributes:
        why: What stands against it.
        remedy: What would allow it.
        place: Where that is done: `contact`, `numbers`, `reviews`, `start` (another thread), or
            nowhere.
    """

    why: str
    remedy: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class PersonPane:
    """What is known of the person beside the thread, newest first where there is an order.

    `waits_until` is when a text that is written now goes out, None for at once.
    """

    contact: Contact | None
    groups: Sequence[Group]
    opt_out: OptOut | None
    blasts: Sequence[Message]
    notes: Sequence[Note]
    cannot: Cannot | None
    waits_until: datetime | None


def person_pane(*, account: Account, conversation: Conversation) -> PersonPane:
    """Everything of the thread's phone. At most eleven queries."""
    turn = turn_of(conversation)
    sender = senders_list(account).filter(phone=conversation.our_number).first()
    contact = contact_by_phone(account=account, phone=conversation.phone)
    opt_out = opt_out_get(account=account, phone=conversation.phone)
    blasts = (
        Message.objects.filter(
            account=account, phone=conversation.phone, batch__kind=BatchKind.BLAST
        )
        .select_related("batch")
        .order_by("-id")[:BLASTS_SHOWN]
    )
    notes = conversation.notes.select_related("author").order_by("-id")
    return PersonPane(
        contact=contact,
        groups=list(groups_of(account=account, contact=contact)) if contact else [],
        opt_out=opt_out,
        blasts=list(blasts),
        notes=list(notes),
        cannot=_cannot(account, conversation, sender, turn, contact, opt_out),
        waits_until=single_waits_until(
            account=account, sender=sender, phone=conversation.phone, contact=contact
        )
        if sender is not None and turn.keeps_hours
        else None,
    )


def _cannot(
    account: Account,
    conversation: Conversation,
    sender: SenderNumber | None,
    turn: Turn,
    contact: Contact | None,
    opt_out: OptOut | None,
) -> Cannot | None:
    if account.status == AccountStatus.SUSPENDED:
        words = skipped_words(Reason.SUSPENDED)
        return Cannot(words.cause, words.advice)
    if sender is None:
        return Cannot(
            "The number of this conversation is no longer yours.",
            "Write from the number you use now; the texts here stay.",
            "start" if contact else "",
        )
    reason = reason_not_texted(
        account=account,
        sender=sender,
        phone=conversation.phone,
        contact=contact,
        kind=turn.kind,
    )
    if not reason:
        return None
    if reason == Reason.OPTED_OUT and opt_out:
        return _cannot_opted_out(way_back(opt_out), conversation, contact)
    words = skipped_words(reason)
    places = {
        Reason.UNVERIFIED_TRIAL: "numbers",
        Reason.LANDLINE: "contact",
        Reason.NO_CONSENT: "contact",
    }
    return Cannot(words.cause, words.advice, places.get(Reason(reason), ""))


def _cannot_opted_out(way: WayBack, conversation: Conversation, contact: Contact | None) -> Cannot:
    ours = display(conversation.our_number).replace("-", " ")
    if way == WayBack.SHOP:
        return Cannot(
            "This person is marked as opted out, by somebody of your team or by a list.",
            "If they told you that they want your texts, record that in their contact.",
            "contact" if contact else "",
        )
    if way == WayBack.REVIEW:
        return Cannot(
            "This person asked in their own words to get no more texts, so you cannot text them.",
            f"If that was misread, say so. They can also text START to {ours}.",
            "reviews",
        )
    return Cannot(
        "This person opted out, so you cannot text them.",
        f"They can text START to {ours} to hear from you again.",
    )
