"""Blasts that repeat: started, changed, held, ended, and their occurrences made.

The blast that repeats is a pattern and is never sent itself; each occurrence is a copy of it with
its own report, made when its time comes: with local times, that of the first of its people.
`series_make_due` may run anywhere and any number of times: the series' row is locked, and
(series, day) is unique.
"""

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction

from accounts.errors import EmailUnverified
from accounts.models import Account, User
from accounts.selectors import user_may_send
from accounts.services import audit_record
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import (
    BlastNotEditable,
    RuleInvalid,
    SeriesNeverDue,
    SeriesNotPaused,
    SeriesOver,
)
from campaigns.models import Blast, Series
from campaigns.planning import Plan
from campaigns.recurring import COUNT_LIMIT, INTERVAL_LIMIT, Rule
from campaigns.services.blasts import locked
from campaigns.services.freezing import refusal, void_if_rewritten
from campaigns.services.launching import require_sendable
from campaigns.services.texts import approval_require
from common.clock import now
from common.errors import Conflict, DomainError, NotFound
from contacts.selectors import audience
from messaging.services import clocks

log = logging.getLogger(__name__)

# An occurrence whose time passed longer ago, because nothing ran, is left out: of a daily text
# three at once after a weekend would be two too many.
MISSED_AFTER = timedelta(hours=6)


@transaction.atomic
def series_keep(
    *, account: Account, blast: Blast, rule: Rule | None, actor: User | None = None
) -> None:
    """Keep with a draft how it is meant to repeat; None where it is not. Nothing is sent by it.

    A rule that makes no sense is kept too, as everything of a draft: it is asked when it starts.
    Another rule than was approved voids the approval.

    Raises:
        BlastNotEditable: it is no draft.

    Locks: the blast's row.
    """
    blast = locked(account, blast)
    if blast.state not in (BlastState.DRAFT, BlastState.FAILED):
        raise BlastNotEditable
    series = Series.objects.filter(blast=blast).first() or Series(account=account, blast=blast)
    if rule is not None:
        series.rule_set(rule)
        series.state = SeriesState.DRAFT
        series.save()
        void_if_rewritten(account, actor, blast)
    elif series.pk is not None:
        series.delete()


def series_start(*, account: Account, actor: User | None, blast: Blast, rule: Rule) -> Series:
    """Let a draft repeat by `rule`. Refuses what could not be sent as it stands now.

    Where a second person has not approved this rule it is kept with the draft, so that it is what
    is asked for next.

    Raises:
        Conflict: somebody rewrote it while it was counted.
        BlastNotEditable: it is no draft.
        RuleInvalid: the rule makes no sense.
        SeriesNeverDue: no day of it is still to come.
        EmailUnverified: the actor has not confirmed an address.
        DomainError: as `blast_schedule`: text, people, credits, budgets, approval.

    Locks: the blast's row.
    """
    _check(rule)
    if actor is not None and not user_may_send(actor):
        raise EmailUnverified
    found = Blast.objects.filter(account=account, pk=blast.pk).first()
    if found is None:
        raise NotFound
    moment = now()
    approval_require(account=account, actor=actor, body=found.body, media_ids=found.media_ids)
    estimate = require_sendable(account, found)
    if (unapproved := refusal(account, found, estimate, rule=rule)) is not None:
        series_keep(account=account, actor=actor, blast=found, rule=rule)
        raise unapproved
    with transaction.atomic():
        blast = locked(account, blast)
        if blast.state not in (BlastState.DRAFT, BlastState.FAILED):
            raise BlastNotEditable
        if blast.updated_at != found.updated_at:
            raise Conflict
        series = Series.objects.filter(blast=blast).first() or Series(account=account, blast=blast)
        series.rule_set(rule)
        series.state = SeriesState.RUNNING
        _look(series, is_local=rule.is_local)
        series.move_on(since=moment)
        if series.next_on is None:
            raise SeriesNeverDue
        series.save()
        blast.state, blast.state_reason = BlastState.REPEATING, ""
        blast.plan_set(Plan())
        blast.sent_by, blast.estimated_credits = actor, estimate.credits
        blast.updated_at = moment
        blast.save()
        series_audit(account, actor, "series.started", series)
    return series


