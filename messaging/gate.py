"""The gate: whether this message may go out at this moment. Every kind of send passes it again.

Owns the rules that are asked at the moment of sending: consent, opt-outs, the state of batch and
account, whether the number is still the account's, allowed hours at the recipient, how often a
person is texted (`messaging.frequency`) and how long a batch may take. Rate is asked beside it
(`messaging.rate`), and so are budgets that were lowered (`messaging.budget`); credits were reserved
at launch. What is settled at launch already (landline) is `recipients`'.

Rules by kind of message: an automatic answer (opt-out confirmation, HELP) passes consent, because
the law asks for it; a reply or a code passes the need for recorded consent, because this person
asked, but never an opt-out; a text to somebody who never wrote to us is no reply. The text to a
phone that somebody typed into a public form passes the need for consent too, since it asks for it,
and keeps allowed hours: anybody can type it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from django.db import connection

from accounts.choices import AccountStatus
from accounts.models import Account
from contacts.choices import Consent
from messaging.choices import BatchKind, BatchState, Reason
from messaging.hours import opens_at, zones_of
from messaging.hours_law import Law, Rule
from messaging.hours_rules import law_now
from messaging.models import SenderNumber

PASSES_OPT_OUT: Final = frozenset({BatchKind.AUTO})
CAPPED: Final = frozenset({BatchKind.BLAST})
PASSES_CONSENT: Final = frozenset(
    {BatchKind.AUTO, BatchKind.REPLY, BatchKind.OPTIN, BatchKind.TEST}
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a batch's account and kind ask of each of its messages.

    Attributes:
        asks_opt_out: Somebody opted out is skipped.
        asks_consent: Somebody without recorded consent is skipped.
        asks_contact: Somebody who was deleted from the contacts is skipped.
        keeps_hours: Texts go out only in allowed hours at the recipient.
        quiet_start, quiet_end, timezone: The account's.
        cap_texts, cap_days: At most so many blasts in so many days; 0 texts for no cap.
        expires_at: Nobody is texted from then on; None for as long as it takes.
        has_number: The number it goes out from is the account's.
    """

    asks_opt_out: bool
    asks_consent: bool
    keeps_hours: bool
    quiet_start: time
    quiet_end: time
    timezone: str
    cap_texts: int = 0
    cap_days: int = 0
    expires_at: datetime | None = None
    has_number: bool = True
    asks_contact: bool = False

    def is_over(self, at: datetime) -> bool:
        """Whether the time it may take is up at that moment (aware)."""
        return self.expires_at is not None and at >= self.expires_at


def policy(
    *,
    kind: str,
    ignores_quiet_hours: bool,
    requires_consent: bool,
    is_simulated: bool,
    quiet_start: time,
    quiet_end: time,
    timezone: str,
    cap_texts: int = 0,
    cap_days: int = 0,
    expires_at: datetime | None = None,
    has_number: bool = True,
) -> Policy:
    """The rules for one batch. Nobody's phone rings at a simulated carrier: it keeps no hours."""
    return Policy(
        asks_opt_out=kind not in PASSES_OPT_OUT,
        asks_consent=requires_consent and kind not in PASSES_CONSENT,
        keeps_hours=not (ignores_quiet_hours or is_simulated),
        quiet_start=quiet_start,
        quiet_end=quiet_end,
        timezone=timezone,
        cap_texts=cap_texts if kind in CAPPED else 0,
        cap_days=cap_days,
        expires_at=expires_at,
        has_number=has_number,
        asks_contact=kind == BatchKind.BLAST,
    )


def blast_rules(account: Account, sender: SenderNumber | None) -> Policy:
    """The rules for a blast of the account from this number, before there is a batch."""
    return policy(
        kind=BatchKind.BLAST,
        ignores_quiet_hours=False,
        requires_consent=account.requires_consent,
        is_simulated=sender is not None and sender.carrier_account.is_simulated,
        quiet_start=account.quiet_start,
        quiet_end=account.quiet_end,
        timezone=account.timezone,
        cap_texts=account.cap_texts,
        cap_days=account.cap_days,
    )


def skip_reason(
    rules: Policy,
    *,
    is_opted_out: bool,
    consent: str | None,
    is_deleted: bool = False,
    at: datetime | None = None,
) -> str:
    """Why this person is not texted at all, or "". `at` (aware) is asked where time may be up."""
    if at and rules.is_over(at):
        return Reason.GIVEN_UP
    if not rules.has_number:
        return Reason.BAD_SENDER
    if is_opted_out and rules.asks_opt_out:
        return Reason.OPTED_OUT
    if is_deleted and rules.asks_contact:
        return Reason.DELETED
    if rules.asks_consent and consent != Consent.OPTED_IN:
        return Reason.NO_CONSENT
    return ""


class Hours:
    """Allowed hours at one moment under one batch's rules and the law.

    Each set of zones and laws is worked out once.
    """

    def __init__(self, rules: Policy, at: datetime) -> None:
        """Take the rules and the moment (aware); the law is `messaging.hours_rules`'."""
        self._rules = rules
        self._at = at
        self._law = law_now() if rules.keeps_hours else Law(())
        self._known: dict[tuple[tuple[str, ...], tuple[Rule, ...]], datetime | None] = {}

    def held_until(self, phone: str, timezone: str) -> datetime | None:
        """When this person may be texted, or None for now.

        Args:
            phone: E.164.
            timezone: The contact's own zone, or "".
        """
        rules = self._rules
        if not rules.keeps_hours:
            return None
        zones = zones_of(phone=phone, own=timezone, default=rules.timezone)
        law = self._law.of(phone)
        if (zones, law) not in self._known:
            self._known[zones, law] = opens_at(
                zones=zones,
                at=self._at,
                quiet_start=rules.quiet_start,
                quiet_end=rules.quiet_end,
                rules=law,
            )
        return self._known[zones, law]


def stopped_since(
    *, recipients: Sequence[tuple[int, str]], batch_ids: Iterable[int]
) -> tuple[set[tuple[int, str]], set[int]]:
    """What changed while a window was on its way. Two queries.

    Args:
        recipients: (account id, phone) of the messages that have not gone yet.
        batch_ids: Their batches.

    Returns:
        Those of `recipients` who have opted out, and those batches that were paused or canceled or
        whose account was suspended.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.account_id, o.phone "
            "FROM unnest(%s::bigint[], %s::text[]) AS r(account, phone) "
            "JOIN contacts_optout o ON o.account_id = r.account AND o.phone = r.phone",
            [[account for account, _ in recipients], [phone for _, phone in recipients]],
        )
        left = {(account, phone) for account, phone in cursor.fetchall()}
        cursor.execute(
            "SELECT b.id FROM messaging_batch b JOIN accounts_account a ON a.id = b.account_id "
            "WHERE b.id = ANY(%s) AND (b.state <> %s OR a.status = %s)",
            [list(batch_ids), BatchState.RUNNING, AccountStatus.SUSPENDED],
        )
        return left, {row[0] for row in cursor.fetchall()}
