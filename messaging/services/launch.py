"""From "text these people" to rows: one transaction, one INSERT ... SELECT, once.

Owns `batch_launch`. Who is in the audience is contacts', who of them is texted `recipients`',
sending itself `messaging.sending`'s.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from accounts.choices import AccountStatus
from accounts.errors import EmailUnverified
from accounts.models import Account, User
from accounts.selectors import user_may_send
from accounts.services import credits_reserve
from common.sql import Sql
from contacts.models import Contact
from contacts.selectors import merge_fields
from contacts.services import erasing_held_off
from messaging.budget import Budget, budgets_hold, budgets_of
from messaging.choices import Direction, MessageState, Priority
from messaging.content import SEPARATOR, Content
from messaging.errors import AccountSuspended, EmptyAudience, SenderNotUsable
from messaging.gate import blast_rules
from messaging.hints import hint_send
from messaging.models import Batch, BatchTotals, Message, SenderNumber
from messaging.pooling import pooled
from messaging.pricing import Prices, type_of
from messaging.recipients import people, segments_bound
from messaging.rendering import Template, compile_body
from messaging.selectors.prices import prices_now
from messaging.services.media import media_wanted
from messaging.state import rank
from messaging.tally import TallyMoves, tally_move
from messaging.timetable import Timetable, places_of, slotted
from tracking.selectors import link_settings
from tracking.services import links_create

CHUNK_SIZE: Final = 1000


@transaction.atomic
def batch_launch(
    *,
    account: Account,
    actor: User | None,
    kind: str,
    name: str,
    body: str,
    sender: SenderNumber,
    audience: QuerySet[Contact],
    request_key: str,
    priority: int = Priority.BULK,
    expires_at: datetime | None = None,
    also_from: Sequence[SenderNumber] = (),
    budgets: Sequence[Budget] = (),
    smart_encoding: bool = False,
    media_ids: Sequence[int] = (),
    utm: Mapping[str, str] | None = None,
    budget_group: int | None = None,
    budget_credits: int = 0,
    wall: datetime | None = None,
) -> Batch:
    """Freeze content and audience, reserve the credits, and make the work. Launching twice is once.

    Everybody in the audience gets a message row; who will not be texted is `skipped` with a reason.

    Args:
        account: The tenant.
        actor: The account user who sends.
        kind: A `BatchKind`.
        name: What people call it.
        body: The template (`messaging.rendering`).
        sender: One of the account's numbers.
        audience: Contacts of the account; compiled into SQL, never loaded.
        request_key: What makes a second launch return the first one's batch.
        priority: A `Priority`.
        expires_at: When to give up on whoever has not been texted; None for never. With `wall`, as
            much later as the last local time is than the launch.
        also_from: More of the account's numbers to spread the batch over (`messaging.pooling`).
        budgets: What it may not pass, beside the account's own budget of the month.
        utm: UTM parameters of its links instead of the account's (`tracking.utm`).
        smart_encoding: Replace look-alikes in texts that become cheaper by it.
        media_ids: Pictures of the account that go with it, in order.
        budget_group: Batches with the same one share a budget that is asked while they run.
        budget_credits: That budget; 0 for no limit.
        wall: The local time (naive) at which each is texted where they are; whose time has passed
            is texted at once. None: everybody at once.

    Raises:
        TemplateError: the body cannot be sent as it is.
        EmptyAudience: nobody is in it.
        InsufficientCredits: the balance does not cover the exact cost.
        BudgetPassed: a budget does not.
        SenderWithoutPictures: one of the numbers sends words only.
        EmailUnverified, AccountSuspended, SenderNotUsable.

    Locks: batch, messages, tally, account (in the order of docs/locks.md).
    Side effects: after commit, hints to the send queue.
    """
    erasing_held_off(account=account)
    senders = list({one.pk: one for one in (sender, *also_from)}.values())
    for one in senders:
        may_launch(account=account, actor=actor, sender=one)
    media_ids = media_wanted(account=account, media_ids=media_ids, senders=senders)
    body = body.replace(SEPARATOR, " ")
    template = compile_body(body)
    template.validate({field.name for field in merge_fields(account=account)})
    batch, is_new = batch_insert(
        account=account,
        kind=kind,
        name=name,
        body=body,
        sender=sender,
        created_by=actor,
        request_key=request_key,
        priority=priority,
        expires_at=expires_at,
        smart_encoding=smart_encoding,
        media_ids=media_ids,
        budget_group=budget_group,
        budget_credits=budget_credits,
    )
    if not is_new:
        return batch
    link_rules = link_settings(account)
    content = Content(
        template,
        domain=link_rules.domain,
        is_smart=smart_encoding,
        has_media=bool(media_ids),
    )
    prices = prices_now(kind=kind, type=type_of(media_ids))
    batch.prices = prices.by_prefix
    made = _messages_insert(batch, senders, template, content, audience, prices, wall)
    counts = made.counts
    batch.size = sum(counts.values())
    if not batch.size:
        raise EmptyAudience
    links_create(
        account=account,
        batch_id=batch.pk,
        destinations=template.links,
        label=name,
        recipients=batch.size,
        rules=link_rules,
        utm=utm,
    )
    pending = counts.get((MessageState.PENDING, ""), 0)
    if pending:
        first_no = 1
        for one in senders:
            for slot, moment in enumerate(made.moments or [None]):
                size = made.sizes.get((one.phone, slot), 0)
                chunks_insert(batch, one, first_no=first_no, size=size, not_before=moment)
                first_no += size
    moves = TallyMoves()
    for (state, reason), messages in counts.items():
        moves.enter(batch.pk, state, reason, messages=messages)
    with connection.cursor() as cursor:
        tally_move(cursor, moves.deltas)
    BatchTotals.objects.create(batch=batch)
    batch.credits_reserved = _reserve(
        batch, content, prices, made.bound, budgets_of(account, *budgets)
    )
    if batch.expires_at is not None:
        if made.moments:
            batch.expires_at += made.moments[-1] - batch.launched_at
        batch.may_take = batch.expires_at - batch.launched_at
    batch.save(update_fields=["size", "prices", "credits_reserved", "expires_at", "may_take"])
    hint_send(windows=pending // CHUNK_SIZE + 1)
    return batch


def may_launch(*, account: Account, actor: User | None, sender: SenderNumber) -> None:
    """What must hold before anything is written.

    Raises:
        EmailUnverified: the actor has not confirmed an address.
        AccountSuspended: the account may send nothing.
        SenderNotUsable: the number is not (or no longer) the account's.
    """
    if actor is not None and not user_may_send(actor):
        raise EmailUnverified
    status = Account.objects.values_list("status", flat=True).get(pk=account.pk)
    if status == AccountStatus.SUSPENDED:
        raise AccountSuspended
    if sender.account_id != account.pk or sender.released_at is not None:
        raise SenderNotUsable


def batch_insert(*, account: Account, request_key: str, **fields: object) -> tuple[Batch, bool]:
    """The batch of `request_key`, and whether this call made it.

    A twin that is being launched at this moment is waited for: the unique index decides.
    """
    first = Batch.objects.filter(account=account, request_key=request_key).first()
    if first:
        return first, False
    try:
        with transaction.atomic():
            batch = Batch.objects.create(account=account, request_key=request_key, **fields)
    except IntegrityError:
        return Batch.objects.get(account=account, request_key=request_key), False
    return batch, True


@dataclass(frozen=True)
class _Inserted:
    """What a launch inserted.

    Attributes:
        counts: Messages by (state, reason).
        sizes: Messages, skipped ones too, by (number, slot).
        bound: An upper bound of credits.
        moments: When each slot may be texted; empty where all may at once, in slot 0.
    """

    counts: Counter[tuple[str, str]]
    sizes: Counter[tuple[str, int]]
    bound: int
    moments: list[datetime]


def _messages_insert(
    batch: Batch,
    senders: Sequence[SenderNumber],
    template: Template,
    content: Content,
    audience: QuerySet[Contact],
    prices: Prices,
    wall: datetime | None,
) -> _Inserted:
    """Insert everybody, those of one number and moment one after another."""
    # A trial's rule for real carriers holds where one of several is real.
    strictest = min(senders, key=lambda one: one.carrier_account.is_simulated)
    chosen = people(
        account=batch.account,
        sender=strictest,
        template=template,
        link_length=content.link_length,
        audience=audience,
    )
    placed = pooled(chosen, account_id=batch.account_id, senders=senders)
    moments: list[datetime] = []
    if wall is not None:
        rules = blast_rules(batch.account, strictest)
        timetable = Timetable(rules, start=batch.launched_at, wall=wall)
        starts = {place: timetable.starts_at(place) for place in places_of(chosen)}
        placed, moments = slotted(placed, senders=senders, moments=starts)
    if template.names and not content.has_media:
        bound = segments_bound(template, content.link_length)
    else:
        bound = Sql("%s::int", [content.segments(content.sample(None))])
    price = prices.sql("phone")
    bound = Sql(f"({bound.text}) * {price.text}", [*bound.params, *price.params])
    with connection.cursor() as cursor:
        cursor.execute(*_insert_statement(batch, placed, bound, has_slots=bool(moments)))
        rows = cursor.fetchall()
    counts, sizes = Counter[tuple[str, str]](), Counter[tuple[str, int]]()
    for state, reason, our_number, slot, n, _ in rows:
        if state:
            counts[state, reason] += n
        if not (state and moments):
            sizes[our_number, slot] += n
    return _Inserted(counts, sizes, sum(row[5] for row in rows), moments)


def _insert_statement(
    batch: Batch, placed: Sql, bound: Sql, *, has_slots: bool
) -> tuple[str, list[Any]]:
    """Insert and count by state, reason and number; with slots, also (state "") by number and slot.

    In one statement, so that the counts are of exactly those who were inserted.
    """
    columns = (
        "account_id, batch_id, recipient_no, contact_id, direction, phone, our_number, "
        "created_by_id, merge, body, segments, credits, state, rank, reason, carrier_code, "
        "attempts, created_at, final_at, clicks"
    )
    by_slot = (
        "UNION ALL SELECT '', '', our_number, slot, count(*), 0 FROM people GROUP BY 3, 4"
        if has_slots
        else ""
    )
    # RETURNING the state from the insert itself spares a second pass over a million rows.
    statement = f"""
        WITH people AS ({placed.text}),
        inserted AS (
            INSERT INTO messaging_message ({columns})
            SELECT %s, %s, no, id, %s, phone, our_number, %s, merge, '', 0, 0,
                   CASE reason WHEN '' THEN %s ELSE %s END,
                   CASE reason WHEN '' THEN %s ELSE %s END,
                   reason, '', 0, %s, CASE reason WHEN '' THEN NULL ELSE %s END, 0
            FROM people
            RETURNING state, reason, our_number,
                      CASE reason WHEN '' THEN {bound.text} ELSE 0 END AS bound
        )
        SELECT state, reason, our_number, 0 AS slot, count(*), sum(bound)::bigint
        FROM inserted GROUP BY 1, 2, 3
        {by_slot}
        """
    params = [
        *placed.params,
        batch.account_id,
        batch.pk,
        Direction.OUT,
        batch.created_by_id,
        MessageState.PENDING,
        MessageState.SKIPPED,
        rank(MessageState.PENDING),
        rank(MessageState.SKIPPED),
        batch.launched_at,
        batch.launched_at,
        *bound.params,
    ]
    return statement, params


def chunks_insert(
    batch: Batch,
    sender: SenderNumber,
    *,
    first_no: int,
    size: int,
    not_before: datetime | None = None,
) -> None:
    """Make the chunks of `size` recipients of a number, and its lane where there is none.

    Nobody of them is texted before `not_before`; None for at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_chunk (batch_id, account_id, sender_id, first_no, last_no,
                                         next_no, state, priority, not_before)
            SELECT %s, %s, %s, no, least(no + %s - 1, %s), no, 'ready', %s,
                   coalesce(%s, now())
            FROM generate_series(%s, %s, %s) AS no
            """,
            [
                batch.pk,
                batch.account_id,
                sender.pk,
                CHUNK_SIZE,
                first_no + size - 1,
                batch.priority,
                not_before,
                first_no,
                first_no + size - 1,
                CHUNK_SIZE,
            ],
        )
        cursor.execute(
            "INSERT INTO messaging_lane (sender_id, account_id, served_at, not_before) "
            "VALUES (%s, %s, now(), now()) ON CONFLICT DO NOTHING",
            [sender.pk, batch.account_id],
        )


def _reserve(
    batch: Batch, content: Content, prices: Prices, bound: int, budgets: Sequence[Budget]
) -> int:
    """Reserve an upper bound, or the exact cost where the bound passes the balance or a budget.

    Returns:
        Credits reserved.

    Raises:
        InsufficientCredits: the exact cost passes the balance.
        BudgetPassed: it passes a budget.
    """
    if not bound:
        return 0
    credits = bound
    balance = Account.objects.values_list("credit_balance", flat=True).get(pk=batch.account_id)
    most = min([balance, *(budget.left() for budget in budgets)])
    if credits > most and content.template and content.template.names:
        credits = _exact(batch, content, prices)
    budgets_hold(batch.account, budgets, credits)
    credits_reserve(
        account=batch.account, batch_id=batch.pk, credits=credits, key=f"reserve:{batch.pk}"
    )
    return credits


def _exact(batch: Batch, content: Content, prices: Prices) -> int:
    """Count every message as it will be rendered, streamed: memory does not grow with the batch."""
    rows = Message.objects.filter(batch=batch, state=MessageState.PENDING)
    return sum(
        prices.credits(phone, content.segments(content.sample(merge)))
        for phone, merge in rows.values_list("phone", "merge").iterator(chunk_size=5000)
    )
