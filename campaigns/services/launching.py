"""When a blast goes out: scheduled, taken back, launched once, held and canceled.

"Send now" is a schedule UNDO_S ahead. The row lock of the blast decides between undo and launch,
and messaging's request key (`blast:<id>`) makes a launch repeated after a crash the same launch.
Lock order: blast, then what `messaging.services` locks.
"""

import logging
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction

from accounts.errors import EmailUnverified, InsufficientCredits
from accounts.models import Account, User
from accounts.selectors import user_may_send
from accounts.services import audit_record
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import (
    ApprovalVoid,
    AudienceMissing,
    BlastGone,
    BlastNotEditable,
    BlastNotRunning,
    BlastNotScheduled,
    BlastRepeats,
    NobodyTextable,
    SchedulePast,
    ScheduleTooFar,
    TextMissing,
)
from campaigns.models import Blast, Campaign, Series
from campaigns.planning import Plan
from campaigns.services.blasts import locked
from campaigns.services.freezing import approval_open, approval_void, launch_refusal, refusal
from campaigns.services.texts import approval_require
from common.clock import now
from common.errors import Conflict, DomainError, NotFound
from common.jobs import enqueue
from contacts.selectors import audience
from contacts.services import erasing_held_off
from messaging import services as messaging
from messaging.budget import Budget, budgets_of
from messaging.choices import BatchKind, Priority
from messaging.errors import BudgetPassed
from messaging.models import Batch
from messaging.rendering import compile_body
from messaging.services import Estimate
from tracking.errors import BadDestination
from tracking.services import links_check

log = logging.getLogger(__name__)

SCHEDULE_LIMIT = timedelta(days=366)
# A form filled in at 9:59:40 for 10:00 may arrive a little late.
PAST_TOLERANCE = timedelta(minutes=1)


def blast_schedule(
    *,
    account: Account,
    actor: User | None,
    blast: Blast,
    at: datetime | None = None,
    wall: datetime | None = None,
) -> Blast:
    """Let a draft go out at `at`, or in UNDO_S seconds where it is None.

    With `wall` (naive) each is texted when clocks where they are show it, and the launch is when
    the first do; whoever is past it already is texted at once.

    Refuses what could not be sent as it stands now; everything is asked again at the launch. The
    check counts the whole audience, so it runs before the row is locked.

    Raises:
        BlastNotEditable: it is scheduled, sent or canceled.
        Conflict: somebody rewrote it while it was being checked.
        TextMissing, AudienceMissing, NobodyTextable: something is not filled in yet.
        SchedulePast, ScheduleTooFar: `at` cannot be used.
        EmailUnverified: the actor has not confirmed an address.
        InsufficientCredits: the balance does not cover it.
        BudgetPassed: the campaign's budget, or the account's of this month, does not.
        SenderWithoutPictures: one of its numbers sends words only, and it has pictures.
        BadDestination: no short link can lead to an address of its text.
        TemplateNotApproved: the account lets only approved templates out.
        ApprovalMissing, ApprovalVoid: a second person has to approve it (again).
        DomainError: messaging refuses the text (unknown merge field, too long) or has no sender.

    Locks: the blast's row. Side effects: a hint to launch it, after commit.
    """
    moment = now()
    if at is not None and at < moment - PAST_TOLERANCE:
        raise SchedulePast
    if (at or (wall and wall.replace(tzinfo=UTC)) or moment) > moment + SCHEDULE_LIMIT:
        raise ScheduleTooFar(limit=SCHEDULE_LIMIT)
    if actor is not None and not user_may_send(actor):
        raise EmailUnverified
    checked = Blast.objects.filter(account=account, pk=blast.pk).first()
    if checked is None:
        raise NotFound
    if checked.state not in (BlastState.DRAFT, BlastState.FAILED):
        raise BlastNotEditable
    approval_require(account=account, actor=actor, body=checked.body, media_ids=checked.media_ids)
    start = at or moment + timedelta(seconds=settings.UNDO_S)
    estimate = require_sendable(account, checked)
    if (unapproved := refusal(account, checked, estimate)) is not None:
        raise unapproved
    credits = estimate.credits
    due_at = start if wall is None else first_at(account, checked, start, wall)
    with transaction.atomic():
        blast = locked(account, blast)
        if blast.state not in (BlastState.DRAFT, BlastState.FAILED):
            raise BlastNotEditable
        if blast.updated_at != checked.updated_at:
            raise Conflict
        blast.state, blast.state_reason = BlastState.SCHEDULED, ""
        blast.plan_set(Plan(due_at, wall))
        blast.sent_by = actor
        blast.estimated_credits, blast.updated_at = credits, moment
        blast.sender = blast.sender or messaging.sender_default(account)
        blast.save()
        # It goes out once, whatever was meant before.
        Series.objects.filter(blast=blast, state=SeriesState.DRAFT).delete()
        audit_record(
            account=account,
            actor=actor,
            action="blast.scheduled",
            subject=blast.name,
            data={
                "at": due_at.isoformat(),
                "credits": credits,
                **({"local_time": f"{wall:%Y-%m-%d %H:%M}"} if wall else {}),
            },
        )
        wait_s = (due_at - moment).total_seconds()
        if wait_s <= 60:
            enqueue("campaigns.launch_due", countdown_s=max(wait_s, 0))
    return blast


