"""Accounts (tenants) themselves, and the people who log in.

Owns creating an account with its first owner and trial credits, its settings and its status. The
team is in `team.py`; the sender number of an account that is opened is given by messaging, which
listens to `accounts.signals.account_created`.
"""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from accounts.choices import AccountStatus, CreditKind, Role
from accounts.models import Account, Membership, User
from accounts.services.audit import audit_record
from accounts.services.credits import credits_grant
from accounts.signals import account_created
from common.clock import now
from common.countries import COUNTRIES
from common.errors import Conflict, Invalid, NotFound

DEFAULT_TIMEZONE = "America/New_York"
PLATFORM_CREDITS = 10_000
PLATFORM_CREDITS_LOW = 100
SETTINGS = (
    "name",
    "brand",
    "timezone",
    "default_country",
    "help_text",
    "stop_words",
    "start_words",
    "quiet_start",
    "quiet_end",
    "requires_approval",
    "approval_over_people",
    "attribution_hours",
    "requires_consent",
    "consent_wording",
    "cap_texts",
    "cap_days",
    "monthly_budget_credits",
    "low_balance_credits",
    "keep_events_days",
    "keep_bodies_days",
    "template_rule",
)
CAP_TEXTS_LIMIT = 100
CAP_DAYS_LIMIT = 90
# Reconciliation, replies and retries look back at most thirty days.
KEEP_DAYS_LEAST = 30
KEEP_DAYS_MOST = 3650
OWN_WORDS_LIMIT = 30
OWN_WORD_CHARS = 40