@transaction.atomic
def series_change(*, account: Account, actor: User | None, series: Series, rule: Rule) -> Series:
    """Give a series another rule, for occurrences to come. What was sent stays as it is.

    Another rule than was approved voids the approval.

    Raises:
        RuleInvalid, SeriesNeverDue: as `series_start`.
        SeriesOver: it was ended.

    Locks: the blast's row, then the series'.
    """
    _check(rule)
    series = series_locked(account, series)
    if series.state == SeriesState.ENDED:
        raise SeriesOver
    _move_anew(series, rule)
    if series.next_on is None:
        raise SeriesNeverDue
    series.save()
    void_if_rewritten(account, actor, series.blast)
    series_audit(account, actor, "series.changed", series)
    return series


@transaction.atomic
def series_pause(*, account: Account, actor: User | None, series: Series) -> Series:
    """Send no occurrence until it is resumed. Idempotent.

    Raises:
        SeriesOver: it was ended.

    Locks: the blast's row, then the series'.
    """
    series = series_locked(account, series)
    if series.state == SeriesState.ENDED:
        raise SeriesOver
    if series.state == SeriesState.RUNNING:
        series.state = SeriesState.PAUSED
        series.save(update_fields=["state"])
        series_audit(account, actor, "series.paused", series)
    return series


@transaction.atomic
def series_resume(*, account: Account, actor: User | None, series: Series) -> Series:
    """Go on with the first occurrence that is still to come.

    Raises:
        SeriesNotPaused: it is not paused.

    Locks: the blast's row, then the series'.
    """
    series = series_locked(account, series)
    if series.state != SeriesState.PAUSED:
        raise SeriesNotPaused
    series.state = SeriesState.RUNNING
    _move_anew(series, series.rule)
    series.save()
    series_audit(account, actor, "series.resumed", series)
    return series


@transaction.atomic
def series_stop(*, account: Account, actor: User | None, series: Series) -> Series:
    """End it for good, the skipped days too; reports stay. Idempotent.

    Locks: the blast's row, then the series'.
    """
    series = series_locked(account, series)
    if series.state != SeriesState.ENDED or series.skipped_on:
        series.state, series.next_on, series.next_at = SeriesState.ENDED, None, None
        series.skipped_on = []
        series.save()
        series_audit(account, actor, "series.ended", series)
    return series


def series_make_due(*, limit: int = 100) -> int:
    """Make the blast of every occurrence whose time has come; each is then due like any other.

    Returns:
        How many blasts were made.
    """
    moment, made = now(), 0
    due = Series.objects.filter(state=SeriesState.RUNNING, next_at__lte=moment)
    for series_id in due.order_by("next_at", "pk").values_list("pk", flat=True)[:limit]:
        try:
            made += _make(series_id, moment)
        except DatabaseError:
            log.exception("series %s made no blast; the next tick tries again", series_id)
    return made


@transaction.atomic
def _make(series_id: int, moment: datetime) -> bool:
    series = (
        Series.objects.select_for_update(skip_locked=True, of=("self", "blast"))
        .select_related("blast", "account", "blast__sent_by")
        .filter(pk=series_id, state=SeriesState.RUNNING, next_at__lte=moment)
        .first()
    )
    if series is None or series.next_on is None or series.next_at is None:
        return False
    day = series.next_on
    _look(series, is_local=series.is_local)
    at = series.moment_on(day)
    # `next_at` may be of a zone that the account has left since.
    is_missed = (series.next_at if series.is_local else at) < moment - MISSED_AFTER
    if at > moment and not is_missed:
        # Whoever was to be the first is not among its people any more.
        series.next_at = at
        series.save()
        return False
    made = not is_missed and _occurrence(series, at)
    series.move_on(after=day)
    series.skipped_on = [skipped for skipped in series.skipped_on if skipped > day]
    series.save()
    action = "series.missed" if is_missed else "series.occurred"
    series_audit(series.account, series.blast.sent_by, action, series, day=day.isoformat())
    return made


