"""Paid look-ups of line types: what they would cost, and asking for them.

Owns who is looked up and the reservation. Carrying it out is `messaging.lookups`'. Only numbers
whose line is not known already, and who may be texted at all, are worth the money.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from accounts.models import Account, User
from accounts.services import audit_record, credits_reserve
from common.clock import now
from common.deadline import within
from common.jobs import enqueue
from common.sql import Sql
from contacts.errors import ListTooLong
from contacts.models import Contact
from contacts.services import erasing_held_off
from messaging.choices import LookupState
from messaging.errors import LookupCostsMore, NobodyToLookUp
from messaging.models import LookupRun
from messaging.sending.batches import gateway_of
from messaging.services.launch import may_launch
from messaging.services.single import sender_default

# Numbers move from carrier to carrier; a word so old is worth another look.
FRESH_FOR: Final = timedelta(days=90)
_LOOK_S: Final = 10.0

_PEOPLE: Final = """
    SELECT a.phone, f.id IS NOT NULL AS is_known,
        o.id IS NOT NULL AS is_out,
        EXISTS (
            SELECT FROM messaging_lookup l JOIN messaging_lookuprun r ON r.id = l.run_id
            WHERE r.account_id = (SELECT %s) AND r.state = 'running' AND l.phone = a.phone
        ) AS is_asked
    FROM ({audience}) a
    LEFT JOIN contacts_linefact f
        ON f.account_id = (SELECT %s) AND f.phone = a.phone AND f.at > %s
    LEFT JOIN contacts_optout o ON o.account_id = (SELECT %s) AND o.phone = a.phone
"""


@dataclass(frozen=True)
class LookupOffer:
    """What looking people up would cost.

    Attributes:
        numbers: How many would be looked up.
        credits_each: Credits a number.
        known: Whose line a carrier told of late, or is being asked for already.
        opted_out: Who are not texted anyway.
        is_offered: Whether the account's carrier tells line types at all.
    """

    numbers: int
    credits_each: int
    known: int
    opted_out: int
    is_offered: bool = True

    @property
    def credits(self) -> int:
        """What it costs at most."""
        return self.numbers * self.credits_each


def lookup_offer(*, account: Account, audience: QuerySet[Contact]) -> LookupOffer:
    """What a look-up of these contacts would cost now. Two queries; nothing is asked.

    Raises:
        NoSender: the account has no number, and so no carrier.
        ListTooLong: finding these people takes longer than somebody waits for a page.
    """
    carrier = sender_default(account).carrier_account
    people = _people(account, audience)
    with within(_LOOK_S, late=ListTooLong), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE NOT is_out AND NOT is_known AND NOT is_asked),"
            " count(*) FILTER (WHERE NOT is_out AND (is_known OR is_asked)),"
            f" count(*) FILTER (WHERE is_out) FROM ({people.text}) p",
            people.params,
        )
        numbers, known, opted_out = cursor.fetchone()
    return LookupOffer(
        numbers, settings.LOOKUP_CREDITS, known, opted_out, gateway_of(carrier).tells_lines
    )


@transaction.atomic
def lookup_start(
    *,
    account: Account,
    actor: User,
    audience: QuerySet[Contact],
    title: str,
    request_key: str,
    most_credits: int,
) -> LookupRun:
    """Reserve the price and have a worker ask the carrier. Asking twice with one key asks once.

    Args:
        account: The tenant.
        actor: Who asks.
        audience: Whom to look up.
        title: What they are called together; nobody's name.
        request_key: The form's.
        most_credits: The price that the person was shown.

    Raises:
        LookupCostsMore: it would cost more than `most_credits` by now; nothing was changed.
        NobodyToLookUp: nothing would be asked, or the carrier does not tell line types.
        InsufficientCredits: the balance is smaller than the price; nothing was changed.
        NoSender, AccountSuspended, EmailUnverified: as for a text.

    Locks: erasures (`erasing_held_off`), then the account.
    Side effects: enqueues messaging.lookup_run; an audit event.
    """
    erasing_held_off(account=account)
    sender = sender_default(account)
    may_launch(account=account, actor=actor, sender=sender)
    first = LookupRun.objects.filter(account=account, request_key=request_key).first()
    if first:
        return first
    if not gateway_of(sender.carrier_account).tells_lines:
        raise NobodyToLookUp("Your carrier does not tell line types. Nothing was asked.")
    try:
        with transaction.atomic():
            run = LookupRun.objects.create(
                account=account,
                carrier_account=sender.carrier_account,
                request_key=request_key,
                title=title[:120],
                asked_by=actor,
                credits_each=settings.LOOKUP_CREDITS,
            )
    except IntegrityError:
        return LookupRun.objects.get(account=account, request_key=request_key)
    # Two runs at once take turns here, so that neither asks what the other does.
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    run.numbers = _take(run, _people(account, audience))
    if not run.numbers:
        raise NobodyToLookUp
    run.save(update_fields=["numbers"])
    credits = run.numbers * run.credits_each
    if credits > most_credits:
        raise LookupCostsMore(
            f"This would cost {credits:,} credits by now, and the page said {most_credits:,}."
            " Nothing was asked. Open it again to see the new price."
        )
    credits_reserve(
        account=account, credits=credits, key=f"lookups:{run.pk}:reserve", note=_note(run),
        actor=actor,
    )  # fmt: skip
    audit_record(
        account=account,
        actor=actor,
        action="lines.looked_up",
        subject=run.title,
        data={"numbers": run.numbers, "credits": credits},
    )
    enqueue("messaging.lookup_run", run.pk)
    return run


def _people(account: Account, audience: QuerySet[Contact]) -> Sql:
    chosen, params = audience.order_by().values("phone").query.sql_with_params()
    fresh = now() - FRESH_FOR
    return Sql(
        _PEOPLE.format(audience=chosen), [account.pk, *params, account.pk, fresh, account.pk]
    )


def _take(run: LookupRun, people: Sql) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_lookup (run_id, phone, state, tries, line_type)"
            f" SELECT %s, phone, %s, 0, '' FROM ({people.text}) p"
            " WHERE NOT is_out AND NOT is_known AND NOT is_asked ORDER BY phone",
            [run.pk, LookupState.WAITING, *people.params],
        )
        return cursor.rowcount


def _note(run: LookupRun) -> str:
    return f"Line types of {run.title}"[:200]