def timezone_checked(name: str) -> str:
    """`name` if it is a zone of the tz database.

    Raises:
        Invalid: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(fields={"timezone": "Choose a time zone from the list."}) from error
    return name


def one_line(text: str, length: int) -> str:
    """`text` without line breaks (names stand in subjects of mail), cut to `length`."""
    return " ".join(text.split())[:length]


@transaction.atomic
def account_create(
    *,
    name: str,
    owner: User,
    timezone: str = DEFAULT_TIMEZONE,
    trial_credits: int | None = None,
    status: str = AccountStatus.TRIAL,
) -> Account:
    """Make an account with its own empty space.

    Args:
        name: The business.
        owner: Its first member, with the role owner.
        timezone: IANA name.
        trial_credits: Credits to begin with; None means TRIAL_CREDITS.
        status: Trial until staff approve it.

    Raises:
        Invalid: no name, or no such time zone.
    """
    if not name.strip():
        raise Invalid(fields={"name": "Give the account a name."})
    account = Account.objects.create(
        name=one_line(name, 120),
        brand=one_line(name, 60),
        timezone=timezone_checked(timezone),
        status=status,
    )
    Membership.objects.create(account=account, user=owner, role=Role.OWNER)
    credits = settings.TRIAL_CREDITS if trial_credits is None else trial_credits
    if credits:
        credits_grant(
            account=account,
            credits=credits,
            kind=CreditKind.TRIAL,
            key="trial",
            actor=None,
            note="Given when the account was opened",
        )
    audit_record(account=account, actor=owner, action="account.created", subject=account.name)
    account.refresh_from_db()
    return account


@transaction.atomic
def account_open(
    *,
    name: str,
    owner: User,
    timezone: str = DEFAULT_TIMEZONE,
    trial_credits: int | None = None,
    status: str = AccountStatus.TRIAL,
) -> Account:
    """`account_create` for somebody who wants to start: with all that the apps above add.

    Side effects:
        Sends `account_created` in the transaction; messaging answers with a sender number.
    """
    account = account_create(
        name=name, owner=owner, timezone=timezone, trial_credits=trial_credits, status=status
    )
    account_created.send(sender=Account, account=account)
    return account


def account_platform() -> Account:
    """The installation's own account, which texts verification codes; made at the first call.

    It has no members, so nobody reads those codes in a message log, and it is never short of
    credits: the limits on codes (`verified.py`) are what bounds the cost.
    """
    account, _ = Account.objects.get_or_create(
        is_platform=True, defaults={"name": "Textledger", "status": AccountStatus.ACTIVE}
    )
    if account.credit_balance < PLATFORM_CREDITS_LOW:
        credits_grant(
            account=account,
            credits=PLATFORM_CREDITS,
            kind=CreditKind.GRANT,
            key=f"platform:{now().isoformat()}",
            actor=None,
            note="For verification codes",
        )
    return account


@transaction.atomic
def account_update(*, account: Account, actor: User, **changes: Any) -> Account:
    """Change settings of the account; only what really differs is stored and audited.

    Args:
        account: The tenant.
        actor: Who changes it.
        changes: Any of `SETTINGS`.

    Raises:
        Invalid: a value that cannot be used.
    """
    unknown = set(changes) - set(SETTINGS)
    if unknown:
        raise ValueError(f"not a setting: {', '.join(sorted(unknown))}")
    if "timezone" in changes:
        timezone_checked(changes["timezone"])
    if "default_country" in changes and changes["default_country"] not in COUNTRIES:
        raise Invalid(fields={"default_country": "Choose a country from the list."})
    if "name" in changes and not changes["name"].strip():
        raise Invalid(fields={"name": "Give the account a name."})
    if "attribution_hours" in changes and not 1 <= changes["attribution_hours"] <= 720:
        raise Invalid(fields={"attribution_hours": "Between 1 and 720 hours (30 days)."})
    if not 0 <= changes.get("cap_texts", 0) <= CAP_TEXTS_LIMIT:
        raise Invalid(fields={"cap_texts": f"Between 0 (no cap) and {CAP_TEXTS_LIMIT}."})
    if not 1 <= changes.get("cap_days", 1) <= CAP_DAYS_LIMIT:
        raise Invalid(fields={"cap_days": f"Between 1 and {CAP_DAYS_LIMIT} days."})
    for field in ("keep_bodies_days", "keep_events_days"):
        keep_days = changes.get(field, 0)
        if keep_days and not KEEP_DAYS_LEAST <= keep_days <= KEEP_DAYS_MOST:
            sentence = f"0 (for ever), or {KEEP_DAYS_LEAST} to {KEEP_DAYS_MOST} days."
            raise Invalid(fields={field: sentence})
    for field in ("name", "brand"):
        if field in changes:
            changes[field] = one_line(changes[field], 120)
    for field in ("stop_words", "start_words"):
        if field in changes:
            changes[field] = _own_words(field, changes[field])
    row = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    before = {name: getattr(row, name) for name in changes if getattr(row, name) != changes[name]}
    if not before:
        return row
    for name in before:
        setattr(row, name, changes[name])
    row.save(update_fields=list(before))
    audit_record(
        account=row,
        actor=actor,
        action="account.changed",
        subject=row.name,
        data={name: [_said(old), _said(changes[name])] for name, old in before.items()},
    )
    return row


def _own_words(field: str, words: list[str]) -> list[str]:
    """An account's own keywords, each once, as one line; what they match is messaging's."""
    cleaned = list(dict.fromkeys(filter(None, (one_line(word, 41) for word in words))))
    if len(cleaned) > OWN_WORDS_LIMIT:
        raise Invalid(fields={field: f"At most {OWN_WORDS_LIMIT} words."})
    for word in cleaned:
        if len(word) > OWN_WORD_CHARS:
            raise Invalid(fields={field: f"A word has at most {OWN_WORD_CHARS} characters."})
        if not any(character.isalnum() for character in word):
            raise Invalid(fields={field: f"“{word}” has no letter or digit, so nothing matches."})
    return cleaned


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


@transaction.atomic
def account_status_set(*, account: Account, actor: User | None, status: str) -> Account:
    """Approve a trial, suspend an account, or let it go on. For the platform's staff."""
    row = Account.objects.select_for_update(no_key=True).filter(pk=account.pk).first()
    if row is None:
        raise NotFound()
    if row.status != status:
        before, row.status = row.status, AccountStatus(status)
        row.save(update_fields=["status"])
        audit_record(
            account=row,
            actor=actor,
            action="account.status",
            subject=row.name,
            data={"status": [before, status]},
        )
    return row


@transaction.atomic
def user_create(*, email: str, password: str | None, name: str, email_verified: bool) -> User:
    """Make a person who can log in, with the address allauth sends mail to.

    Args:
        email: The log-in.
        password: None makes log-in impossible until one is set.
        name: Shown beside what they do.
        email_verified: True only where the address was proven (an invitation link, staff).

    Raises:
        Conflict: somebody has this address.
    """
    if User.objects.filter(email__iexact=email).exists():
        raise Conflict("Somebody with this email address exists already. Log in instead.")
    user = User.objects.create_user(email, password, name=one_line(name, 120))
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=email_verified)
    return user


def user_rename(*, user: User, name: str) -> User:
    """Change the name that stands beside what a person does."""
    user.name = one_line(name, 120)
    user.save(update_fields=["name"])
    return user