@transaction.atomic
def blast_undo(*, account: Account, actor: User | None, blast: Blast) -> Blast:
    """Take a scheduled blast back into a draft. Whoever holds the row first, launch or undo, wins.

    Raises:
        BlastGone: it was launched.
        BlastNotScheduled: it is not scheduled.

    Locks: the blast's row (waits for a launch under way).
    """
    blast = locked(account, blast)
    if blast.state == BlastState.LAUNCHED:
        raise BlastGone
    if blast.state != BlastState.SCHEDULED:
        raise BlastNotScheduled
    blast.state, blast.updated_at = BlastState.DRAFT, now()
    blast.plan_set(Plan())
    blast.save()
    audit_record(account=account, actor=actor, action="blast.taken_back", subject=blast.name)
    return blast


def blast_launch(*, blast_id: int, moment: datetime | None = None) -> bool:
    """Launch a blast whose time has come: one batch, everybody in the audience a message.

    Does nothing where the blast is not due or another process has it. What messaging refuses
    (nobody to text, no credits, an unknown field) makes the blast `failed` with the sentence.

    Returns:
        Whether this call decided the blast's fate.

    Locks: the blast's row (skipped where taken), erasures (`erasing_held_off`), then as
        `messaging.services.batch_launch`.
    """
    moment = moment or now()
    with transaction.atomic():
        blast = (
            Blast.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("account", "campaign", "sender", "sent_by")
            .filter(pk=blast_id, state=BlastState.SCHEDULED, scheduled_at__lte=moment)
            .first()
        )
        if blast is None:
            return False
        erasing_held_off(account=blast.account)
        unapproved = _unapproved(blast)
        try:
            if unapproved is not None:
                raise unapproved
            with transaction.atomic():
                approval_require(
                    account=blast.account,
                    actor=blast.sent_by,
                    body=blast.body,
                    media_ids=blast.media_ids,
                )
                # A budget that is changed meanwhile waits, then finds this batch.
                blast.campaign = Campaign.objects.select_for_update(no_key=True).get(
                    pk=blast.campaign_id
                )
                blast.batch = messaging.batch_launch(
                    account=blast.account,
                    actor=blast.sent_by,
                    kind=BatchKind.BLAST,
                    name=f"{blast.campaign.name} · {blast.name}"[:160],
                    body=blast.body,
                    sender=blast.sender or messaging.sender_default(blast.account),
                    audience=audience(
                        account=blast.account,
                        group_ids=list(blast.groups.values_list("pk", flat=True)),
                    ),
                    also_from=list(
                        blast.more_senders.filter(released_at=None)
                        .select_related("carrier_account")
                        .order_by("pk")
                    ),
                    budgets=_budgets(blast.campaign),
                    smart_encoding=blast.smart_encoding,
                    media_ids=blast.media_ids,
                    utm=blast.utm,
                    budget_group=blast.campaign_id,
                    budget_credits=blast.campaign.budget_credits,
                    wall=blast.wall,
                    request_key=f"blast:{blast.pk}",
                    priority=(Priority.BULK_FIRST if blast.campaign.goes_first else Priority.BULK),
                    expires_at=(
                        moment + timedelta(hours=blast.give_up_hours)
                        if blast.give_up_hours
                        else None
                    ),
                )
                if (others := launch_refusal(blast.account, blast, blast.batch)) is not None:
                    raise others
        except DomainError as error:
            blast.batch = None
            blast.state, blast.state_reason = BlastState.FAILED, error.message[:300]
            _void(blast, error)
        else:
            blast.state, blast.state_reason = BlastState.LAUNCHED, ""
        blast.updated_at = now()
        blast.save(update_fields=["state", "state_reason", "batch", "updated_at"])
        audit_record(
            account=blast.account,
            actor=blast.sent_by,
            action=f"blast.{blast.state}",
            subject=blast.name,
            data={"reason": blast.state_reason} if blast.state_reason else None,
        )
    return True


def blasts_launch_due(*, limit: int = 100) -> int:
    """Launch every blast whose time has come, earliest first; one that breaks does not stop others.

    Returns:
        How many blasts were launched or found unsendable.
    """
    moment = now()
    due = Blast.objects.filter(state=BlastState.SCHEDULED, scheduled_at__lte=moment)
    decided = 0
    for blast_id in due.order_by("scheduled_at", "pk").values_list("pk", flat=True)[:limit]:
        try:
            decided += blast_launch(blast_id=blast_id, moment=moment)
        except DatabaseError:
            log.exception("blast %s could not be launched; the next tick tries again", blast_id)
    return decided


