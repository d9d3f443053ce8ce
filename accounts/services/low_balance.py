"""Who hears that credits run low, once each time they do.

Owns `Account.low_balance_told_at`. What is low each account says itself (`low_balance_credits`).
A sweep: it finds the accounts that crossed their line, whatever moved the credits.
"""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, Membership
from common.clock import now

log = logging.getLogger(__name__)


def balances_warn() -> int:
    """Mail the admins of every account whose balance fell below its line. Two queries if none did.

    One mail a crossing: an account is told again only after its balance was at the line or above.
    Two sweeps at the same time tell once. A mail that was not taken is tried again by the next.

    Returns:
        How many accounts were told.

    Side effects: one mail an account, with no transaction open.
    """
    lined = Account.objects.filter(low_balance_credits__gt=0)
    lined.filter(
        low_balance_told_at__isnull=False, credit_balance__gte=F("low_balance_credits")
    ).update(low_balance_told_at=None)
    low = lined.filter(
        low_balance_told_at__isnull=True, credit_balance__lt=F("low_balance_credits")
    )
    told = 0
    for account in low.order_by("pk"):
        row = low.filter(pk=account.pk)
        if row.update(low_balance_told_at=now()):
            told += _tell(account)
    return told


def _tell(account: Account) -> bool:
    admins = Membership.objects.filter(account=account, role__in=[Role.OWNER, Role.ADMIN])
    emails = list(admins.filter(user__is_active=True).values_list("user__email", flat=True))
    if not emails:
        return False
    context = {"account": account, "link": settings.PUBLIC_URL + reverse("credits")}
    try:
        send_mail(
            f"{account.name}: {account.credit_balance:,} credits left",
            render_to_string("accounts/email/low_balance.txt", context),
            None,
            emails,
        )
    except (SMTPException, OSError) as error:
        log.warning("account %s was not told that credits run low: %s", account.pk, error)
        Account.objects.filter(pk=account.pk).update(low_balance_told_at=None)
        return False
    return True
