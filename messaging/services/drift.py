"""Comparisons of opt-outs with the carrier's: asked for, made in the background, kept, repaired.

Owns the last report of each account and what can be done about it: take over what only the carrier
knows. What differs is `messaging.drift`'s to find.
"""

from datetime import timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q

from accounts.choices import AccountStatus
from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.jobs import enqueue
from contacts.choices import ConsentSource
from contacts.models import ConsentEvent
from contacts.services import consent_revoke, erasing_held_off
from messaging.choices import DriftSide
from messaging.drift import blocked_there, standing
from messaging.models import DriftReport, DriftRow

EVERY: Final = timedelta(days=7)
_HINT_LOST_AFTER: Final = timedelta(minutes=1)
_AT_ONCE: Final = 200

# Of which the carrier never told, and those it told of whose block does not stand.
_ONLY_HERE: Final = """
    INSERT INTO messaging_driftrow (account_id, phone, side, source, wording, since_at)
    SELECT o.account_id, o.phone, %(here)s, o.source, coalesce((
            SELECT e.wording FROM contacts_consentevent e
            WHERE e.account_id = o.account_id AND e.phone = o.phone AND e.kind = 'out'
            ORDER BY e.id DESC LIMIT 1
        ), ''), o.at
    FROM contacts_optout o
    WHERE o.account_id = %(account)s AND (o.phone = ANY(%(freed)s) OR NOT EXISTS (
        SELECT FROM contacts_consentevent e
        WHERE e.account_id = o.account_id AND e.phone = o.phone AND e.kind = 'out'
            AND e.source IN ('keyword', 'carrier')
    ))
    ORDER BY o.id
    ON CONFLICT (account_id, phone) DO NOTHING
"""


@transaction.atomic
def drift_ask(*, account: Account, actor: User) -> DriftReport:
    """Have a worker compare now. Asking twice compares once.

    Side effects: enqueues messaging.opt_out_compare; an audit event.
    """
    report, is_new = DriftReport.objects.get_or_create(
        account=account, defaults={"asked_by": actor}
    )
    if not is_new and report.is_waiting:
        return report
    report.asked_at, report.asked_by = now(), actor
    report.save(update_fields=["asked_at", "asked_by"])
    audit_record(account=account, actor=actor, action="consent.compared", subject="Opt-outs")
    enqueue("messaging.opt_out_compare", account.pk)
    return report


@transaction.atomic
def drift_check(account_id: int) -> None:
    """Compare an account's opt-outs, if somebody asked, and keep what is found.

    Safe to call many times and at once: the last one to end is what is kept.

    Locks: erasures (`erasing_held_off`); the report, once everything is read.
    """
    report = DriftReport.objects.select_related("account").filter(account_id=account_id).first()
    if report is None or not report.is_waiting:
        return
    account, moment = report.account, now()
    erasing_held_off(account=account)
    there = list(blocked_there(account))
    agreed, freed = 0, list[str]()
    for phone, blocked_at in standing(account):
        if blocked_at is None:
            freed.append(phone)
        else:
            agreed += 1
    kept = DriftReport.objects.select_for_update(no_key=True).get(pk=report.pk)
    DriftRow.objects.filter(account=account).delete()
    DriftRow.objects.bulk_create(
        [
            DriftRow(
                account=account,
                phone=one.phone,
                side=DriftSide.THERE,
                wording=one.came_back,
                since_at=one.blocked_at,
            )
            for one in there
        ],
        batch_size=1_000,
    )
    with connection.cursor() as cursor:
        cursor.execute(_ONLY_HERE, {"account": account.pk, "here": DriftSide.HERE, "freed": freed})
        kept.only_here = cursor.rowcount
    kept.only_there, kept.agreed, kept.checked_at = len(there), agreed, moment
    kept.save(update_fields=["only_here", "only_there", "agreed", "checked_at"])


def drifts_due() -> None:
    """Compare accounts whose last comparison is a week old, and what a lost hint left waiting."""
    week_ago, lost = now() - EVERY, now() - _HINT_LOST_AFTER
    reports = DriftReport.objects.exclude(account__status=AccountStatus.SUSPENDED)
    reports.filter(checked_at__lt=week_ago, asked_at__lte=F("checked_at")).update(asked_at=now())
    said = ConsentEvent.objects.filter(account=OuterRef("pk"))
    unseen = Account.objects.filter(Exists(said), drift_report=None)
    unseen = unseen.exclude(status=AccountStatus.SUSPENDED)
    DriftReport.objects.bulk_create(
        [DriftReport(account=account, asked_at=lost) for account in unseen[:_AT_ONCE]],
        ignore_conflicts=True,
    )
    waiting = Q(checked_at=None) | Q(asked_at__gt=F("checked_at"))
    for account_id in reports.filter(waiting).values_list("account_id", flat=True)[:_AT_ONCE]:
        drift_check(account_id)


def drift_take(*, account: Account, actor: User, row_id: int) -> bool:
    """Opt out here a phone that the carrier blocks, so that no text to it is tried.

    Returns:
        Whether the carrier blocked it still; if not, it only leaves the report.

    Raises:
        NotFound: the account's report has no such phone.

    Locks: the person's contacts, then their opt-outs, the report.
    Side effects: ConsentEvent, OptOut, Contact.consent, an audit event. START brings them back.
    """
    row = DriftRow.objects.filter(account=account, pk=row_id, side=DriftSide.THERE).first()
    if row is None:
        raise NotFound("This phone is no longer in the report. Nothing was changed.")
    return _take(account, actor, row)


def drift_take_all(*, account: Account, actor: User) -> int:
    """Take over every phone of the report that only the carrier blocks, some hundred at once.

    Returns:
        How many were opted out here.
    """
    rows = DriftRow.objects.filter(account=account, side=DriftSide.THERE).order_by("pk")
    return sum(_take(account, actor, row) for row in rows[:_AT_ONCE])


@transaction.atomic
def _take(account: Account, actor: User, row: DriftRow) -> bool:
    found = next(blocked_there(account, phone=row.phone), None)
    if found is not None:
        consent_revoke(
            account=account,
            phone=row.phone,
            source=ConsentSource.CARRIER,
            wording=f"Blocked at the carrier since {found.blocked_at:%d %b %Y, %H:%M} UTC",
            actor=actor,
        )
    gone, _ = DriftRow.objects.filter(pk=row.pk).delete()
    DriftReport.objects.filter(account=account).update(
        only_there=F("only_there") - gone, agreed=F("agreed") + (gone if found else 0)
    )
    return found is not None