def _occurrence(series: Series, at: datetime) -> bool:
    pattern = series.blast
    blast, is_new = Blast.objects.get_or_create(
        series=series,
        occurrence_on=series.next_on,
        defaults={
            "account_id": series.account_id,
            "campaign_id": pattern.campaign_id,
            "name": pattern.name,
            "body": pattern.body,
            "sender_id": pattern.sender_id,
            "state": BlastState.SCHEDULED,
            "scheduled_at": at,
            "local_on": series.next_on if series.is_local else None,
            "local_time": series.at if series.is_local else None,
            "give_up_hours": pattern.give_up_hours,
            "smart_encoding": pattern.smart_encoding,
            "media_ids": pattern.media_ids,
            "utm": pattern.utm,
            "estimated_credits": pattern.estimated_credits,
            "created_by_id": pattern.created_by_id,
            "written_by_id": pattern.written_by_id,
            "sent_by_id": pattern.sent_by_id,
        },
    )
    if is_new:
        blast.groups.set(pattern.groups.all())
        blast.more_senders.set(pattern.more_senders.all())
    return is_new


def _look(series: Series, *, is_local: bool) -> None:
    """Take over on whose clocks its people are texted; one query, with local times alone."""
    if not is_local:
        series.clocks = []
        return
    blast = series.blast
    people = audience(
        account=series.account, group_ids=list(blast.groups.values_list("pk", flat=True))
    )
    try:
        series.clocks = clocks(account=series.account, body=blast.body, audience=people)
    except DomainError:
        # The occurrence itself will say what is wrong with its text.
        log.info("series %s keeps the clocks it has", series.pk)


def _move_anew(series: Series, rule: Rule) -> None:
    made = series.occurrences.order_by("-occurrence_on").first()
    _look(series, is_local=rule.is_local)
    series.move_anew(since=now(), rule=rule, made_on=made.occurrence_on if made else None)


def _check(rule: Rule) -> None:
    if not 2000 <= rule.starts_on.year < 2100:
        raise RuleInvalid("starts_on", "Beyond these years a day is a typing error.")
    if not 1 <= rule.interval <= INTERVAL_LIMIT:
        raise RuleInvalid("interval", f"Between 1 and {INTERVAL_LIMIT}.")
    if rule.count is not None and not 1 <= rule.count <= COUNT_LIMIT:
        raise RuleInvalid("count", f"Between 1 and {COUNT_LIMIT:,} times, or leave it empty.")
    if rule.ends_on is not None and rule.ends_on < rule.starts_on:
        raise RuleInvalid("ends_on", "The last day is before the first one.")
    if rule.ends_on is not None and rule.count is not None:
        raise RuleInvalid("count", "Give a last day or a number of times, not both.")
    if any(day not in range(7) for day in rule.weekdays):
        raise RuleInvalid("weekdays", "Weekdays are 0 (Monday) to 6 (Sunday).")


def series_locked(account: Account, series: Series) -> Series:
    """The account's series and its pattern, both rows locked until the transaction ends.

    Raises:
        NotFound: it is not the account's.

    Locks: the blast's row, then the series'.
    """
    found = (
        Series.objects.select_for_update(of=("self", "blast"))
        .select_related("blast", "account")
        .filter(account=account, pk=series.pk)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def series_audit(
    account: Account, actor: User | None, action: str, series: Series, **data: str
) -> None:
    """Write down what was done to a series, with its rule and when the next goes out."""
    data["rule"] = series.rule.words()
    if series.next_at is not None:
        data["next"] = series.next_at.isoformat()
    audit_record(account=account, actor=actor, action=action, subject=series.blast.name, data=data)
