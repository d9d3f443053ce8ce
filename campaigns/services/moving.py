"""Other days for blasts that have not gone out: a schedule or a plan moved, nothing else."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from campaigns.choices import BlastState, SeriesState
from campaigns.errors import BlastNotMovable, SchedulePast, ScheduleTooFar
from campaigns.models import Blast, Series
from campaigns.planning import Plan
from campaigns.services.blasts import locked
from campaigns.services.freezing import void_if_rewritten
from campaigns.services.launching import SCHEDULE_LIMIT, first_at
from common.clock import now
from messaging.timetable import wall_moment

# Of a blast that had no time.
_USUAL_TIME = time(10)


@transaction.atomic
def blast_move(
    *, account: Account, actor: User | None, blast: Blast, on: date, at: time | None = None
) -> Blast:
    """Let a scheduled blast go out on another day, or plan a draft for it.

    It keeps its clock (the account's, or each recipient's) and, without `at`, its time of day. An
    approval holds on: it does not freeze the time, but of what is to repeat the days.

    Raises:
        BlastNotMovable: it went out, was canceled, or repeats.
        SchedulePast, ScheduleTooFar: nothing could go out then.
        NotFound: the blast is not the account's.

    Locks: the blast's row.
    """
    blast = locked(account, blast)
    if blast.state not in (BlastState.DRAFT, BlastState.FAILED, BlastState.SCHEDULED):
        raise BlastNotMovable
    moment, plan = now(), plan_on(account, blast, on, at)
    wall = plan.wall
    goes_at = plan.at or wall_moment(wall or moment, account.timezone)
    if goes_at > moment + SCHEDULE_LIMIT:
        raise ScheduleTooFar(limit=SCHEDULE_LIMIT)
    if plan.at is not None and plan.at < moment:
        raise SchedulePast
    if wall is not None and blast.state == BlastState.SCHEDULED:
        # Where the time has passed for somebody it begins, after the time to undo.
        start = moment + timedelta(seconds=settings.UNDO_S)
        plan = Plan(first_at(account, blast, start, wall), wall)
    blast.plan_set(plan)
    blast.updated_at = moment
    blast.save()
    _first_day_set(blast, on, at)
    void_if_rewritten(account, actor, blast)
    shown = wall or goes_at.astimezone(ZoneInfo(account.timezone))
    audit_record(
        account=account,
        actor=actor,
        action="blast.moved",
        subject=blast.name,
        data={"to": f"{shown:%Y-%m-%d %H:%M}"},
    )
    return blast


def _first_day_set(blast: Blast, on: date, at: time | None) -> None:
    """Of a draft that is meant to repeat, the day is its first one."""
    series = Series.objects.filter(blast=blast, state=SeriesState.DRAFT).first()
    if series is not None:
        series.starts_on, series.at = on, at or series.at
        series.save(update_fields=["starts_on", "at"])


def plan_on(account: Account, blast: Blast, on: date, at: time | None = None) -> Plan:
    """A plan for another day, without `at` at the time of day the blast went or was to go out."""
    if blast.local_time is not None:
        return Plan(wall=datetime.combine(on, at or blast.local_time))
    was = blast.batch.launched_at if blast.batch else blast.scheduled_at
    clock = was.astimezone(ZoneInfo(account.timezone)).time() if was else _USUAL_TIME
    wall = datetime.combine(on, at or clock.replace(second=0, microsecond=0))
    return Plan(at=wall_moment(wall, account.timezone))