@transaction.atomic
def blast_pause(*, account: Account, actor: User | None, blast: Blast) -> Blast:
    """Hold back what has not gone out yet.

    Raises:
        BlastNotRunning: it was not launched.
        DomainError: messaging refuses (already finished).
    """
    blast, batch = _launched(account, blast)
    messaging.batch_pause(account=account, actor=actor, batch=batch)
    return blast


@transaction.atomic
def blast_resume(*, account: Account, actor: User | None, blast: Blast) -> Blast:
    """Let a paused blast go on. Raises as `blast_pause`."""
    blast, batch = _launched(account, blast)
    messaging.batch_resume(account=account, actor=actor, batch=batch)
    return blast


@transaction.atomic
def blast_retry(*, account: Account, actor: User | None, blast: Blast) -> int:
    """Try again whom it did not reach for a cause that may have passed.

    Returns:
        How many people wait for another attempt.

    Raises:
        BlastNotRunning: it was not launched.
        DomainError: messaging refuses (canceled, nobody to try again, no credits).

    Locks: the blast's row, then as `messaging.services.batch_retry`.
    """
    blast, batch = _launched(account, blast)
    return messaging.batch_retry(
        account=account, actor=actor, batch=batch, budgets=_budgets(blast.campaign)
    )


@transaction.atomic
def blast_cancel(*, account: Account, actor: User | None, blast: Blast) -> Blast:
    """Send nothing more of it. Before the launch the blast is dropped, afterwards what is left.

    Raises:
        BlastRepeats: it is ended as a series.
        DomainError: messaging refuses (already finished).

    Locks: the blast's row, then as `messaging.services.batch_cancel`.
    """
    blast = locked(account, blast)
    if blast.batch is not None:
        messaging.batch_cancel(account=account, actor=actor, batch=blast.batch)
        return blast
    if blast.state == BlastState.CANCELED:
        return blast
    if blast.state == BlastState.REPEATING:
        raise BlastRepeats
    blast.state, blast.scheduled_at, blast.updated_at = BlastState.CANCELED, None, now()
    blast.save(update_fields=["state", "scheduled_at", "updated_at"])
    audit_record(account=account, actor=actor, action="blast.canceled", subject=blast.name)
    return blast


def _launched(account: Account, blast: Blast) -> tuple[Blast, Batch]:
    blast = locked(account, blast)
    if blast.batch is None:
        raise BlastNotRunning
    return blast, blast.batch


def _unapproved(blast: Blast) -> DomainError | None:
    """Why a due blast lacks a second person's word; voids one that no longer holds."""
    if not blast.account.requires_approval:
        return None
    try:
        return refusal(blast.account, blast, require_sendable(blast.account, blast))
    except DomainError as error:
        return error


def _void(blast: Blast, error: DomainError) -> None:
    """Void the approval of a blast whose people were others by the time that they were taken."""
    approval = approval_open(blast)
    if isinstance(error, ApprovalVoid) and approval is not None:
        approval_void(approval, actor=None, changed=error.changed)


def _budgets(campaign: Campaign) -> list[Budget]:
    if not campaign.budget_credits:
        return []
    batches = Batch.objects.filter(blast__campaign=campaign)
    return [Budget("The campaign's budget", campaign.budget_credits, batches)]


def first_at(account: Account, blast: Blast, start: datetime, wall: datetime) -> datetime:
    """When the first of a blast's people have their turn at a local time.

    Raises:
        SchedulePast: all had theirs before `start`.
        DomainError: messaging refuses the text.
    """
    group_ids = list(blast.groups.values_list("pk", flat=True))
    told = messaging.timing(
        account=account,
        body=blast.body,
        audience=audience(account=account, group_ids=group_ids),
        start=start,
        wall=wall,
    )
    if told.last_at <= start:
        raise SchedulePast
    return told.first_at


def require_sendable(account: Account, blast: Blast) -> Estimate:
    """What a blast would come to; raises what `blast_schedule` names."""
    if not blast.body.strip():
        raise TextMissing
    group_ids = list(blast.groups.values_list("pk", flat=True))
    if not group_ids:
        raise AudienceMissing
    try:
        links_check(compile_body(blast.body).links)
    except BadDestination as error:
        raise BadDestination(error.message, fields={"body": error.message}) from error
    if blast.media_ids:
        senders = [blast.sender or messaging.sender_default(account), *blast.more_senders.all()]
        messaging.media_wanted(account=account, media_ids=blast.media_ids, senders=senders)
    estimate = messaging.estimate(
        account=account,
        body=blast.body,
        audience=audience(account=account, group_ids=group_ids),
        smart_encoding=blast.smart_encoding,
        has_media=bool(blast.media_ids),
    )
    if estimate.texted_now == 0:
        raise NobodyTextable(people=estimate.people)
    account.refresh_from_db(fields=["credit_balance"])
    if estimate.credits > account.credit_balance:
        raise InsufficientCredits(needed=estimate.credits, balance=account.credit_balance)
    for budget in budgets_of(account, *_budgets(blast.campaign)):
        left = budget.left()
        if estimate.credits > left:
            raise BudgetPassed(budget=budget.name, needed=estimate.credits, left=max(left, 0))
    return estimate
